import type { TaskRecord } from '../records.ts'
import { hasEnded } from '../states.ts'
import { giveBack } from './allocator.ts'
import type { Control } from './context.ts'
import { groupBy } from './tasks.ts'

const DEFAULT_RETENTION = 5

/** Forgets tasks that are over: those meant to be removed, and the oldest of each slot. */
export const reap = ({ store }: Control): void => {
  const cluster = store.all('cluster')[0]
  const keep = cluster?.spec.Orchestration?.TaskHistoryRetentionLimit ?? DEFAULT_RETENTION
  const remove = (task: TaskRecord) => {
    store.remove('task', task.id)
    giveBack(store, task.attachments)
  }
  const kept: TaskRecord[] = []
  for (const task of store.all('task')) {
    const { state } = task.status
    const gone = task.desired === 'remove' && (hasEnded(state) || state === 'new')
    if (gone || state === 'orphaned') remove(task)
    else kept.push(task)
  }
  const slotOf = ({ serviceId, slot, nodeId }: TaskRecord) =>
    `${serviceId} ${slot === 0 ? nodeId : slot}`
  for (const slot of groupBy(kept, slotOf).values()) {
    const ended = slot
      .filter(({ status, jobIteration }) => hasEnded(status.state) && jobIteration === undefined)
      .toSorted((a, b) => a.status.at - b.status.at)
    for (const task of ended.slice(0, Math.max(0, slot.length - keep))) remove(task)
  }
}
