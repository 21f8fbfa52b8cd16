/** The control loops of the Raft leader, for one term. */
import type { ServiceRecord } from '../records.ts'
import { isWanted } from '../states.ts'
import type { Change } from '../store.ts'
import { allocate } from './allocator.ts'
import type { Control } from './context.ts'
import { enforceConstraints } from './enforcer.ts'
import { reconcileGlobal, restartGlobal } from './global.ts'
import { reconcileJob } from './jobs.ts'
import { reap } from './reaper.ts'
import { reconcileReplicated } from './replicated.ts'
import { restartEnded, Restarts } from './restarts.ts'
import { schedule } from './scheduler.ts'
import { modeOf } from './service-mode.ts'
import { Updates } from './updates.ts'

/**
 * Starts them: a full pass, then a pass for what changed, a moment after each change. Everything
 * they know is in the store, so that the next leader can begin where this one ended.
 */
export const lead = (control: Control): void => {
  const { store, clock, timing, signal } = control
  const restarts = new Restarts(control)
  const updates = new Updates(control, restarts)
  /** Services whose tasks changed, and those that themselves or whose hosts changed. */
  const restless = new Set<string>()
  const changed = new Set(store.all('service').map(({ id }) => id))
  let scheduled = false

  const pass = () => {
    scheduled = false
    if (signal.aborted) return
    enforceConstraints(control)
    const toReconcile = new Set(changed)
    const toRestart = new Set([...restless, ...changed])
    changed.clear()
    restless.clear()
    for (const id of toRestart) {
      const service = store.get('service', id)
      if (service === undefined) removeTasks(control, updates, id)
      else restart(control, restarts, service)
    }
    for (const id of toReconcile) {
      const service = store.get('service', id)
      if (service !== undefined) reconcile(control, { restarts, updates }, service)
    }
    allocate(control)
    schedule(control)
    reap(control)
  }
  const wake = () => {
    if (scheduled) return
    scheduled = true
    clock.at(timing.commitMs, pass)
  }
  const listen = (change: Change) => {
    if (change.kind === 'service') changed.add(change.after.id)
    if (change.kind === 'task') {
      restless.add(change.after.serviceId)
      // Rolling updates begin with a change of the service only, so a task that merely changes
      // must not count as one.
      const lost = change.action === 'remove' && isWanted(change.after.desired)
      if (lost) changed.add(change.after.serviceId)
    }
    if (change.kind === 'node') for (const { id } of store.all('service')) changed.add(id)
    if (change.kind !== 'network' || change.action === 'create') wake()
  }
  signal.addEventListener('abort', store.subscribe(listen), { once: true })
  wake()
}

/** Tasks that ended, or whose host is gone. */
const restart = (control: Control, restarts: Restarts, service: ServiceRecord): void => {
  const mode = modeOf(service.spec)
  if (mode.kind === 'replicated') restartEnded(control, restarts, service)
  else if (mode.kind === 'global') restartGlobal(control, restarts, service)
  else reconcileJob(control, restarts, { service, mode })
}

/** Number and version of tasks. */
const reconcile = (
  control: Control,
  loops: { restarts: Restarts; updates: Updates },
  service: ServiceRecord,
): void => {
  const mode = modeOf(service.spec)
  if (mode.kind === 'replicated') {
    reconcileReplicated(control, loops, { service, replicas: mode.replicas })
  } else if (mode.kind === 'global') reconcileGlobal(control, loops, service)
}

const removeTasks = ({ store }: Control, updates: Updates, serviceId: string): void => {
  updates.cancel(serviceId)
  for (const { id, desired, jobIteration } of store.tasksOf(serviceId)) {
    // Docker 20.10 forgets the tasks of a removed job: they run on, and stay listed.
    if (jobIteration !== undefined) continue
    if (desired !== 'remove') store.update('task', id, { desired: 'remove' })
  }
}
