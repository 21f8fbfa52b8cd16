import type { TaskState } from '../types.ts'

/** A task's states in the order it goes through them; it never goes back. */
const ORDER: readonly TaskState[] = [
  'new',
  'allocated',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'remove',
  'orphaned',
]

const RANK = new Map(ORDER.map((state, index) => [state, index]))

const rank = (state: TaskState): number => RANK.get(state) ?? -1

/** Negative if `a` comes before `b`. */
export const compareStates = (a: TaskState, b: TaskState): number => rank(a) - rank(b)

/** Whether a task in this observed state has ended for good. */
export const hasEnded = (state: TaskState): boolean => compareStates(state, 'running') > 0

/** Whether a task with this desired state is still wanted. */
export const isWanted = (desired: TaskState): boolean => compareStates(desired, 'running') <= 0
