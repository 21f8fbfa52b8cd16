/** Stopping all members on purpose: one after another, whoever takes the writes last. */
import { act, waitFor, write } from './decisions.ts'
import type { Action, Decision, Facts } from './facts.ts'
import { type Seen, byNumber, isHeardNow, listText, primaries } from './sight.ts'

/** Null when members are wanted. */
export const windDown = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { wanted, ledger, services, topology } = facts
  if (wanted !== null && wanted > 0) return null
  const on = services.filter(({ running }) => running)
  const stop = (of: readonly { member: string }[]): Action[] =>
    of.map(({ member }) => ({ do: 'stop', member }))
  const live = primaries(seen)
  if (on.length === 0) return stopped(facts, seen)
  const idle = on.filter(({ member }) => !live.some(({ id }) => id === member))
  if (idle.length > 0) {
    return act(stop(idle), `${idle.map(({ member }) => member).join(', ')} stop`)
  }
  const stopping = services.find(({ updating, running }) => updating && !running)
  const busy = seen.find(
    (each) =>
      isHeardNow(each) &&
      each.report.process === 'running' &&
      !on.some(({ member }) => member === each.id),
  )
  if (stopping || busy) return waitFor(`${stopping?.member ?? busy?.id ?? ''} stops`)
  if (on.length > 1) {
    const [next] = live.filter(({ id }) => id !== ledger.writer).sort((a, b) => byNumber(b, a))
    const last = next ?? live[0]
    return last ? act([{ do: 'stop', member: last.id }], `${last.id} stops`) : waitFor('stopping')
  }
  const last = live[0]
  // Written while it runs and all others are at rest: then nobody can have gone on after it.
  const others = seen.filter(({ id }) => id !== last?.id)
  const certain = others.every((each) => isHeardNow(each) && each.report.process !== 'running')
  // Members outside may go on after it.
  const final = topology.recovers === 'elect' && topology.outside !== true
  if (last && certain && final && ledger.cleanStop?.last !== last.id) {
    const cleanStop = { at: facts.now, last: last.id }
    return write(
      { ...ledger, cleanStop, writer: topology.writer ? last.id : null },
      `${last.id} stops last`,
    )
  }
  return act(stop(on), `${last?.id ?? ''} stops, the last`)
}

const stopped = ({ wanted, services }: Facts, seen: readonly Seen[]): Decision => {
  const busy = seen.filter((each) => isHeardNow(each) && each.report.process === 'running')
  if (busy.length > 0) return waitFor(`${listText(busy)} stops`)
  if (wanted === null && services.length > 0) {
    return act(
      services.map(({ member }) => ({ do: 'remove', member })),
      'all members have stopped',
    )
  }
  return waitFor('all members have stopped')
}

/** Members are wanted again: whoever stopped last is not the last any more once others start. */
export const resume = ({ ledger, wanted }: Facts, seen: readonly Seen[]): Decision | null =>
  ledger.cleanStop !== null && (wanted ?? 0) > 0 && primaries(seen).length > 0
    ? write({ ...ledger, cleanStop: null }, 'members are wanted again')
    : null
