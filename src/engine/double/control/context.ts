import type { ManualClock } from '../manual-clock.ts'
import type { Random } from '../random.ts'
import type { NodeRecord } from '../records.ts'
import type { Store } from '../store.ts'
import type { Timing } from '../timing.ts'

/** What the leader's control loops work with, for one term of leadership. */
export interface Control {
  store: Store
  clock: ManualClock
  random: Random
  timing: Timing
  /** Aborted when the term ends. */
  signal: AbortSignal
}

/** Whether a host's tasks must go elsewhere. */
export const isInvalid = (node: NodeRecord | undefined): boolean =>
  node === undefined || node.state === 'down' || node.spec.Availability === 'drain'
