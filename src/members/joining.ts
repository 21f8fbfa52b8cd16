/** Letting members in that have no data yet, in good order. */
import { act, waitFor, withMember, write } from './decisions.ts'
import type { Action, Decision, Facts } from './facts.ts'
import { type Heard, type Seen, inPrimary, isHeardNow, readyOnes } from './sight.ts'

/** Null when nobody waits to be let in. */
export const admit = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology, verbs } = facts
  const next = seen.find(wantsIn)
  if (next === undefined || !isHeardNow(next)) return null
  const busy = seen.find((each) => isComing(each))
  if (topology.joinsOneByOne && busy) return waitFor(`${next.id} joins after ${busy.id}`)
  // Who votes is changed one by one: who is gone is taken out before somebody new is taken in.
  const leaving = seen.find(({ member }) => member.leaving)
  if (topology.recovers === 'itself' && next.member.volume === null && leaving !== undefined) {
    return waitFor(`${next.id} joins when ${leaving.id} has left`)
  }
  const ready = readyOnes(seen)
  const voters = seen.filter(({ member }) => member.volume !== null)
  const inside = ready.find(({ id }) => id === ledger.writer) ?? ready[0]
  if (
    (inside === undefined && topology.outside !== true) ||
    (topology.recovers === 'itself' && ready.length * 2 <= voters.length)
  ) {
    return waitFor(`${next.id} joins when the others are ready`)
  }
  const before: Action[] =
    verbs.has('add') && inside
      ? [{ do: 'verb', verb: 'add', inside: inside.id, member: next.id }]
      : []
  return write(
    withMember(ledger, next.id, { admitted: next.report.volume }),
    `${next.id} is let in`,
    { before },
  )
}

const isBare = ({ report }: Heard): boolean => report.data === 'empty' || report.data === 'none'

const wantsIn = (seen: Seen): boolean =>
  isHeardNow(seen) &&
  !seen.member.leaving &&
  seen.report.process === 'gate' &&
  isBare(seen) &&
  seen.report.volume !== null &&
  seen.report.volume !== seen.member.volume &&
  seen.report.volume !== seen.member.admitted &&
  seen.report.volume !== seen.member.discarded

/** It has been let in, or receives state. */
const isComing = (seen: Seen): boolean =>
  isHeardNow(seen) &&
  !seen.member.leaving &&
  ((seen.member.admitted !== null &&
    seen.member.admitted === seen.report.volume &&
    !inPrimary(seen.report)) ||
    (seen.report.process === 'running' && seen.report.status?.role === 'joining'))

/** Tells the others of a member that has caught up. */
export const settle = ({ verbs }: Facts, seen: readonly Seen[]): Decision | null => {
  const joining = seen.find(
    (each) =>
      isHeardNow(each) &&
      each.report.process === 'running' &&
      each.report.status?.role === 'joining',
  )
  const inside = readyOnes(seen)[0]
  if (joining === undefined || inside === undefined || !verbs.has('settle')) return null
  return act(
    [{ do: 'verb', verb: 'settle', inside: inside.id, member: joining.id }],
    `${joining.id} catches up`,
  )
}
