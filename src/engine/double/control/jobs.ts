import type { ServiceRecord, TaskRecord } from '../records.ts'
import { compareStates, hasEnded } from '../states.ts'
import { meetsConstraints } from './constraints.ts'
import { type Control, isInvalid } from './context.ts'
import type { Restarts } from './restarts.ts'
import type { ServiceMode } from './service-mode.ts'
import { createTask } from './tasks.ts'

type JobMode = Extract<ServiceMode, { kind: 'replicated-job' | 'global-job' }>

/** Runs what a job still lacks, and restarts what failed. */
export const reconcileJob = (
  control: Control,
  restarts: Restarts,
  { service, mode }: { service: ServiceRecord; mode: JobMode },
): void => {
  const { store } = control
  const iteration = service.job?.iteration ?? 0
  const current: TaskRecord[] = []
  for (const task of store.tasksOf(service.id)) {
    if (task.jobIteration === iteration) current.push(task)
    else if (!hasEnded(task.status.state) && task.desired !== 'remove') {
      store.update('task', task.id, { desired: 'remove' })
    }
  }
  for (const task of current) {
    if (compareStates(task.desired, 'complete') > 0) continue
    const node = task.nodeId === undefined ? undefined : store.get('node', task.nodeId)
    const stranded = task.nodeId !== undefined && isInvalid(node)
    const failed = compareStates(task.status.state, 'complete') > 0
    const done = task.status.state === 'complete'
    if (failed || (stranded && !done)) restarts.restart(service, task)
  }
  const done = current.filter(({ status }) => status.state === 'complete')
  const active = store
    .tasksOf(service.id)
    .filter(
      (task) =>
        task.jobIteration === iteration &&
        task.status.state !== 'complete' &&
        compareStates(task.desired, 'complete') <= 0,
    )
  const make = (where: { slot: number; nodeId?: string }) =>
    createTask(control, service, { ...where, desired: 'complete', jobIteration: iteration })
  if (mode.kind === 'global-job') {
    const placed = new Set([...done, ...active].map(({ nodeId }) => nodeId))
    const constraints = service.spec.TaskTemplate?.Placement?.Constraints ?? []
    for (const node of store.all('node')) {
      const fits = !isInvalid(node) && node.spec.Availability === 'active'
      if (fits && !placed.has(node.id) && meetsConstraints(constraints, node)) {
        make({ slot: 0, nodeId: node.id })
      }
    }
    return
  }
  const lacking = Math.min(
    mode.concurrent - active.length,
    mode.completions - done.length - active.length,
  )
  const used = new Set([...done, ...active].map(({ slot }) => slot))
  for (let slot = 0, left = lacking; left > 0; slot++) {
    if (used.has(slot)) continue
    make({ slot })
    left -= 1
  }
}
