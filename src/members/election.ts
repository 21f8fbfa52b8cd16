/**
 * Who is first after all have stopped: whoever has the newest data, if that can be known. Nobody is
 * taken for dead because nothing was heard, and nobody for oldest because it did not answer.
 */
import type { Ledger, MemberId, Order, Position } from '../catalog/index.ts'
import { validOrder } from './decisions.ts'
import type { Facts } from './facts.ts'
import { comparePositions, isNewer, positionText } from './position.ts'
import { type Heard, type Seen, isHeardNow, isRecognised, listText } from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

export type Election =
  | { kind: 'winner'; winner: Copy; discard: Seen[]; why: string }
  /** `stop`: for members that run, and have to stop. */
  | { kind: 'wait'; why: string; stop?: boolean }
  | { kind: 'hold'; why: string }
  /** What a person has decided cannot be done any more. */
  | { kind: 'void'; why: string }

/** A member whose data have been compared in this epoch. */
export type Copy = Heard & { position: Position }

/** What each member is worth as evidence. */
interface Evidence {
  copies: Copy[]
  /** Heard, and certainly without the data that they once had. */
  lost: Seen[]
  /** Heard, but it is not known yet what they have. */
  pending: Seen[]
  /** Not heard. */
  missing: Seen[]
  /** Their hosts have been removed by the operator. */
  gone: Seen[]
  /** Never had any data. */
  blank: Seen[]
}

const collect = ({ ledger }: Facts, seen: readonly Seen[]): Evidence => {
  const evidence: Evidence = { copies: [], lost: [], pending: [], missing: [], gone: [], blank: [] }
  const usable = (each: Heard): boolean =>
    each.report.data === 'good' &&
    (isRecognised(each.member, each.report) || validOrder(ledger)?.from === each.id)
  for (const each of seen) {
    if (each.host === undefined) evidence.gone.push(each)
    else if (!isHeardNow(each)) evidence.missing.push(each)
    else if (each.report.epoch < ledger.epoch || isUnclear(each)) evidence.pending.push(each)
    else if (!usable(each))
      (each.member.volume === null ? evidence.blank : evidence.lost).push(each)
    else if (each.report.position === null) evidence.blank.push(each)
    else evidence.copies.push({ ...each, position: each.report.position })
  }
  return evidence
}

/**
 * It runs and has not said that it is in no primary component, or not how far it is; or its data are
 * not recovered yet.
 */
const isUnclear = ({ report }: Heard): boolean =>
  report.process === 'running'
    ? report.status?.role !== 'outside' || (report.data === 'good' && report.position === null)
    : report.data === 'unknown' || (report.data === 'good' && !report.recovered)

/** In a recovering or held ledger without a grant. */
export const elect = (facts: Facts, seen: readonly Seen[]): Election => {
  const { ledger } = facts
  const evidence = collect(facts, seen)
  const { copies, pending } = evidence
  const order = validOrder(ledger)
  if (order !== null) {
    const alone = facts.topology.recovers === 'itself'
    return beforeSnapshot(ledger, order, seen) ?? ordered(evidence, order, alone ? seen : [])
  }
  if (pending.length > 0) {
    return { kind: 'wait', why: `${listText(pending)} still looks at its data` }
  }
  const [one] = copies
  if (one === undefined) return without(facts, evidence, 'no copy of the data is left')
  const other = copies.find(({ position }) => position.history !== one.position.history)
  if (other !== undefined) {
    const why = `${one.id} and ${other.id} hold different histories`
    return { kind: 'hold', why }
  }
  const best = copies.reduce((a, b) => (comparePositions(b.position, a.position) > 0 ? b : a))
  const newer = newerElsewhere(facts, { seen, best })
  if (newer !== null) return without(facts, evidence, newer)
  const equals = copies.filter(({ position }) => comparePositions(position, best.position) === 0)
  // One that runs, and stays because nobody else does, is not made to wait for another.
  const running = equals.find(({ report }) => report.process === 'running')
  const stopped = lastStopped(facts, equals)
  if (stopped !== null) return finish(evidence, running ?? stopped, [])
  const { writer } = ledger
  const writerLost = [...evidence.lost, ...evidence.gone].some(
    ({ id, member }) => member.volume !== null && (writer === null || id === writer),
  )
  if (writerLost) {
    return without(
      facts,
      evidence,
      `the data of ${writer ?? 'a member'}, which took the writes, are lost`,
    )
  }
  const doubt = doubtAboutMissing(facts, evidence)
  if (doubt !== null) return without(facts, evidence, doubt)
  if (evidence.missing.some(isPatient(facts))) return patience(evidence.missing)
  return finish(evidence, running ?? equals[0] ?? best, evidence.missing)
}

/** A host that is heard, and says nothing of its member, may be about to. */
const isPatient =
  ({ quietFor }: Facts) =>
  ({ host }: Seen): boolean =>
    host !== undefined && (host.unheardFor || quietFor) < MEMBER_TUNABLES.missing
const patience = (missing: readonly Seen[]): Election => ({
  kind: 'wait',
  why: `${listText(missing)} is not heard, and is waited for`,
})

/** Held for this reason, unless somebody who may still come could change that. */
const without = (facts: Facts, { missing }: Evidence, why: string): Election =>
  missing.some(isPatient(facts)) ? patience(missing) : { kind: 'hold', why }

/** A copy that is known to be newer than the best that is there. */
const newerElsewhere = (
  { ledger }: Facts,
  { seen, best }: { seen: readonly Seen[]; best: Copy },
): string | null => {
  if (isNewer(ledger.highWater, best.position)) {
    const known = ledger.highWater ? positionText(ledger.highWater) : ''
    return `the cluster had ${known}, and the newest copy is ${positionText(best.position)}`
  }
  if (ledger.highWater !== null && ledger.highWater.history !== best.position.history) {
    return `${best.id} holds another history than the cluster had`
  }
  const ahead = seen.find(
    (each) =>
      !isHeardNow(each) &&
      each.host !== undefined &&
      each.report?.volume !== each.member.discarded &&
      isNewer(each.report?.position ?? null, best.position),
  )
  return ahead === undefined ? null : `${ahead.id}, which is not heard, has newer data`
}

/** Whoever stopped last, on purpose and after all others, has everything. */
const lastStopped = ({ ledger }: Facts, equals: readonly Copy[]): Copy | null =>
  equals.find(({ id }) => id === ledger.cleanStop?.last) ?? null

/**
 * Whether the members that are not heard could be primary without the others, or could hold writes
 * that nobody else has. More than one could: the others may have dropped out one after another. A
 * single one cannot have been left by a crash, for it would be half of two; only by others that took
 * their leave.
 */
const doubtAboutMissing = ({ ledger }: Facts, evidence: Evidence): string | null => {
  const { missing, copies, lost, blank } = evidence
  const [one] = missing
  if (one === undefined) return null
  const all = copies.length + lost.length + blank.length + missing.length
  if (missing.length > 1) return `${listText(missing)} are not heard and may be running`
  if (copies.length * 2 <= all) return `${one.id} is not heard, and too few copies are left`
  if (ledger.writer === null || ledger.writer === one.id) {
    return `${one.id}, which took the writes, is not heard`
  }
  const polite =
    [...copies, ...lost, ...blank].find((each) => each.report?.clean === true) ?? lost[0]
  return polite === undefined
    ? null
    : `${one.id} is not heard, and may have gone on after ${polite.id} had left`
}

/** A person has decided for a snapshot: null once the data have been made of it. */
const beforeSnapshot = (
  { epoch }: Ledger,
  { from, by, at, snapshot }: Order,
  seen: readonly Seen[],
): Election | null => {
  const chosen = seen.find(({ id }) => id === from)
  if (snapshot === null || chosen?.report?.restored === at) return null
  if (chosen?.host === undefined) {
    return { kind: 'void', why: `${by} has decided for a snapshot of ${from}, which is gone` }
  }
  if (!isHeardNow(chosen) || chosen.report.epoch < epoch || chosen.report.process === 'running') {
    return { kind: 'wait', why: `${by} has decided for a snapshot of ${from}, which is waited for` }
  }
  return chosen.report.snapshot?.name === snapshot
    ? { kind: 'wait', why: `the data of ${from} are made of the snapshot ${snapshot}` }
    : { kind: 'void', why: `${by} has decided for ${snapshot} of ${from}, which is not there` }
}

/** A person has decided. */
const ordered = (
  evidence: Evidence,
  { from, by }: { from: MemberId; by: string },
  voters: readonly Seen[],
): Election => {
  const { copies, pending, missing } = evidence
  const winner = copies.find(({ id }) => id === from)
  if (winner === undefined) {
    const bare = ![...pending, ...missing].some(({ id }) => id === from)
    if (bare) return { kind: 'void', why: `${by} has decided for ${from}, whose data are gone` }
    return { kind: 'wait', why: `${by} has decided for ${from}, whose data are not there yet` }
  }
  if (pending.length > 0) return { kind: 'wait', why: `${listText(pending)} has to stop first` }
  const unlike = copies.filter(
    ({ position }) =>
      position.history !== winner.position.history ||
      comparePositions(position, winner.position) > 0,
  )
  // Voters that go on without their majority are a cluster of one: nobody else's data are theirs.
  const others = voters.filter(({ id }) => id !== from)
  return finish(evidence, winner, voters.length > 0 ? others : [...unlike, ...missing])
}

/** Nobody else may run when somebody becomes first. */
const finish = ({ copies }: Evidence, winner: Copy, discard: Seen[]): Election => {
  const running = copies.filter(
    ({ id, report }) => id !== winner.id && report.process === 'running',
  )
  if (running.length > 0) {
    return { kind: 'wait', why: `${listText(running)} has to stop first`, stop: true }
  }
  const why = `${winner.id} is first: ${positionText(winner.position)} is the newest of ${copies.length}`
  return { kind: 'winner', winner, discard, why }
}
