/** What the clients of registers were told, and what the members hold. Pure. */
import type { Violation } from '../workload.ts'
import type { Attempt } from './clients.ts'
import { judge, type Value } from './linearizable.ts'

/** Calls around an impossible one that are shown. */
const SHOWN = 12

/** Every register for which no order of its operations explains all answers. */
export const judgeAll = (attempts: readonly Attempt[]): Violation[] => {
  const registers = Map.groupBy(attempts, ({ register }) => register)
  return [...registers].flatMap(([register, all]) => {
    // What did not happen says nothing.
    const calls = all.filter(({ outcome }) => outcome !== 'no')
    const { impossible, possible } = judge(calls, null)
    if (impossible === null) return []
    const call = calls[impossible]
    const near = calls
      .filter(({ end }) => end !== null && end <= (call?.end ?? 0))
      .sort((a, b) => (a.end ?? 0) - (b.end ?? 0))
      .slice(-SHOWN)
    return [
      {
        what: `register ${register} is none: an acknowledged write is lost, or an answer is stale`,
        evidence: `${JSON.stringify(call)} where it could hold ${possible.map(text).join(' or ')}; before: ${near
          .map((each) => JSON.stringify(each))
          .join(' ')}`,
      },
    ]
  })
}

const text = (value: Value): string => value ?? 'nothing'

/** What one member says. */
export interface Standing {
  member: string
  /** `NAME started false` for each, by name. */
  voters: readonly string[]
  /** Over all that it holds. */
  sum: string
  /** For people. */
  registers: string
}

/** All hold the same, and each is a voter for all of them; nobody else is. */
export const membership = (standings: readonly Standing[]): Violation[] => {
  const shown = standings
    .map(
      ({ member, sum, voters, registers }) =>
        `${member}: ${sum} (${registers.trim()}) ${voters.join(', ')}`,
    )
    .join('; ')
  const same = new Set(standings.map(({ sum }) => sum)).size <= 1
  const whole = standings.every(
    ({ voters }) =>
      voters.length === standings.length && voters.every((each) => each.endsWith(' started false')),
  )
  const alike = new Set(standings.map(({ voters }) => voters.join())).size <= 1
  return [
    ...(same ? [] : [{ what: 'members hold different values', evidence: shown }]),
    ...(whole && alike ? [] : [{ what: 'not one cluster of all members', evidence: shown }]),
  ]
}
