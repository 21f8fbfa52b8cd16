import { type Clock, MusterError, messageOf, pause, pauseOrChange } from '../base/index.ts'
import {
  type CatalogSources,
  type HostId,
  type NetworkId,
  type ServiceId,
  type SwarmTask,
  TUNABLES,
  isMoving,
} from '../catalog/index.ts'
import type { Engine, Task } from '../engine/index.ts'
import { taskOf } from './swarm-objects.ts'

export interface TaskWatchOptions {
  engine: Pick<Engine, 'listTasks'>
  sources: CatalogSources
  clock: Clock
  isIngress: (network: NetworkId) => boolean
  /** Tasks have another fate than before. */
  onMoved: () => void
  onProblem: (message: string) => void
}

/**
 * Swarm has no events for tasks, but shows in its list at once which ones it has decided to stop,
 * 2 s before they are told. So the list is read often while something is known to change, only
 * where it does, and rarely otherwise.
 */
export class TaskWatch {
  readonly #options: TaskWatchOptions
  /** Until when (clock) a service or host is read often. */
  readonly #services = new Map<ServiceId, number>()
  readonly #hosts = new Map<HostId, number>()
  /** Services in a rolling update: their tasks go in steps that may be far apart. */
  readonly #updating = new Set<ServiceId>()
  #fullAt = 0
  #known = 0
  #wake = Promise.withResolvers<void>()

  constructor(options: TaskWatchOptions) {
    this.#options = options
  }

  expectService(id: ServiceId): void {
    this.#services.set(id, this.#options.clock.now() + TUNABLES.tasksSettle)
    this.#wake.resolve()
  }

  expectHost(id: HostId): void {
    this.#hosts.set(id, this.#options.clock.now() + TUNABLES.tasksSettle)
    this.#wake.resolve()
  }

  setUpdating(id: ServiceId, updating: boolean): void {
    if (!updating) this.#updating.delete(id)
    else if (!this.#updating.has(id)) {
      this.#updating.add(id)
      this.#wake.resolve()
    }
  }

  /** One full pass. */
  async readAll(): Promise<void> {
    const { engine, sources, clock } = this.#options
    const tasks = this.#parse(await engine.listTasks())
    this.#known = tasks.length
    this.#fullAt = clock.now()
    this.#note(tasks, sources.setTasks(tasks))
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const began = clock.now()
      this.#wake = Promise.withResolvers<void>()
      try {
        await this.#readBusy()
        // A list of ten thousand tasks is no small thing to ask for.
        const between = Math.max(TUNABLES.tasksIdle, this.#known)
        if (this.#fullAt > 0 && clock.now() - this.#fullAt >= between) await this.readAll()
      } catch (error) {
        this.#options.onProblem(`reading tasks: ${messageOf(error)}`)
      }
      const busy = this.#services.size + this.#hosts.size > 0
      const most = busy
        ? TUNABLES.tasksBusy
        : this.#updating.size > 0
          ? TUNABLES.tasksUpdating
          : TUNABLES.tasksIdle / 5
      // An engine that takes long to answer is not asked more often than it can bear.
      const rest = Math.max(most, 4 * (clock.now() - began))
      if (busy) await pause(clock, rest, signal)
      else await pauseOrChange(clock, rest, { signal, change: this.#wake.promise })
    }
  }

  async #readBusy(): Promise<void> {
    const { sources, clock } = this.#options
    for (const busy of [this.#services, this.#hosts]) {
      for (const [id, until] of busy) if (until < clock.now()) busy.delete(id)
    }
    const services = new Set([...this.#services.keys(), ...this.#updating])
    if (services.size > 0) {
      const tasks = await this.#list('service', services)
      this.#note(
        tasks,
        sources.setTasks(tasks, (task) => services.has(task.endpoint.service)),
      )
    }
    const hosts = new Set(this.#hosts.keys())
    if (hosts.size > 0) {
      const tasks = await this.#list('node', hosts)
      this.#note(
        tasks,
        sources.setTasks(tasks, (task) => hosts.has(task.endpoint.host)),
      )
    }
  }

  /** Tasks of some services or hosts. The engine refuses all if one of them is gone: it is left out. */
  async #list(filter: 'service' | 'node', ids: Set<string>): Promise<SwarmTask[]> {
    const { engine } = this.#options
    try {
      return this.#parse(await engine.listTasks({ [filter]: [...ids] }))
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'NOT_FOUND') throw error
      if (ids.size > 1) {
        const each = [...ids].map((id) => this.#list(filter, new Set([id])))
        return (await Promise.all(each)).flat()
      }
      const busy = filter === 'service' ? this.#services : this.#hosts
      for (const id of ids) {
        busy.delete(id)
        this.#updating.delete(id)
      }
      return []
    }
  }

  #parse(tasks: readonly Task[]): SwarmTask[] {
    return tasks.flatMap((task) => taskOf(task, this.#options.isIngress) ?? [])
  }

  /** Services whose tasks are on the move are read often, even if no event named them. */
  #note(tasks: readonly SwarmTask[], changed: number): void {
    if (changed > 0) this.#options.onMoved()
    const until = this.#options.clock.now() + TUNABLES.tasksSettle
    for (const task of tasks) if (isMoving(task)) this.#services.set(task.endpoint.service, until)
  }
}
