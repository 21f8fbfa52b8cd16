/** What the ledger remembers of a cluster that runs. */
import { type Ledger, same } from '../catalog/index.ts'
import { withMember, write } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import { commonPosition, unreleased } from './grants.ts'
import { comparePositions } from './position.ts'
import {
  type Heard,
  type Seen,
  inPrimary,
  isHeardNow,
  isRecognised,
  primaries,
  readyOnes,
} from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

/** Writes down what has changed; null when the ledger is true. */
export const record = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger } = facts
  let next = ledger
  for (const each of seen) if (isHeardNow(each)) next = recordMember(next, each)
  next = recordView(next, seen)
  next = recordHighWater(facts, { ledger: next, seen })
  if (next.grant !== null && unreleased(next.grant, seen).length === 0) {
    next = { ...next, grant: null }
  }
  if (next.cleanStop !== null) next = { ...next, cleanStop: null }
  return same(next, ledger) ? null : write(next, 'what has changed is written down')
}

/**
 * It has joined; or it holds data under an identity that is not, or no longer, a member's. Reports may
 * be late, and so nothing is given up here that the ledger knows: a folder whose data are gone is for
 * its own agent to see.
 */
const recordMember = (ledger: Ledger, { id, member, report }: Heard): Ledger => {
  const { volume, data, process } = report
  if (volume === null || volume === member.discarded) return ledger
  if (volume === member.admitted && inPrimary(report)) {
    return withMember(ledger, id, { volume, admitted: null, discarded: null })
  }
  const stray = process !== 'running' && data === 'good' && !isRecognised(member, report)
  return stray ? withMember(ledger, id, { discarded: volume }) : ledger
}

/** A member that is not heard keeps its place until it is seen elsewhere. */
const recordView = (ledger: Ledger, seen: readonly Seen[]): Ledger => {
  const live = new Set(primaries(seen).map(({ id }) => id))
  const view = seen
    .filter(({ id, heard }) => live.has(id) || (!heard && ledger.view.includes(id)))
    .map(({ id }) => id)
  return same([...view].sort(), [...ledger.view].sort()) ? ledger : { ...ledger, view }
}

const recordHighWater = (
  { now, markedFor }: Facts,
  { ledger, seen }: { ledger: Ledger; seen: readonly Seen[] },
): Ledger => {
  const { highWater } = ledger
  if (highWater !== null && markedFor < MEMBER_TUNABLES.highWater) return ledger
  const position = commonPosition(readyOnes(seen))
  if (position === null) return ledger
  const advanced =
    highWater === null ||
    highWater.history !== position.history ||
    comparePositions(highWater, position) < 0
  return advanced ? { ...ledger, highWater: { ...position, at: now } } : ledger
}
