/** Rolling updates (swarmkit's updater): slot by slot, watching what the new tasks do. */
import { isDeepStrictEqual } from 'node:util'
import type { ServiceSpec, UpdateStatus } from '../../types.ts'
import type { ServiceRecord, TaskRecord } from '../records.ts'
import { compareStates, hasEnded, isWanted } from '../states.ts'
import type { Control } from './context.ts'
import type { Restarts } from './restarts.ts'
import { modeOf } from './service-mode.ts'
import { createTask, isDirty } from './tasks.ts'

type UpdateConfig = NonNullable<ServiceSpec['UpdateConfig']>

/** Of a service that says nothing about updates. */
const DEFAULT_CONFIG: UpdateConfig = { Parallelism: 1 }
const DEFAULT_MONITOR_MS = 5_000

export class Updates {
  readonly #control: Control
  readonly #restarts: Restarts
  readonly #running = new Map<string, { spec: ServiceSpec; stop: AbortController }>()

  constructor(control: Control, restarts: Restarts) {
    this.#control = control
    this.#restarts = restarts
  }

  /** Brings slots (groups of tasks) in line with their service, replacing any update before. */
  update(service: ServiceRecord, slots: TaskRecord[][]): void {
    const running = this.#running.get(service.id)
    if (running !== undefined) {
      if (isDeepStrictEqual(running.spec, service.spec)) return
      running.stop.abort()
    }
    const entry = { spec: service.spec, stop: new AbortController() }
    this.#running.set(service.id, entry)
    const { clock, signal: term } = this.#control
    const signal = AbortSignal.any([term, entry.stop.signal])
    const control = { ...this.#control, signal }
    clock.spawn(signal, async () => {
      try {
        await runUpdate(control, this.#restarts, { service, slots })
      } finally {
        if (this.#running.get(service.id) === entry) this.#running.delete(service.id)
      }
    })
  }

  /** The service is gone. */
  cancel(serviceId: string): void {
    this.#running.get(serviceId)?.stop.abort()
    this.#running.delete(serviceId)
  }
}

const isSlotDirty = (service: ServiceRecord, slot: TaskRecord[]) =>
  slot.length > 1 || (slot[0] !== undefined && isDirty(service, slot[0]))

const runUpdate = async (
  control: Control,
  restarts: Restarts,
  { service, slots }: { service: ServiceRecord; slots: TaskRecord[][] },
): Promise<void> => {
  const status = service.updateStatus?.State
  if (status === 'paused' || status === 'rollback_paused') return
  const dirty = slots.filter((slot) => isSlotDirty(service, slot))
  if (dirty.length === 0) {
    if (status === 'updating' || status === 'rollback_started') complete(control, service.id)
    return
  }
  if (status === undefined) {
    setStatus(control, service.id, { State: 'updating', Message: 'update in progress' })
  }
  const rollingBack = status === 'rollback_started'
  const { spec } = service
  const config = (rollingBack ? spec.RollbackConfig : spec.UpdateConfig) ?? DEFAULT_CONFIG
  const failures = new FailureWatch(control, { service, config, rollingBack, slots: dirty.length })
  try {
    const queue = [...dirty]
    const worker = async () => {
      for (;;) {
        const slot = failures.acted ? undefined : queue.shift()
        if (slot === undefined) return
        await updateSlot(control, restarts, { service, slot, config, failures })
        const delayMs = (config.Delay ?? 0) / 1e6
        if (delayMs > 0) await control.clock.sleep(delayMs, control.signal)
      }
    }
    const workers = Math.min(config.Parallelism || dirty.length, dirty.length)
    await Promise.all(Array.from({ length: workers }, worker))
    if (!failures.acted) await control.clock.sleep(failures.monitorMs, control.signal)
    if (!failures.acted) complete(control, service.id)
  } finally {
    failures[Symbol.dispose]()
  }
}

interface WatchedUpdate {
  service: ServiceRecord
  config: UpdateConfig
  rollingBack: boolean
  /** How many slots it changes. */
  slots: number
}

/** Counts the new tasks that end too early, and takes the failure action when they are too many. */
class FailureWatch implements Disposable {
  readonly #control: Control
  readonly #update: WatchedUpdate
  readonly #unsubscribe: () => void
  /** Tasks of this update; the time they came up, once they have. */
  readonly #startedAt = new Map<string, number | undefined>()
  readonly #failed = new Set<string>()
  readonly monitorMs: number
  acted = false

  constructor(control: Control, update: WatchedUpdate) {
    this.#control = control
    this.#update = update
    this.monitorMs = (update.config.Monitor ?? 0) / 1e6 || DEFAULT_MONITOR_MS
    this.#unsubscribe = control.store.subscribe((change) => {
      if (change.kind === 'task' && hasEnded(change.after.status.state)) this.#look(change.after.id)
    })
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  expect(taskId: string): void {
    this.#startedAt.set(taskId, undefined)
  }

  started(taskId: string): void {
    this.#startedAt.set(taskId, this.#control.clock.now())
  }

  #look(taskId: string): void {
    const { config, slots } = this.#update
    if (this.acted || config.FailureAction === 'continue') return
    if (this.#failed.has(taskId) || !this.#startedAt.has(taskId)) return
    const startedAt = this.#startedAt.get(taskId)
    const age = startedAt === undefined ? 0 : this.#control.clock.now() - startedAt
    if (age > this.monitorMs) return
    this.#failed.add(taskId)
    if (this.#failed.size / slots <= (config.MaxFailureRatio ?? 0)) return
    this.acted = true
    this.#act(taskId)
  }

  #act(taskId: string): void {
    const { service, config, rollingBack } = this.#update
    const why = `due to failure or early termination of task ${taskId}`
    if (rollingBack) {
      const Message = `rollback paused ${why}`
      setStatus(this.#control, service.id, { State: 'rollback_paused', Message })
    } else if (config.FailureAction === 'rollback') {
      rollBack(this.#control, service.id, `update rolled back ${why}`)
    } else {
      const Message = `update paused ${why}`
      setStatus(this.#control, service.id, { State: 'paused', Message })
    }
  }
}

const updateSlot = async (
  control: Control,
  restarts: Restarts,
  how: {
    service: ServiceRecord
    slot: TaskRecord[]
    config: UpdateConfig
    failures: FailureWatch
  },
): Promise<void> => {
  const { service, slot, config, failures } = how
  const { store, signal } = control
  const clean = slot.filter((task) => !isDirty(service, task) && isWanted(task.desired))
  const keep = clean.find(({ desired }) => desired === 'running') ?? clean[0]
  if (keep !== undefined) {
    const old = shutDown(
      control,
      slot.filter(({ id }) => id !== keep.id),
    )
    if (keep.desired !== 'running') await restarts.delayStart(keep.id, { delayMs: 0, after: old })
    return
  }
  const first = slot[0]
  if (first === undefined || store.get('service', service.id) === undefined) return
  const isGlobal = modeOf(service.spec).kind === 'global'
  const task = createTask(control, service, {
    slot: first.slot,
    nodeId: isGlobal ? first.nodeId : undefined,
    desired: 'ready',
  })
  failures.expect(task.id)
  const startFirst = config.Order === 'start-first'
  const old = startFirst ? undefined : shutDown(control, slot)
  await restarts.delayStart(task.id, { delayMs: 0, after: old })
  const now = () => store.get('task', task.id)
  await store.when(() => {
    const state = now()?.status.state
    return state === undefined || compareStates(state, 'running') >= 0
  }, signal)
  failures.started(task.id)
  if (startFirst && now()?.status.state === 'running') shutDown(control, slot)
}

/** Gives tasks up; returns one of those that were still wanted. */
const shutDown = ({ store }: Control, tasks: TaskRecord[]): TaskRecord | undefined => {
  let last: TaskRecord | undefined
  for (const { id } of tasks) {
    const task = store.get('task', id)
    if (task === undefined || !isWanted(task.desired)) continue
    store.update('task', id, { desired: 'shutdown' })
    last = task
  }
  return last
}

const setStatus = ({ store, clock }: Control, serviceId: string, status: UpdateStatus): void => {
  const service = store.get('service', serviceId)
  if (service === undefined) return
  const at = new Date(clock.wall()).toISOString()
  store.update('service', serviceId, {
    updateStatus: { StartedAt: at, ...service.updateStatus, ...status },
  })
}

const complete = (control: Control, serviceId: string): void => {
  const rolledBack =
    control.store.get('service', serviceId)?.updateStatus?.State === 'rollback_started'
  setStatus(control, serviceId, {
    State: rolledBack ? 'rollback_completed' : 'completed',
    Message: rolledBack ? 'rollback completed' : 'update completed',
    CompletedAt: new Date(control.clock.wall()).toISOString(),
  })
}

const rollBack = (control: Control, serviceId: string, Message: string): void => {
  const service = control.store.get('service', serviceId)
  if (service?.previous === undefined) return
  setStatus(control, serviceId, { State: 'rollback_started', Message })
  const { spec, specVersion } = service.previous
  control.store.update('service', serviceId, { spec, specVersion, previous: undefined })
}
