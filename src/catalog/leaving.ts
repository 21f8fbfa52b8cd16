/** Which endpoints Swarm has decided to stop. Pure. */
import type { EndpointId } from './model.ts'

/** What Swarm says of one task. */
export interface TaskFate {
  id: EndpointId
  /** Swarm's desired state: `running`, `complete`, `shutdown`, `remove`, ... */
  desired: string
  /** Its state: `running`, `failed`, ... */
  state: string
}

/** Desired states in which a task goes on. */
const KEPT = new Set(['new', 'pending', 'assigned', 'ready', 'running', 'complete'])
/** States from which a task does not come back. */
const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'])

/** Swarm is about to send SIGTERM to this task, or has. */
export const isLeaving = (task: TaskFate): boolean => !KEPT.has(task.desired)

/** Nothing of this task runs any more, says its host. */
export const hasEnded = (task: TaskFate): boolean => ENDED.has(task.state)

/** Something about this task has still to happen: it is worth looking again soon. */
export const isMoving = (task: TaskFate): boolean =>
  !hasEnded(task) && (isLeaving(task) || (task.desired === 'running' && task.state !== 'running'))
