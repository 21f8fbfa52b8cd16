import type { NodeRecord, ServiceRecord, TaskRecord } from '../records.ts'
import { isWanted } from '../states.ts'
import { meetsConstraints } from './constraints.ts'
import { type Control, isInvalid } from './context.ts'
import type { Restarts } from './restarts.ts'
import { createTask, groupBy } from './tasks.ts'
import type { Updates } from './updates.ts'

/** Gives a global service one task on every host that fits. */
export const reconcileGlobal = (
  control: Control,
  { restarts, updates }: { restarts: Restarts; updates: Updates },
  service: ServiceRecord,
): void => {
  const { store } = control
  const onNode = groupBy(
    store.tasksOf(service.id).filter(({ desired }) => desired !== 'remove'),
    ({ nodeId }) => nodeId,
  )
  const slots: TaskRecord[][] = []
  for (const node of store.all('node')) {
    const tasks = onNode.get(node.id) ?? []
    onNode.delete(node.id)
    if (isInvalid(node) || !fits(service, node)) {
      shutDown(control, tasks)
      continue
    }
    if (node.spec.Availability === 'pause') continue
    const updatable = restarts.updatable(service, tasks)
    if (updatable.length > 0) slots.push(updatable)
    else createTask(control, service, { slot: 0, nodeId: node.id })
  }
  // Tasks of hosts that have left.
  for (const tasks of onNode.values()) shutDown(control, tasks)
  updates.update(service, slots)
}

const fits = ({ spec }: ServiceRecord, node: NodeRecord): boolean =>
  meetsConstraints(spec.TaskTemplate?.Placement?.Constraints ?? [], node)

const shutDown = ({ store }: Control, tasks: TaskRecord[]): void => {
  for (const { id, desired } of tasks) {
    if (isWanted(desired)) store.update('task', id, { desired: 'shutdown' })
  }
}

/** What ended by itself on a host that is still good is made again there. */
export const restartGlobal = (
  { store }: Control,
  restarts: Restarts,
  service: ServiceRecord,
): void => {
  for (const task of store.tasksOf(service.id)) {
    if (!isWanted(task.desired) || task.nodeId === undefined) continue
    const node = store.get('node', task.nodeId)
    if (node === undefined || isInvalid(node)) continue
    if (!['complete', 'shutdown', 'failed', 'rejected'].includes(task.status.state)) continue
    if (node.spec.Availability === 'pause' || !fits(service, node)) {
      store.update('task', task.id, { desired: 'shutdown' })
    } else restarts.restart(service, task)
  }
}
