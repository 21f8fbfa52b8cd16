import type { Server } from 'node:http'
import { type Clock, MusterError, messageOf, pause } from '../base/index.ts'
import { type Catalog, type HostQuestion, TUNABLES, emptyCatalog } from '../catalog/index.ts'
import { EDGE_NETNS_COMMANDS, EDGE_NETNS_SCRIPT, type Edge } from '../edge/index.ts'
import type { Engine } from '../engine/index.ts'
import { permit, standing } from '../members/index.ts'
import { Keeper } from '../members/keeper/index.ts'
import type { OverlayRepair } from '../overlay/index.ts'
import { type Recipe, Shelf } from '../recipes/index.ts'
import { type VipProgrammer, hostNamespaces } from '../vip/index.ts'
import { Api } from './api.ts'
import { readCertificates } from './certificates.ts'
import type { HostVolumes } from './host-volumes.ts'
import { onKeeperEvent } from './keeper-events.ts'
import type { Log } from './log.ts'
import { Member } from './member.ts'
import { type Membership, standingOf } from './membership.ts'
import { type Metrics, createMetrics, serveMetrics } from './metrics.ts'
import { onceInAWhile } from './once-in-a-while.ts'
import { RenderedServices } from './rendered-services.ts'
import { readings, statusOf } from './readings.ts'

export interface AgentOptions {
  engine: Engine
  /** What serves published ports here; null in tests of the rest. */
  edge: Edge | null
  /** What programs virtual IPs here; null in tests of the rest. */
  vip: VipProgrammer | null
  /** What repairs overlay networks here; null in tests of the rest. */
  overlay: OverlayRepair | null
  /** This host's volumes; null in tests of the rest. */
  volumes: HostVolumes | null
  /** Clustered software that members can be made of. */
  recipes: readonly Recipe[]
  /** Where recipes that came with Compose files are kept; null: nowhere. */
  recipesFolder: string | null
  /** This host's credentials for the registry of an image, as the engine takes them. */
  registryAuth: (image: string) => Promise<string | undefined>
  /** Path of the unix socket of the API. */
  socket: string
  /** Port that agents listen on, everywhere. */
  port: number
  /** Address to listen on for other agents; default every one. */
  listen?: string
  /** Where metrics are served; null for nowhere. */
  metrics: { port: number; address: string } | null
  version: string
  /** Where it is remembered whose post_start commands have ended well. */
  hooksFolder: string
  clock: Clock
  log: Log
}

/** The per-host daemon. Waits for Docker and for a swarm, works, and waits again. */
export class Agent implements AsyncDisposable {
  readonly metrics: Metrics
  readonly #options: AgentOptions
  readonly #life = new AbortController()
  readonly #startedAt: number
  readonly #subscribers = new Set<(catalog: Catalog) => void>()
  readonly #api: Api
  readonly #keeper: Keeper | undefined
  readonly #shelf: Shelf
  readonly #rendered: RenderedServices | undefined
  #metricsServer: Server | undefined
  #member: Member | undefined
  #waitingFor: string | null = 'Docker'
  #running: Promise<void> | undefined

  constructor(options: AgentOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.metrics = createMetrics(() => readings(this.#member))
    const { engine, volumes, recipes, recipesFolder, clock, log } = options
    this.#shelf = new Shelf({
      recipes,
      folder: recipesFolder,
      onLoaded: () => this.#keeper?.refresh(),
      onProblem: onceInAWhile(clock, (reason) => log.warn({ reason }, 'recipe')),
    })
    this.#keeper =
      volumes === null
        ? undefined
        : new Keeper({
            engine,
            store: volumes.store,
            recipe: (asked) => this.#shelf.find(asked),
            permit,
            stand: standing,
            clock,
            addresses: (container) => this.#member?.addressesOf(container) ?? {},
            onChange: () => this.#member?.membersChanged(),
            onEvent: (event) => onKeeperEvent(event, log, this.metrics),
          })
    this.#rendered =
      volumes === null
        ? undefined
        : new RenderedServices({
            engine,
            path: (volume) => volumes.store.path(volume),
            volumes: () =>
              volumes.store.list().filter(({ type, member }) => type === 'run' && member === null),
            onRendered: (service) => log.info({ service }, 'files made'),
            onProblem: (service, reason) => log.warn({ service, reason }, 'files'),
          })
    this.#api = new Api({
      socket: options.socket,
      registry: this.metrics.registry,
      status: () =>
        statusOf({
          member: this.#member,
          edge: options.edge,
          version: options.version,
          uptime: Math.round(options.clock.now() - this.#startedAt),
          waitingFor: this.#waitingFor,
        }),
      catalog: () => this.#member?.catalog ?? emptyCatalog(),
      subscribe: (onCatalog) => {
        this.#subscribers.add(onCatalog)
        return () => this.#subscribers.delete(onCatalog)
      },
      ask: async (host, question) => {
        if (!this.#member) {
          throw new MusterError('AGENT_REFUSED', `This agent waits for ${this.#waitingFor}.`)
        }
        return this.#member.ask(host, question)
      },
      exec: async (connection, request) => {
        if (!this.#member) {
          throw new MusterError('AGENT_REFUSED', `This agent waits for ${this.#waitingFor}.`)
        }
        await this.#member.exec(connection, request)
      },
    })
  }

  /** The member of a swarm that this agent is now, if it is. */
  get member(): Member | undefined {
    return this.#member
  }

  /** The virtual IPs' rules of a local container are in effect. */
  rulesApplied(): void {
    this.#member?.rulesApplied()
  }

  /** Resolves once the API answers; the work goes on until the agent is disposed of. */
  async start(): Promise<void> {
    const { volumes, log } = this.#options
    await this.#shelf.start()
    await volumes?.start({
      gate: async (volume, mountId, signal) => {
        await this.#keeper?.gate(volume, mountId, signal)
        await this.#rendered?.gate(volume, signal)
      },
      onUnmounted: (...mount) => this.#keeper?.unmounted(...mount),
      log,
      metrics: this.metrics,
    })
    this.#keeper?.start()
    await this.#api.start()
    await this.#startMetrics()
    this.#running = this.#run(this.#life.signal)
  }

  /** Ends the agent. Routes and virtual IPs stay as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await this.#running
    await this.#options.edge?.stop()
    await this.#options.vip?.stop()
    await this.#options.overlay?.[Symbol.asyncDispose]()
    await this.#options.volumes?.[Symbol.asyncDispose]()
    await this.#keeper?.[Symbol.asyncDispose]()
    this.#metricsServer?.close()
    this.#metricsServer?.closeAllConnections()
    await this.#api[Symbol.asyncDispose]()
  }

  async #startMetrics(): Promise<void> {
    const { metrics, log } = this.#options
    if (!metrics) return
    try {
      this.#metricsServer = await serveMetrics(this.metrics.registry, metrics)
    } catch (error) {
      // Somebody else has the port. Numbers are no reason not to work.
      log.error({ reason: messageOf(error) }, 'no metrics: cannot listen')
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    while (!signal.aborted) {
      try {
        await this.#look()
      } catch (error) {
        if (!this.#member) this.#wait(messageOf(error))
        else log.debug({ reason: messageOf(error) }, 'cannot ask where this host is')
      }
      const interval = this.#member ? TUNABLES.membershipPoll : TUNABLES.membershipPoll / 6
      await pause(clock, interval, signal)
    }
    await this.#standDown()
  }

  /** Asks the engine where this host is, and becomes what that makes it. */
  async #look(): Promise<void> {
    const standing = standingOf(await this.#options.engine.info())
    await this.#anchorVolumes()
    if (standing === 'unsettled') {
      if (!this.#member) this.#wait('Swarm to start')
      return
    }
    if (standing === 'gone') {
      // What this host served belongs to a cluster that it has left.
      if (this.#member) this.#options.edge?.apply(emptyCatalog())
      await this.#standDown()
      this.#wait('a swarm: muster init or muster join')
      return
    }
    if (this.#member && this.#member.host !== standing.host) await this.#standDown()
    if (this.#member) await this.#member.update(standing)
    else await this.#standUp(standing)
  }

  async #answer(question: HostQuestion): Promise<unknown> {
    const { edge, volumes } = this.#options
    if (question.what === 'edge') return edge?.reach(question.ports) ?? null
    if (!volumes) throw new MusterError('AGENT_REFUSED', 'This agent keeps no volumes.')
    if (question.what === 'volumes') return volumes.views(question)
    await volumes.remove(question)
    this.#keeper?.refresh()
    return null
  }

  /** Swarm gives this host no task with a volume of ours before. */
  async #anchorVolumes(): Promise<void> {
    try {
      await this.#options.volumes?.anchor()
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'Docker does not take the volume driver')
    }
  }

  #wait(what: string): void {
    if (this.#waitingFor === what) return
    this.#waitingFor = what
    this.#options.log.info({ what }, 'waiting')
  }

  async #standUp(membership: Membership): Promise<void> {
    const { engine, port, listen, version, hooksFolder, clock, log, edge, vip, overlay } =
      this.#options
    const certificates = await readCertificates(membership.certificates)
    const keeper = this.#keeper
    keeper?.setHost(membership.host)
    const member = new Member({
      engine,
      membership,
      certificates,
      port,
      ...(listen === undefined ? {} : { listen }),
      version,
      hooksFolder,
      clock,
      log,
      metrics: this.metrics,
      recipe: (asked) => this.#shelf.fetch(asked),
      registryAuth: this.#options.registryAuth,
      signal: this.#life.signal,
      takenPorts: async () => (await edge?.takenPorts()) ?? [],
      isReturning: (container) => vip?.isReturning(container) ?? true,
      ...(keeper && {
        members: () => keeper.reports,
        membersSettled: keeper.settled,
        memberReady: (...container) => keeper.ready(...container),
      }),
      answer: (question) => this.#answer(question),
      prepareEdge: async ({ netns }) => {
        if (edge) await prepareEdge(netns)
      },
      onApply: (catalog, containers) => {
        edge?.apply(catalog, membership.host)
        vip?.apply(catalog, containers)
        overlay?.apply(catalog, membership.host, containers)
        this.#shelf.apply(catalog.clusters.values())
        keeper?.apply(catalog)
        this.#rendered?.apply(catalog)
        for (const tell of this.#subscribers) tell(catalog)
      },
    })
    try {
      await member.start()
    } catch (error) {
      await member[Symbol.asyncDispose]()
      throw error
    }
    this.#member = member
    // What has changed while it began to work.
    keeper?.refresh()
    member.membersChanged()
    this.#waitingFor = null
    log.info({ host: membership.host, address: membership.address }, 'at work')
  }

  async #standDown(): Promise<void> {
    const member = this.#member
    this.#member = undefined
    this.#keeper?.setHost(null)
    if (!member) return
    await member[Symbol.asyncDispose]()
    this.#options.log.info({ host: member.host }, 'stood down')
  }
}

const prepareEdge = async (netns: string): Promise<void> => {
  const done = await hostNamespaces.program(netns, {
    routes: EDGE_NETNS_COMMANDS,
    script: EDGE_NETNS_SCRIPT,
    flows: false,
    prepare: false,
    release: new Set(),
  })
  if (done === null) throw new MusterError('NOT_FOUND', `${netns} is gone.`)
}
