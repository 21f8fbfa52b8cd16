import type { ServiceRecord, TaskRecord } from '../records.ts'
import type { Control } from './context.ts'
import type { Restarts } from './restarts.ts'
import { createTask, groupBy } from './tasks.ts'
import type { Updates } from './updates.ts'

/** Gives a replicated service as many slots as it wants. */
export const reconcileReplicated = (
  control: Control,
  { restarts, updates }: { restarts: Restarts; updates: Updates },
  { service, replicas }: { service: ServiceRecord; replicas: number },
): void => {
  const { store } = control
  const tasks = store.tasksOf(service.id).filter(({ desired }) => desired !== 'remove')
  const live = new Map<number, TaskRecord[]>()
  const dead = new Map<number, TaskRecord[]>()
  for (const [slot, group] of groupBy(tasks, (task) => task.slot)) {
    const updatable = restarts.updatable(service, group)
    if (updatable.length > 0) live.set(slot, updatable)
    else dead.set(slot, group)
  }
  const slots = bySlotsToKeep([...live.values()])
  const removed = slots.slice(replicas)
  updates.update(service, slots.slice(0, replicas))
  for (let slot = 1, missing = replicas - live.size; missing > 0; slot++) {
    if (live.has(slot)) continue
    dead.delete(slot)
    createTask(control, service, { slot })
    missing -= 1
  }
  for (const { id } of [...removed.flat(), ...[...dead.values()].flat()]) {
    store.update('task', id, { desired: 'remove' })
  }
}

/**
 * Slots in the order in which they are kept when the service shrinks: running ones before others,
 * then one per host before the second of any host, then low slot numbers.
 */
const bySlotsToKeep = (slots: TaskRecord[][]): TaskRecord[][] => {
  const isRunning = (slot: TaskRecord[]) => slot.some(({ status }) => status.state === 'running')
  const sorted = slots.toSorted(
    (a, b) => Number(isRunning(b)) - Number(isRunning(a)) || (a[0]?.slot ?? 0) - (b[0]?.slot ?? 0),
  )
  const onHost = new Map<string, number>()
  const ranked = sorted.map((slot) => {
    const nodeId = slot.length === 1 ? slot[0]?.nodeId : undefined
    if (nodeId === undefined) return { slot, rank: Infinity }
    const rank = (onHost.get(nodeId) ?? 0) + 1
    onHost.set(nodeId, rank)
    return { slot, rank }
  })
  return ranked
    .toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
    .map(({ slot }) => slot)
}
