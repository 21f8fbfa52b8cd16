/**
 * What becomes of a grant. It is the right to be the first, and it may lie at an agent that nobody
 * hears; so it is never just forgotten. Either it has been used, or whoever has it has promised to
 * use it no more, or its host has been removed by the operator.
 */
import type { Grant, Ledger, Position } from '../catalog/index.ts'
import { waitFor, withMember, write } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import { hold } from './hold.ts'
import { type Heard, type Seen, isHeardNow, listText, primaries } from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

/** Members that have been first with this grant, heard or told of by a host that is silent now. */
const founders = (grant: Grant, seen: readonly Seen[]) =>
  seen.filter(
    ({ id, report }) =>
      report !== undefined &&
      report.volume !== null &&
      grant.members[id] === report.volume &&
      report.founded >= grant.epoch,
  )

/** Members of whom it is not certain that they will not use this grant. */
export const unreleased = (grant: Grant, seen: readonly Seen[]): Seen[] =>
  seen.filter(
    (each) =>
      grant.members[each.id] !== undefined &&
      each.host !== undefined &&
      !(isHeardNow(each) && each.report.epoch > grant.epoch),
  )

/** The position of the least advanced of the members that are ready: what all of them have. */
export const commonPosition = (heard: readonly Heard[]): Position | null => {
  const positions = heard.flatMap(({ report }) => report.position ?? [])
  const [one] = positions
  if (one === undefined || positions.some(({ history }) => history !== one.history)) return null
  return positions.reduce((a, b) => (BigInt(b.sequence) < BigInt(a.sequence) ? b : a))
}

/** The ledger once it is known that the cluster runs. */
export const formedBy = ({ ledger, now, topology }: Facts, seen: readonly Seen[]): Ledger => {
  const { grant } = ledger
  const used = grant === null ? [] : founders(grant, seen)
  let next: Ledger = {
    ...ledger,
    phase: 'formed',
    held: null,
    cleanStop: null,
    // What was decided is done; who decided it stays on record.
    order: ledger.order && { ...ledger.order, epoch: 0 },
    grant: grant !== null && used.length === 0 ? grant : null,
  }
  for (const { id } of used) {
    const volume = grant?.members[id] ?? null
    next = withMember(next, id, { volume, admitted: null })
  }
  // Who formed it together with them and was not seen yet is a member all the same.
  if (ledger.phase === 'forming' && used.length > 0) {
    for (const [id, volume] of Object.entries(grant?.members ?? {})) {
      if (!used.some((each) => each.id === id)) next = withMember(next, id, { admitted: volume })
    }
  }
  const live = primaries(seen)
  const view = [...new Set([...used, ...live].map(({ id }) => id))]
  const position = commonPosition(live) ?? used[0]?.report?.position ?? null
  const keeps = ledger.writer !== null && view.includes(ledger.writer)
  return {
    ...next,
    view,
    // Whoever takes them over is told so first, by `chooseWriter`; the old one has started as such.
    writer: topology.writer && keeps ? ledger.writer : null,
    highWater: position === null ? ledger.highWater : { ...position, at: now },
  }
}

/** The grant of the present epoch has been used: the cluster runs, or ran. */
export const grantUsed = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { grant } = facts.ledger
  if (grant === null) return null
  const used = founders(grant, seen)
  return used.length === 0
    ? null
    : write(formedBy(facts, seen), `${listText(used)} runs as the first: the cluster is formed`)
}

/** Whoever has the grant cannot use it any more, though it may not know: a new epoch begins. */
export const withdraw = (ledger: Ledger, why: string): Decision => {
  const epoch = ledger.epoch + 1
  // A person's decision is about the data, not about this try.
  const order = ledger.order?.epoch === ledger.epoch ? { ...ledger.order, epoch } : ledger.order
  return write({ ...ledger, epoch, order }, why)
}

/** A grant of an older epoch goes when it has been released by all; until then it is waited for. */
export const release = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger } = facts
  const { grant } = ledger
  if (grant === null || grant.epoch === ledger.epoch) return null
  const left = unreleased(grant, seen)
  if (left.length > 0) {
    const why = `${listText(left)} may still act on an older decision: it has to be heard, or its host removed`
    const patient = left.some(({ host }) => (host?.unheardFor ?? 0) < MEMBER_TUNABLES.missing)
    return patient || ledger.phase === 'forming' ? waitFor(why) : hold(facts, seen, why)
  }
  const phase = ledger.phase === 'forming' ? 'new' : ledger.phase
  return write({ ...ledger, phase, grant: null }, 'an older decision has been taken back')
}
