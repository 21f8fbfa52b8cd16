import { type Clock, MusterError, messageOf } from '../base/index.ts'
import {
  type EdgePlace,
  type Endpoint,
  type EndpointId,
  type HostId,
  type NetworkId,
  TUNABLES,
  same,
} from '../catalog/index.ts'
import {
  type ContainerInspectResponse,
  type Engine,
  type EngineEvent,
  watch,
} from '../engine/index.ts'
import { type EdgeSight, edgeSight, isEdge } from './edge-sight.ts'
import type { StartHooks } from './start-hooks.ts'
import { type LocalContainer, TASK_LABELS, isEnding, localContainer } from './local-container.ts'

/** This host's containers, as far as they matter to others. */
export interface LocalState {
  containers: ReadonlyMap<string, LocalContainer>
  endpoints: ReadonlyMap<EndpointId, Endpoint>
  leaving: ReadonlySet<EndpointId>
  engineDown: boolean
  /** Where the host's edge is, once its namespace is prepared. */
  edge: Record<NetworkId, EdgePlace>
}

export interface ContainersOptions {
  engine: Pick<Engine, 'events' | 'listContainers' | 'inspectContainer' | 'inspectNetwork'>
  host: HostId
  clock: Clock
  /** Something in `state` has changed. Called at once, so that nobody waits for a batch. */
  onChange: () => void
  /**
   * Called before the edge's places are in `state`. What it rejects with is a problem, and the edge
   * is looked at again later.
   */
  prepareEdge: (edge: EdgeSight) => Promise<void>
  /** What runs in containers right after they have started; those get no traffic before. */
  startHooks: Pick<StartHooks, 'pending' | 'forget'>
  /** The engine went away. */
  onDown: (error: MusterError) => void
  onProblem: (message: string) => void
  /** Whether a process of this host is there. */
  processExists: (pid: number) => boolean
}

/** Without the events of health checks' own commands, of which there are many. */
const EVENTS = [
  'start',
  'restart',
  'die',
  'kill',
  'destroy',
  'pause',
  'unpause',
  'health_status',
  'connect',
  'disconnect',
]
/** While the engine is down, how often the kernel is asked which containers are still there. */
const PROCESS_CHECK_MS = 200
/** Beyond the grace period, before a container that ignored its signal is trusted again. */
const IGNORED_SIGNAL_MS = 5000

/**
 * Watches the local containers. One that dies is out at the event itself, without asking; everything
 * else is read anew from the engine.
 */
export class Containers {
  readonly #options: ContainersOptions
  readonly #containers = new Map<string, LocalContainer>()
  /** All that run for Swarm, on overlay networks or not. */
  readonly #tasks = new Set<string>()
  readonly #leaving = new Map<string, NodeJS.Timeout>()
  /** Grows at each event of a container: an inspection that began before is out of date. */
  readonly #turn = new Map<string, number>()
  readonly #ready = Promise.withResolvers<void>()
  readonly #overlays = new Map<NetworkId, boolean>()
  #edge: EdgeSight | null = null
  #preparing: Promise<void> = Promise.resolve()
  #state: LocalState = {
    containers: new Map(),
    endpoints: new Map(),
    leaving: new Set(),
    engineDown: false,
    edge: {},
  }

  constructor(options: ContainersOptions) {
    this.#options = options
  }

  /** How many tasks of Swarm run here. */
  get tasks(): number {
    return this.#tasks.size
  }

  get state(): LocalState {
    return this.#state
  }

  /** Resolves once `state` is the truth for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#options
    const items = watch({
      engine,
      filters: { type: ['container', 'network'], event: EVENTS },
      list: () => engine.listContainers(),
      resyncMs: TUNABLES.containersResync,
      signal,
      clock,
    })
    let checking: NodeJS.Timeout | undefined
    try {
      for await (const item of items) {
        if (item.kind === 'event') {
          this.#onEvent(item.event)
          continue
        }
        clearInterval(checking)
        if (item.kind === 'synced') {
          const ids = item.state.flatMap(({ Id }) => Id ?? [])
          const known = new Set(ids)
          const edge = this.#edge === null ? [] : [this.#edge.container]
          for (const id of [...this.#containers.keys(), ...this.#tasks, ...edge]) {
            if (!known.has(id)) this.#gone(id)
          }
          await Promise.all(ids.map((id) => this.#read(id)))
          this.#setEngineDown(false)
          this.#ready.resolve()
        } else {
          this.#options.onDown(item.error)
          this.#setEngineDown(true)
          checking = setInterval(() => this.#checkProcesses(), PROCESS_CHECK_MS)
        }
      }
    } finally {
      clearInterval(checking)
      for (const timer of this.#leaving.values()) clearTimeout(timer)
    }
  }

  #onEvent(event: EngineEvent): void {
    const action = event.Action ?? ''
    const attributes = event.Actor?.Attributes ?? {}
    const id = event.Type === 'network' ? attributes['container'] : event.Actor?.ID
    if (id === undefined || id === '') return
    this.#turn.set(id, (this.#turn.get(id) ?? 0) + 1)
    if (event.Type === 'container' && (action === 'die' || action === 'destroy')) {
      if (action === 'destroy') {
        this.#turn.delete(id)
        this.#options.startHooks.forget(id)
      }
      this.#gone(id)
    } else if (action === 'kill') {
      const container = this.#containers.get(id)
      if (container && isEnding(attributes['signal'] ?? '', container.stopSignal)) {
        this.#leave(container)
      }
      // A reading that it interrupted is made again; the edge is told to reload right after it joins.
      else void this.#read(id)
    } else if (event.Type === 'network' && !this.#containers.has(id)) void this.#readIfRunning(id)
    else void this.#read(id)
  }

  /**
   * A container that starts is on its networks before its volumes are mounted, and until they are
   * the engine does not answer questions about it. Its list does.
   */
  async #readIfRunning(id: string): Promise<void> {
    try {
      const found = await this.#options.engine.listContainers({ filters: { id: [id] } })
      if (found.length > 0) await this.#read(id)
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      this.#options.onProblem(`container ${id.slice(0, 12)}: ${messageOf(error)}`)
    }
  }

  /** Looks at a container again, because of something that has no event. */
  look(id: string): void {
    void this.#read(id)
  }

  async #read(id: string): Promise<void> {
    const { engine, host } = this.#options
    const turn = this.#turn.get(id)
    try {
      const inspected = await engine.inspectContainer(id)
      const networks = Object.values(inspected.NetworkSettings?.Networks ?? {})
      await Promise.all(networks.map(({ NetworkID }) => this.#learnNetwork(NetworkID ?? '')))
      if (this.#turn.get(id) !== turn) return
      if (isEdge(inspected)) return await this.#seeEdge(inspected, turn)
      const isTask = inspected.Config?.Labels?.[TASK_LABELS.task] !== undefined
      if (isTask && inspected.State?.Running === true) this.#tasks.add(id)
      else this.#tasks.delete(id)
      const container = localContainer(inspected, host, (each) => this.#overlays.get(each) === true)
      const waits = this.#options.startHooks.pending(inspected)
      if (!container) return this.#forget(id)
      if (waits && container.endpoint?.state === 'ready') container.endpoint.state = 'starting'
      const old = this.#containers.get(id)
      if (same(old, container)) return
      // Endpoints that did not change stay the same object: that is how reports know them.
      if (same(old?.endpoint, container.endpoint)) container.endpoint = old?.endpoint ?? null
      this.#containers.set(id, container)
      this.#publish()
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      // Gone meanwhile; or the engine went away, which the watch notices by itself.
      if (error.code === 'NOT_FOUND') this.#gone(id)
      else this.#options.onProblem(`container ${id.slice(0, 12)}: ${messageOf(error)}`)
    }
  }

  async #seeEdge(inspected: ContainerInspectResponse, turn: number | undefined): Promise<void> {
    const edge = edgeSight(inspected, (each) => this.#overlays.get(each) === true)
    if (edge === null) return
    const current = () => this.#turn.get(edge.container) === turn
    // One after the other: an edge that joins networks is seen several times at once.
    const prepared = this.#preparing.then(async () => {
      if (!current() || same(edge, this.#edge)) return
      await this.#options.prepareEdge(edge)
      if (!current()) return
      this.#edge = edge
      this.#publish()
    })
    // Whoever waits for it hears of the failure, not whoever comes next.
    this.#preparing = prepared.catch(() => undefined)
    await prepared
  }

  async #learnNetwork(id: NetworkId): Promise<void> {
    if (id === '' || this.#overlays.has(id)) return
    const { Driver, Ingress } = await this.#options.engine.inspectNetwork(id)
    this.#overlays.set(id, Driver === 'overlay' && Ingress !== true)
  }

  #gone(id: string): void {
    this.#tasks.delete(id)
    this.#forget(id)
    if (this.#edge?.container !== id) return
    this.#edge = null
    this.#publish()
  }

  /** Nobody is to reach it, though it may still run. */
  #forget(id: string): void {
    clearTimeout(this.#leaving.get(id))
    this.#leaving.delete(id)
    if (this.#containers.delete(id)) this.#publish()
  }

  /** It has been told to stop. If it ignores that, it is trusted again after a while. */
  #leave({ id, stopLimit }: LocalContainer): void {
    clearTimeout(this.#leaving.get(id))
    const limit = setTimeout(() => {
      this.#leaving.delete(id)
      this.#publish()
    }, stopLimit + IGNORED_SIGNAL_MS)
    this.#leaving.set(id, limit)
    this.#publish()
  }

  #setEngineDown(engineDown: boolean): void {
    if (this.#state.engineDown === engineDown) return
    this.#state = { ...this.#state, engineDown }
    this.#options.onChange()
  }

  /** A process that is gone needs no engine to say so. */
  #checkProcesses(): void {
    for (const { id, pid } of this.#containers.values()) {
      if (pid > 0 && !this.#options.processExists(pid)) this.#gone(id)
    }
  }

  #publish(): void {
    const endpoints = new Map<EndpointId, Endpoint>()
    const leaving = new Set<EndpointId>()
    for (const { id, endpoint } of this.#containers.values()) {
      if (!endpoint) continue
      endpoints.set(endpoint.id, endpoint)
      if (this.#leaving.has(id)) leaving.add(endpoint.id)
    }
    this.#state = {
      containers: new Map(this.#containers),
      endpoints,
      leaving,
      engineDown: this.#state.engineDown,
      edge: this.#edge?.places ?? {},
    }
    this.#options.onChange()
  }
}
