/** Replaces tasks that ended, by the service's restart policy (swarmkit's restart supervisor). */
import type { ServiceRecord, TaskRecord } from '../records.ts'
import { hasEnded, isWanted } from '../states.ts'
import { type Control, isInvalid } from './context.ts'
import { modeOf } from './service-mode.ts'
import { createTask } from './tasks.ts'

const DEFAULT_DELAY_MS = 5_000
/** Longest wait for an old task to stop before its replacement starts. */
const OLD_TASK_LIMIT_MS = 60_000

interface Instance {
  specVersion: number
  /** Times of the restarts. */
  restarts: number[]
}

export class Restarts {
  readonly #control: Control
  /** Starts that wait, by the task that is to start. */
  readonly #delays = new Map<string, Promise<void>>()
  readonly #waiting = new Set<string>()
  readonly #history = new Map<string, Instance>()

  constructor(control: Control) {
    this.#control = control
  }

  /** Gives up a task and, if the policy wants it, makes its replacement. */
  restart(service: ServiceRecord, task: TaskRecord): void {
    const { store } = this.#control
    if (this.#delays.has(task.id)) return this.#restartLater(service.id, task.id)
    store.update('task', task.id, { desired: 'shutdown' })
    if (!this.shouldRestart(task)) return
    const node = task.nodeId === undefined ? undefined : store.get('node', task.nodeId)
    const { kind } = modeOf(service.spec)
    const isGlobal = kind === 'global' || kind === 'global-job'
    const replacement = createTask(this.#control, service, {
      slot: isGlobal ? 0 : task.slot,
      nodeId: isGlobal ? task.nodeId : undefined,
      desired: 'ready',
      ...(task.jobIteration !== undefined && { jobIteration: task.jobIteration }),
    })
    this.#record(replacement)
    const policy = task.spec.RestartPolicy
    const drained = node?.spec.Availability === 'drain'
    const delayNs = policy?.Delay ?? DEFAULT_DELAY_MS * 1e6
    const waitStop = node?.state !== 'down' && !hasEnded(task.status.state)
    void this.delayStart(replacement.id, {
      delayMs: drained ? 0 : delayNs / 1e6,
      after: waitStop ? task : undefined,
      desired: kind.endsWith('job') ? 'complete' : 'running',
    })
  }

  /** Lets a prepared task start once the delay has passed and the old one has stopped. */
  delayStart(
    taskId: string,
    how: { delayMs: number; after: TaskRecord | undefined; desired?: TaskRecord['desired'] },
  ): Promise<void> {
    const { store, clock, signal } = this.#control
    const run = async () => {
      const began = clock.now()
      if (how.delayMs > 0) await clock.sleep(how.delayMs, signal)
      if (how.after !== undefined) {
        const left = OLD_TASK_LIMIT_MS - (clock.now() - began)
        await this.#stopped(how.after, left)
      }
      const task = store.get('task', taskId)
      if (task !== undefined && task.desired === 'ready') {
        store.update('task', taskId, { desired: how.desired ?? 'running' })
      }
    }
    const delay = run().finally(() => this.#delays.delete(taskId))
    this.#delays.set(taskId, delay)
    clock.spawn(signal, () => delay)
    return delay
  }

  /** By policy; a task that was stopped on purpose counts like one that failed. */
  shouldRestart(task: TaskRecord): boolean {
    const policy = task.spec.RestartPolicy
    const condition = policy?.Condition || 'any'
    if (condition === 'none') return false
    if (condition === 'on-failure' && task.status.state === 'complete') return false
    const attempts = policy?.MaxAttempts ?? 0
    if (attempts === 0) return true
    const instance = this.#history.get(keyOf(task))
    if (instance === undefined || instance.specVersion !== task.specVersion) return true
    const windowMs = (policy?.Window ?? 0) / 1e6
    const since = windowMs === 0 ? -Infinity : task.status.at - windowMs
    return instance.restarts.filter((at) => at > since).length < attempts
  }

  /** The tasks of a slot that an update has to look at: those wanted, else the last one given up. */
  updatable(service: ServiceRecord, slot: TaskRecord[]): TaskRecord[] {
    const wanted = slot.filter(({ desired }) => isWanted(desired))
    if (wanted.length > 0) return wanted
    if (service.updateStatus?.State === 'rollback_started') return []
    const newest = slot.toSorted((a, b) => b.status.at - a.status.at)[0]
    return newest !== undefined && !this.shouldRestart(newest) ? [newest] : []
  }

  /** A task that failed while its own start was delayed: no tight loop, its delay runs out first. */
  #restartLater(serviceId: string, taskId: string): void {
    const delay = this.#delays.get(taskId)
    if (delay === undefined || this.#waiting.has(taskId)) return
    this.#waiting.add(taskId)
    const { store, clock, signal } = this.#control
    clock.spawn(signal, async () => {
      await delay
      this.#waiting.delete(taskId)
      const task = store.get('task', taskId)
      const service = store.get('service', serviceId)
      if (task !== undefined && service !== undefined && isWanted(task.desired)) {
        this.restart(service, task)
      }
    })
  }

  async #stopped({ id, nodeId }: TaskRecord, limitMs: number): Promise<void> {
    const { store, clock, signal } = this.#control
    const limit = new AbortController()
    const cancel = clock.at(limitMs, () => limit.abort())
    const either = AbortSignal.any([signal, limit.signal])
    try {
      await store.when(() => {
        const task = store.get('task', id)
        if (task === undefined || hasEnded(task.status.state)) return true
        const node = nodeId === undefined ? undefined : store.get('node', nodeId)
        return node === undefined || node.state === 'down'
      }, either)
    } catch (error) {
      if (signal.aborted) throw error
    } finally {
      cancel()
    }
  }

  #record(task: TaskRecord): void {
    if ((task.spec.RestartPolicy?.MaxAttempts ?? 0) === 0) return
    const key = keyOf(task)
    const known = this.#history.get(key)
    const restarts = known?.specVersion === task.specVersion ? known.restarts : []
    const at = this.#control.clock.wall()
    this.#history.set(key, { specVersion: task.specVersion, restarts: [...restarts, at] })
  }
}

const keyOf = ({ serviceId, slot, nodeId }: TaskRecord): string =>
  `${serviceId} ${slot === 0 ? nodeId : slot}`

/** Restarts what ended by itself or sits on a host that is gone. */
export const restartEnded = (
  control: Control,
  restarts: Restarts,
  service: ServiceRecord,
): void => {
  for (const task of control.store.tasksOf(service.id)) {
    if (!isWanted(task.desired)) continue
    const node = task.nodeId === undefined ? undefined : control.store.get('node', task.nodeId)
    const stranded = task.nodeId !== undefined && isInvalid(node)
    if (hasEnded(task.status.state) || stranded) restarts.restart(service, task)
  }
}
