/** Bringing members up to date, one by one, whoever takes the writes last. */
import { act, waitFor } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import {
  type Seen,
  byNumber,
  inPrimary,
  isHeardNow,
  isLost,
  listText,
  lostText,
  readyOnes,
} from './sight.ts'
import { bestWriter, moveWriter } from './writer.ts'

/** Null when all members are as their file says. */
export const rollingUpdate = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, services, topology } = facts
  const outdated = seen
    .filter(({ id, member }) => {
      const service = services.find((each) => each.member === id)
      return !member.leaving && service !== undefined && !service.current
    })
    .sort(byNumber)
  if (outdated.length === 0 || seen.some(({ member }) => member.leaving)) return null
  const moving = services.find(({ updating }) => updating)
  if (moving) return waitFor(`${moving.member} is being changed`)
  const ready = readyOnes(seen)
  const notReady = seen.filter(
    ({ id, member }) => !member.leaving && !ready.some((each) => each.id === id),
  )
  // One that does not work loses nothing, and the change may be its cure.
  const broken = outdated.find(
    (each) =>
      notReady.some(({ id }) => id === each.id) &&
      isHeardNow(each) &&
      // A member of the cluster that is not ready for a moment is not broken.
      !inPrimary(each.report) &&
      each.report.status?.role !== 'joining',
  )
  if (broken)
    return act([{ do: 'update', member: broken.id }], `${broken.id} is brought up to date`)
  const lost = notReady.filter(isLost)
  // With one more away the others have to be most of the cluster still.
  const spare = lost.length === 0 || (ready.length - 1) * 2 > ready.length + lost.length
  if (notReady.length > lost.length || !spare) {
    const why = `the update goes on when ${listText(notReady)} is ready`
    return waitFor([why, ...lostText(lost)].join('; '))
  }
  const donor = ready.find(({ report }) => report.status?.role === 'donor')
  if (donor) return waitFor(`the update goes on when ${donor.id} has given its state`)
  const here = outdated.filter((each) => !isLost(each))
  const reader = [...here].reverse().find(({ id }) => id !== ledger.writer)
  if (reader)
    return act([{ do: 'update', member: reader.id }], `${reader.id} is brought up to date`)
  const [writer] = here
  if (writer === undefined) return waitFor(lostText(lost).join('; '))
  const heir = topology.writer ? bestWriter(facts, ready) : undefined
  if (heir) {
    const from = isHeardNow(writer) ? writer : undefined
    return moveWriter(facts, heir, { from, why: `${writer.id} is to be brought up to date` })
  }
  return act([{ do: 'update', member: writer.id }], `${writer.id} is brought up to date`)
}

/** Of a cluster that does not run, all members at once: nobody is disturbed by that. */
export const updateAtRest = ({ services }: Facts, seen: readonly Seen[]): Decision | null => {
  const outdated = services.filter(
    ({ member, current, updating }) =>
      !current &&
      !updating &&
      seen.some(
        (each) => each.id === member && isHeardNow(each) && each.report.process !== 'running',
      ),
  )
  if (outdated.length === 0) return null
  return act(
    outdated.map(({ member }) => ({ do: 'update' as const, member })),
    'members that do not run are brought up to date',
  )
}
