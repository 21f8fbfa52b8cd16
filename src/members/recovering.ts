/** From a cluster of which nothing runs to one that runs, with the newest data there are. */
import { neverFormed, validOrder, waitFor, withMember, write } from './decisions.ts'
import { elect } from './election.ts'
import type { Decision, Facts } from './facts.ts'
import { formedBy, grantUsed, release, withdraw } from './grants.ts'
import { hold } from './hold.ts'
import { comparePositions } from './position.ts'
import { type Seen, inPrimary, isCopy, isHeardNow, listText, primaries } from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

/** Null when the cluster is not recovering or held. */
export const recovering = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology } = facts
  if (ledger.phase !== 'recovering' && ledger.phase !== 'held') return null
  return (
    grantUsed(facts, seen) ??
    alive(facts, seen) ??
    obey(facts) ??
    release(facts, seen) ??
    mayRunOutside(facts, seen) ??
    tried(facts, seen) ??
    (topology.recovers === 'itself' && validOrder(ledger) === null
      ? byItself(facts, seen)
      : choose(facts, seen))
  )
}

/** It runs after all: somebody was out of sight, or members have found each other again. */
const alive = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger } = facts
  const live = primaries(seen).filter(({ report }) => report.epoch >= ledger.epoch)
  if (live.length === 0) return null
  if (ledger.grant !== null && ledger.grant.epoch === ledger.epoch) {
    const granted = Object.keys(ledger.grant.members)
    // Whoever has the grant and is seen before its founding is reported: the next report says it.
    if (live.some(({ id }) => granted.includes(id))) return waitFor(`${granted.join()} starts`)
    return withdraw(ledger, `${listText(live)} runs: nobody has to be first`)
  }
  return write(formedBy(facts, seen), `${listText(live)} runs: the cluster is formed`)
}

/** Whoever is to be first may prove unable to. */
const tried = ({ ledger }: Facts, seen: readonly Seen[]): Decision | null => {
  const { grant } = ledger
  if (grant === null) return null
  const [entry] = Object.entries(grant.members)
  const first = seen.find(({ id }) => id === entry?.[0])
  const name = entry?.[0] ?? ''
  if (first === undefined || first.host === undefined) {
    return withdraw(ledger, `${name}, which was to be first, is gone`)
  }
  const order = validOrder(ledger)
  if (order !== null && order.from !== first.id) {
    return withdraw(ledger, `${order.by} has decided for ${order.from}`)
  }
  if (!isHeardNow(first)) {
    const why = `${name} is to be first, and is not heard`
    // It may be back before the others could be first without it, and then it says what it did.
    return first.host.unheardFor < MEMBER_TUNABLES.missing ? waitFor(why) : withdraw(ledger, why)
  }
  const { report } = first
  const unable =
    report.volume !== entry?.[1] ||
    (report.process !== 'running' &&
      report.epoch === ledger.epoch &&
      (report.data === 'damaged' || report.data === 'empty' || report.data === 'none'))
  const behind =
    report.process !== 'running' &&
    report.epoch === ledger.epoch &&
    report.recovered &&
    report.position !== null &&
    grant.position !== null &&
    (report.position.history !== grant.position.history ||
      comparePositions(report.position, grant.position) < 0)
  return unable || behind
    ? withdraw(ledger, `${name} has lost the data that it was chosen for`)
    : waitFor(`${name} starts as the first`)
}

const choose = (facts: Facts, seen: readonly Seen[]): Decision => {
  const { ledger, now } = facts
  const election = elect(facts, seen)
  if (election.kind === 'wait') {
    return election.stop === true && ledger.phase === 'held'
      ? write({ ...ledger, phase: 'recovering', held: null }, election.why)
      : waitFor(election.why)
  }
  if (election.kind === 'void') {
    // No later order may be taken for this one, so it stays on record.
    const order = ledger.order && { ...ledger.order, epoch: 0 }
    return write({ ...ledger, order }, election.why)
  }
  if (election.kind === 'hold') return hold(facts, seen, election.why)
  const { winner, discard } = election
  const volume = winner.report.volume ?? ''
  let next = withMember(ledger, winner.id, {
    volume,
    admitted: null,
    discarded: null,
    leaving: false,
  })
  for (const { id, member, report } of discard) {
    const bare = report?.data === 'empty' || report?.data === 'none'
    const folder = report?.volume ?? member.volume ?? member.admitted
    const discarded = bare ? member.discarded : folder
    next = withMember(next, id, { volume: null, admitted: null, discarded })
  }
  return write(
    {
      ...next,
      phase: 'recovering',
      held: null,
      view: [],
      grant: {
        epoch: ledger.epoch,
        members: { [winner.id]: volume },
        position: winner.position,
      },
      highWater: { ...winner.position, at: now },
    },
    election.why,
  )
}

/** Members that vote by themselves are only given time; when too few are left, a person decides. */
const byItself = (facts: Facts, seen: readonly Seen[]): Decision => {
  const verdict = enoughToVote(seen)
  if (verdict === null) {
    // A person may look at it; members that find each other need nobody's leave.
    return facts.ledger.phase === 'held'
      ? waitFor(`held: ${facts.ledger.held?.reason ?? ''}`)
      : write({ ...facts.ledger, phase: 'formed', held: null }, 'the members vote by themselves')
  }
  return verdict.final ? hold(facts, seen, verdict.why) : waitFor(verdict.why)
}

/** Null while a majority may still come together. */
export const enoughToVote = (seen: readonly Seen[]): { why: string; final: boolean } | null => {
  const voters = seen.filter(({ member }) => member.volume !== null)
  const able = voters.filter(
    (each) =>
      isHeardNow(each) && each.report.data === 'good' && each.report.volume === each.member.volume,
  )
  const missing = voters.filter((each) => each.host !== undefined && !isHeardNow(each))
  if (able.length * 2 > voters.length) return null
  const final = missing.every(
    ({ host }) => host !== undefined && host.unheardFor >= MEMBER_TUNABLES.missing,
  )
  return { why: `${able.length} of ${voters.length} members are left, no majority`, final }
}

/** What runs outside, nobody here can see: only a person may say that it does not. */
const mayRunOutside = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology } = facts
  if (topology.outside !== true || validOrder(ledger) !== null) return null
  if (ledger.grant !== null) {
    return withdraw(ledger, 'the cluster is said to run outside: nobody is first')
  }
  return seen.some(isCopy)
    ? hold(facts, seen, OUT_OF_SIGHT)
    : write({ ...ledger, phase: 'formed', held: null }, 'all have to join anew, outside')
}

const OUT_OF_SIGHT =
  'no member is primary; the cluster may run outside, where the members look for it'

/** Of a cluster that has members outside, too: those here look for them for as long as it takes. */
const outOfSight = (facts: Facts, seen: readonly Seen[]): Decision | null =>
  seen.some(isCopy) && facts.quietFor >= MEMBER_TUNABLES.lookOutside
    ? hold(facts, seen, OUT_OF_SIGHT)
    : null

/** A cluster that was formed, and of which nobody is heard to be primary. */
export const lost = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology, quietFor } = facts
  if (ledger.phase !== 'formed' || primaries(seen).length > 0) return null
  if (topology.outside === true) return outOfSight(facts, seen)
  // It was to be joined outside, and nobody has ever got in.
  if (neverFormed(ledger) && ledger.grant === null) {
    return write(
      { ...ledger, phase: 'new' },
      'nobody has joined anything: the cluster is to be formed',
    )
  }
  const heard = seen.filter(isHeardNow)
  // Whose hosts have all been removed will not be heard again.
  if (heard.length === 0 && seen.some(({ host }) => host !== undefined)) {
    return waitFor('no member is heard')
  }
  if (topology.recovers === 'itself') {
    if (validOrder(ledger) !== null) return begin(facts)
    const verdict = enoughToVote(seen)
    if (verdict === null) {
      const enough =
        seen.every((each) => each.host === undefined || isHeardNow(each)) &&
        quietFor >= 2 * MEMBER_TUNABLES.missing
      return enough
        ? hold(facts, seen, 'all members are there and find no majority')
        : waitFor('the members vote by themselves')
    }
    return verdict.final && quietFor >= MEMBER_TUNABLES.outside
      ? hold(facts, seen, verdict.why)
      : waitFor(verdict.why)
  }
  const busy = seen.find(
    ({ agentless, report, host }) =>
      agentless &&
      report?.process === 'running' &&
      (host?.unheardFor ?? 0) < MEMBER_TUNABLES.agentless,
  )
  if (busy) return waitFor(`${busy.id} may be running: its agent is waited for`)
  const unsure = seen.some(
    (each) => each.report?.process === 'running' && (isHeardNow(each) || inPrimary(each.report)),
  )
  const enough = isBroken(seen) ? MEMBER_TUNABLES.broken : MEMBER_TUNABLES.outside
  if (unsure && quietFor < enough) {
    return waitFor('no primary component is seen; the members are given time to find each other')
  }
  return begin(facts)
}

/**
 * Those that run cannot become primary again by themselves: they say that they are not, all others are
 * heard not to run, and of those that have joined and have not taken their leave they are not most.
 */
const isBroken = (seen: readonly Seen[]): boolean => {
  const joined = seen.filter(({ member, report }) => member.volume !== null && !report?.clean)
  const running = seen.filter(({ report }) => report?.process === 'running')
  return (
    seen.every((each) => isHeardNow(each)) &&
    running.every(({ report }) => report?.status?.role === 'outside') &&
    running.length * 2 <= joined.length
  )
}

const begin = ({ ledger }: Facts): Decision => {
  const epoch = ledger.epoch + 1
  const order = validOrder(ledger)
  return write(
    {
      ...ledger,
      phase: 'recovering',
      epoch,
      held: null,
      order: order === null ? ledger.order : { ...order, epoch },
    },
    'nothing of the cluster runs: the copies are compared',
  )
}

/** A person has decided about a cluster that is held: everybody stops and promises anew. */
const obey = (facts: Facts): Decision | null => {
  const { ledger, topology } = facts
  // A cluster outside that a member got into has not been formed here, as far as anybody has seen.
  const formed = !neverFormed(ledger) || topology.outside === true
  return ledger.phase === 'held' && validOrder(ledger) !== null && formed ? begin(facts) : null
}
