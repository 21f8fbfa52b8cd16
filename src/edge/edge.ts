import { join } from 'node:path'
import { Loop, systemClock, type Clock } from '../base/index.ts'
import type { Catalog, HostId } from '../catalog/index.ts'
import { BlockedPorts, withoutPorts } from './blocked-ports.ts'
import { ConfigSaver } from './config-saver.ts'
import type { EdgeConfig, EdgeConflict } from './config.ts'
import { departureOf } from './departure.ts'
import type { EdgeEvent, EdgeStatus } from './events.ts'
import { renderHaproxyConfig, serverOptions, type RenderedConfig } from './haproxy-config.ts'
import { listeningPorts } from './listening.ts'
import { Placement } from './placement.ts'
import { ADMIN_SOCKET, CONFIG_FILE, type EdgeProcess } from './process.ts'
import { type EdgeReach, backendsOf } from './reach.ts'
import { reconcile } from './reconcile.ts'
import { edgeConfig } from './routes.ts'
import { hostAddresses, localRanges } from './transparency.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'
import type { EdgeWorker } from './worker.ts'
import { WorkerLink } from './worker-link.ts'

export interface EdgeOptions {
  process: EdgeProcess
  clock?: Clock
  onEvent?: (event: EdgeEvent) => void
  /** TCP ports taken in the namespace that the edge listens in. Default: the caller's own. */
  listening?: () => Promise<Set<number>>
  /** Addresses of this host and of what hangs on it, as CIDR. Default: of the caller's namespace. */
  local?: () => string[]
  /** IPv4 addresses of this host. Default: those of the caller's namespace. */
  addresses?: () => ReadonlySet<string>
}

/** What HAProxy is to have, from one catalog. */
interface Goal {
  catalog: Catalog
  config: EdgeConfig
  rendered: RenderedConfig
}

/**
 * One host's edge: keeps a HAProxy serving what the newest catalog says. Endpoints change through the
 * admin socket and are in use milliseconds later; ports and backends change by a seamless reload.
 * HAProxy is started when something is first published, and does not end with this object: an agent
 * that restarts finds it serving and goes on.
 */
export class Edge implements AsyncDisposable {
  readonly #process: EdgeProcess
  readonly #clock: Clock
  readonly #emit: (event: EdgeEvent) => void
  readonly #listening: () => Promise<Set<number>>
  readonly #local: () => string[]
  readonly #addresses: () => ReadonlySet<string>
  readonly #routes: Loop
  readonly #file: ConfigSaver
  readonly #link: WorkerLink
  readonly #placement: Placement
  readonly #blocked: BlockedPorts

  #catalog: Catalog | null = null
  #host: HostId | null = null
  /** When the oldest change was given that has not taken effect. */
  #pendingSince: number | null = null
  #goal: Goal | null = null
  #conflicts: EdgeConflict[] = []
  #sweptAt = 0
  /** Large catalogs that change all the time get half of a core, not all of it. */
  #restUntil = 0
  /** Ports in the file of a HAProxy that has not answered yet: whoever listens there is most likely it. */
  #starting: ReadonlySet<number> = new Set()
  /** A revision that HAProxy did not take, and when to try it again. */
  #refused: { revision: string; until: number } | null = null

  constructor(options: EdgeOptions) {
    this.#process = options.process
    this.#clock = options.clock ?? systemClock
    this.#emit = options.onEvent ?? (() => undefined)
    this.#listening = options.listening ?? listeningPorts
    this.#local = options.local ?? localRanges
    this.#addresses = options.addresses ?? hostAddresses
    this.#blocked = new BlockedPorts(this.#clock)
    const clock = this.#clock
    const onError = (error: unknown) => this.#emit({ type: 'failed', error })
    this.#routes = new Loop({ run: () => this.#converge(), onError, clock })
    this.#file = new ConfigSaver({
      path: join(this.#process.dir, CONFIG_FILE),
      clock,
      text: () => this.#goal?.rendered.text ?? '',
      onError: (error) => this.#emit({ type: 'write-failed', error }),
    })
    this.#link = new WorkerLink({
      socket: join(this.#process.dir, ADMIN_SOCKET),
      clock,
      onConnected: (worker) => {
        // Its ports are its own: nobody else has them.
        this.#starting = new Set()
        this.#blocked.unblock(worker.ports)
        this.#emit({ type: 'connected', pid: worker.info.pid })
      },
      onLost: (error) => {
        this.#emit({ type: 'disconnected', ...(error === undefined ? {} : { error }) })
        this.#routes.wake()
      },
    })
    this.#placement = new Placement({
      process: this.#process,
      clock,
      onEvent: this.#emit,
      onStarted: () => this.#routes.wake(),
    })
  }

  /**
   * Returns at once. The newest catalog wins; those that come too fast are skipped. `host` is the one
   * that this edge is on; without it services never see their clients' addresses.
   */
  apply(catalog: Catalog, host: HostId | null = null): void {
    this.#pendingSince ??= this.#clock.now()
    this.#catalog = catalog
    this.#host = host
    this.#routes.wake()
  }

  get status(): EdgeStatus {
    const backends = this.#goal?.config.backends ?? []
    return {
      serving: this.#link.worker !== null && this.#pendingSince === null,
      ports: [...(this.#link.worker?.ports ?? [])].sort((a, b) => a - b),
      backends: backends.length,
      servers: backends.reduce((sum, backend) => sum + backend.servers.length, 0),
      networks: this.#goal?.config.networks.length ?? 0,
      conflicts: this.#conflicts,
    }
  }

  /** What connections to some ports of this host find now, by HAProxy's own word. */
  reach(ports: readonly number[]): EdgeReach {
    const worker = this.#link.worker
    const backends = this.#goal === null ? [] : backendsOf(this.#goal.config, new Set(ports))
    const blocked = this.#blocked.ports
    return {
      ports: ports.filter((port) => worker?.ports.has(port)),
      endpoints: backends.flatMap(({ name }) =>
        [...(worker?.servers.get(name) ?? [])].flatMap(([server, { state }]) =>
          state === 'ready' ? [endpointOf(server)] : [],
        ),
      ),
      conflicts: this.#conflicts
        // What HAProxy has not taken it may take soon, when its host was only slow.
        .filter(({ port }) => ports.includes(port) && blocked.get(port) !== 'refused')
        .map(({ reason }) => reason),
    }
  }

  /**
   * TCP ports that another process listens on, so that nothing can be published there. What HAProxy
   * has been told to listen on is its own, also before it says that it does.
   */
  async takenPorts(): Promise<number[]> {
    if (this.#goal === null) return []
    const told = new Set(this.#goal.config.listeners.map(({ port }) => port))
    const own = told.union(this.#link.worker?.ports ?? new Set())
    return [...(await this.#listening()).difference(own)].sort((a, b) => a - b)
  }

  /** Resolves when nothing is under way. What failed, or waits for HAProxy, is tried again later. */
  async settled(): Promise<void> {
    await this.#routes.settled()
    await this.#placement.settled()
    await this.#routes.settled()
    await this.#file.settled()
  }

  /** Stops looking after HAProxy, which goes on serving. */
  async stop(): Promise<void> {
    await Promise.all([this.#routes.stop(), this.#file.stop(), this.#placement.stop()])
    await this.#link[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** One pass: from the newest catalog to HAProxy. */
  async #converge(): Promise<void> {
    const catalog = this.#catalog
    if (catalog === null) return
    const early = this.#restUntil - this.#clock.now()
    if (early > 0) {
      this.#routes.wakeIn(early)
      return
    }
    const worker = await this.#link.connected()
    const startedAt = this.#clock.now()
    const wanted = edgeConfig(catalog, {
      self: catalog.hosts.get(this.#host ?? ''),
      local: this.#local(),
      addresses: this.#addresses(),
    })
    this.#restUntil = Math.min(2 * this.#clock.now() - startedAt, startedAt + T.longestRest)
    await this.#findTakenPorts(wanted.config, worker)
    const { config, conflicts } = withoutPorts(wanted.config, this.#blocked.ports)
    const goal = { catalog, config, rendered: renderHaproxyConfig(config, this.#process.render) }
    this.#goal = goal
    this.#report([...wanted.conflicts, ...conflicts])
    // Nobody publishes anything and no HAProxy is there from before: nothing to do.
    if (worker === null && wanted.config.listeners.length === 0) {
      this.#link.unreachableSince = this.#clock.now()
      return
    }

    if (worker === null) {
      await this.#file.now()
      this.#starting = new Set(config.listeners.map(({ port }) => port))
    }
    this.#placement.want({ image: catalog.settings.edgeImage, networks: config.networks })
    if (worker === null) {
      this.#awaitWorker()
      return
    }
    const steps = await this.#changeServers(goal, worker)
    const loaded = await this.#reload(goal, worker)
    if (loaded) this.#file.soon()
    if (steps !== null && loaded && this.#catalog === catalog) this.#applied(steps)
    this.#setAlarms(goal)
  }

  #applied(steps: number): void {
    if (this.#pendingSince === null) return
    const latencyMs = this.#clock.now() - this.#pendingSince
    this.#pendingSince = null
    this.#emit({ type: 'applied', latencyMs, steps })
  }

  #report(conflicts: EdgeConflict[]): void {
    if (JSON.stringify(conflicts) === JSON.stringify(this.#conflicts)) return
    this.#conflicts = conflicts
    this.#emit({ type: 'conflicts', conflicts })
  }

  #setAlarms({ config }: Goal): void {
    const wanted = new Map(
      config.backends.map(({ name, servers }) => [name, new Set(servers.map((s) => s.name))]),
    )
    const leftovers = [...(this.#link.worker?.servers ?? [])].some(([backend, servers]) =>
      [...servers.keys()].some((name) => wanted.get(backend)?.has(name) !== true),
    )
    this.#routes.wakeIn(this.#link.unsure ? T.lateWorker : leftovers ? T.sweep : T.ping)
  }

  /** HAProxy does not answer, its file is written: see that it runs, and look again. */
  #awaitWorker(): void {
    const now = this.#clock.now()
    // An image that is being pulled, an engine that is slow: not HAProxy's fault.
    if (this.#placement.busy) this.#link.unreachableSince = now
    if (now - this.#link.unreachableSince > T.stuck) {
      this.#link.unreachableSince = now
      // Perhaps it cannot start, because one of its ports is somebody else's after all.
      this.#starting = new Set()
      this.#placement.restart()
    } else {
      this.#placement.ensure()
    }
    this.#routes.wakeIn(T.reconnect)
  }

  /**
   * Ports that HAProxy would have to bind and another process has. Those that a starting HAProxy has
   * been told to bind are not asked for: it listens a moment before it answers.
   */
  async #findTakenPorts(config: EdgeConfig, worker: EdgeWorker | null): Promise<void> {
    const blocked = this.#blocked.ports
    const added = config.listeners
      .map((listener) => listener.port)
      .filter((port) => worker?.ports.has(port) !== true && !blocked.has(port))
      .filter((port) => worker !== null || !this.#starting.has(port))
    if (added.length === 0) return
    const taken = await this.#listening()
    const busy = added.filter((port) => taken.has(port))
    this.#blocked.block(busy, 'taken', T.refusedRetry)
    if (busy.length > 0) this.#routes.wakeIn(T.refusedRetry)
  }

  /** The number of steps taken; null when HAProxy refused one and all is looked at again. */
  async #changeServers({ catalog, config }: Goal, worker: EdgeWorker): Promise<number | null> {
    const now = this.#clock.now()
    const sweep = now - this.#sweptAt >= T.sweep
    if (sweep) this.#sweptAt = now
    const sessions = sweep ? await worker.sessions() : null
    const backends = new Map(config.backends.map((backend) => [backend.name, backend]))
    const steps = reconcile({
      live: worker.servers,
      wanted: config,
      departure: (backend, name) =>
        departureOf(catalog, endpointOf(name), backends.get(backend)?.keeps ?? null),
      idle: (backend, name) => sessions?.get(`${backend}/${name}`) === 0,
    })
    const failures = await worker.run(steps, (name) => {
      const backend = backends.get(name)
      return backend === undefined ? '' : serverOptions(backend, config.checkIntervalMs)
    })
    for (const failure of failures) this.#emit({ type: 'command-failed', ...failure })
    if (failures.length === 0) return steps.length
    this.#routes.wakeIn(T.reconnect)
    return null
  }

  /** Loads a new set of ports or backends; true when HAProxy has it (already). */
  async #reload(goal: Goal, worker: EdgeWorker): Promise<boolean> {
    const { revision } = goal.rendered
    if (worker.info.revision === revision) return true
    const startedAt = this.#clock.now()
    if (this.#refused?.revision === revision && startedAt < this.#refused.until) {
      this.#routes.wakeIn(this.#refused.until - startedAt)
      return false
    }
    if (!(await this.#file.now())) {
      this.#routes.wakeIn(T.saveRetry)
      return false
    }
    await this.#process.reload()
    if ((await this.#link.follow(revision, () => this.#process.reload())) === null) {
      this.#refuse(goal, worker)
      return false
    }
    this.#refused = null
    this.#emit({ type: 'reloaded', latencyMs: this.#clock.now() - startedAt })
    return true
  }

  /** The old worker goes on; ports that were new are the likeliest cause and stay away for a while. */
  #refuse({ config, rendered }: Goal, worker: EdgeWorker): void {
    const added = config.listeners
      .map((listener) => listener.port)
      .filter((port) => !worker.ports.has(port))
    this.#blocked.block(added, 'refused', T.refusedRetry)
    this.#refused = {
      revision: rendered.revision,
      until: this.#clock.now() + T.refusedRetry,
    }
    this.#emit({
      type: 'reload-failed',
      reason: `HAProxy did not take its new configuration in ${T.reloadLimit} ms; new ports: ${added.join(', ') || 'none'}`,
    })
    this.#routes.wake()
  }
}

const endpointOf = (server: string): string => server.slice(server.lastIndexOf('.') + 1)
