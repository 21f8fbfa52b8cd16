/** What the ledger remembers of a cluster that runs. */
import { type Ledger, same } from '../catalog/index.ts'
import { withMember, write } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import { commonPosition, unreleased } from './grants.ts'
import { comparePositions } from './position.ts'
import { type Heard, type Seen, inPrimary, isHeardNow, primaries, readyOnes } from './sight.ts'
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

/** It has joined; or its data are not what it had joined with. */
const recordMember = (ledger: Ledger, { id, member, report }: Heard): Ledger => {
  const { volume, data, process } = report
  if (volume === null || volume === member.discarded) return ledger
  if (volume === member.admitted && inPrimary(report)) {
    return withMember(ledger, id, { volume, admitted: null, discarded: null })
  }
  if (process === 'running' || data === 'unknown' || data === 'foreign') return ledger
  const bare = data === 'empty' || data === 'none'
  if (volume === member.volume && data === 'good') return ledger
  if (volume === member.admitted && (bare || data === 'good')) return ledger
  if (bare && volume !== member.volume) {
    return member.volume === null ? ledger : withMember(ledger, id, { volume: null })
  }
  // Joined with this folder, and its data are gone or broken; or a folder of another life.
  return withMember(ledger, id, { volume: null, admitted: null, discarded: volume })
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
  { now }: Facts,
  { ledger, seen }: { ledger: Ledger; seen: readonly Seen[] },
): Ledger => {
  const { highWater } = ledger
  if (highWater !== null && now - highWater.at < MEMBER_TUNABLES.highWater) return ledger
  const position = commonPosition(readyOnes(seen))
  if (position === null) return ledger
  const advanced =
    highWater === null ||
    highWater.history !== position.history ||
    comparePositions(highWater, position) < 0
  return advanced ? { ...ledger, highWater: { ...position, at: now } } : ledger
}
