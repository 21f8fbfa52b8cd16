import type { Duplex } from 'node:stream'
import { type Clock, MusterError, messageOf, pause } from '../base/index.ts'
import {
  type Catalog,
  type ExecRequest,
  type Hello,
  type HostQuestion,
  type HostId,
  type MemberId,
  type MemberReport,
  type NetworkId,
  type Refusal,
  TUNABLES,
  type Usage,
  attentiveClock,
  overlay,
} from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import type { LeaderOptions } from '../members/index.ts'
import { wantsReturnPaths } from '../vip/index.ts'
import { CertificateWatch, type Certificates, type Identity } from './certificates.ts'
import { Containers } from './containers.ts'
import { askPeer, serveQuestion } from './questions.ts'
import type { EdgeSight } from './edge-sight.ts'
import { readHostRequest, refuseExec, relayExec, serveExec } from './exec.ts'
import { Links } from './links.ts'
import type { LocalContainer } from './local-container.ts'
import type { Log } from './log.ts'
import type { ManagerEvents } from './manager.ts'
import { ManagerRole } from './manager-role.ts'
import { withMembers } from './member-endpoints.ts'
import type { Membership } from './membership.ts'
import type { Metrics } from './metrics.ts'
import { ReturnGate } from './return-gate.ts'
import { StartHooks } from './start-hooks.ts'
import { runCommand } from './run-command.ts'
import { PeerServer, type Visitor } from './server.ts'
import { usageMeter } from './usage.ts'

export interface MemberOptions {
  engine: Engine
  membership: Membership
  certificates: Certificates
  /** Port that agents listen on, everywhere. */
  port: number
  /** Address to listen on; default every one. */
  listen?: string
  version: string
  /** Where it is remembered whose post_start commands have ended well. */
  hooksFolder: string
  clock: Clock
  log: Log
  metrics: Metrics
  /** Makes the edge's network namespace fit for clients' addresses. */
  prepareEdge: (edge: EdgeSight) => Promise<void>
  /** Members of clustered services that this host has data or a container of. */
  members?: () => ReadonlyMap<MemberId, MemberReport>
  /** Resolves once `members` is the truth. */
  membersSettled?: Promise<void>
  /** Whether a container of a service takes traffic as a member; null if it is no member. */
  memberReady?: (container: string, service: string) => boolean | null
  /** TCP ports of this host that its edge could not listen on. */
  takenPorts: () => Promise<number[]>
  /** Whether a container that clients' own addresses are shown to can answer them. */
  isReturning: (container: string) => boolean
  /** The recipe of a clustered service. */
  recipe: LeaderOptions['recipe']
  /** Credentials for registries. */
  registryAuth: LeaderOptions['registryAuth']
  /** Answers a question about this host. */
  answer: (question: HostQuestion) => Promise<unknown>
  /** Ends a start that waits for the engine. */
  signal: AbortSignal
  /** There is a new catalog to act on, or another list of local containers. */
  onApply: (catalog: Catalog, containers: readonly LocalContainer[]) => void
}

const NO_MEMBERS: ReadonlyMap<MemberId, MemberReport> = new Map()

/** An agent at work: its host is in a swarm. Lives until the host leaves it, or the agent ends. */
export class Member implements AsyncDisposable {
  readonly #options: MemberOptions
  readonly #life = new AbortController()
  readonly #attentive
  readonly #certificates: CertificateWatch
  readonly #containers: Containers
  readonly #gate: ReturnGate
  readonly #links: Links
  readonly #server: PeerServer
  readonly #startedAt: number
  #membership: Membership
  #role: ManagerRole | undefined
  #catalog: Catalog | undefined
  #applying: NodeJS.Immediate | undefined
  #ticker: NodeJS.Timeout | undefined
  #gateTimer: NodeJS.Timeout | undefined
  #watching: Promise<void> | undefined
  #usage: Usage | undefined

  constructor(options: MemberOptions) {
    this.#options = options
    this.#membership = options.membership
    const { engine, clock, log, metrics, version } = options
    const { host } = options.membership
    this.#startedAt = clock.now()
    this.#attentive = attentiveClock(clock)
    this.#certificates = new CertificateWatch({
      folder: options.membership.certificates,
      current: options.certificates,
      onChange: (certificates) => {
        this.#server.renew(certificates)
        log.info({ manager: certificates.identity.manager }, 'new certificate')
      },
      onError: (error) => log.warn({ reason: messageOf(error) }, 'certificates not read'),
    })
    this.#gate = new ReturnGate({
      wants: (service) => wantsReturnPaths(this.#links.catalog, service),
      ready: options.isReturning,
      now: () => clock.now(),
      onLate: ({ container }) =>
        log.warn({ container }, 'announced although its answers may not find back to clients'),
    })
    this.#containers = new Containers({
      engine,
      host,
      clock,
      onChange: () => this.#tell(),
      prepareEdge: options.prepareEdge,
      startHooks: new StartHooks({
        engine,
        folder: options.hooksFolder,
        clock,
        onDone: (container) => this.#containers.look(container),
        onProblem: (problem) => log.warn(problem),
      }),
      onDown: (error) => this.#engineDown(error),
      onProblem: (problem) => log.warn(problem),
      processExists,
    })
    this.#links = new Links({
      certificates: () => this.#certificates.current,
      version,
      own: () => this.#own,
      now: () => this.#attentive.now(),
      clock,
      random: Math.random,
      onCatalog: () => this.#applySoon(),
      onFollow: (manager) => log.info({ manager }, 'follows another manager'),
      onResync: () => metrics.resyncs.inc(),
      onEnd: ({ id }, { code, message }) => {
        metrics.streamEnds.inc({ reason: code })
        if (code === 'corrupt') metrics.corrupt.inc()
        log.debug({ manager: id, code, message }, 'stream to a manager ended')
      },
    })
    this.#server = new PeerServer({
      certificates: options.certificates,
      port: options.port,
      ...(options.listen === undefined ? {} : { address: options.listen }),
      version,
      admit: (identity, purpose) => this.#admit(identity, purpose),
      onStream: (visitor) => this.#role?.manager.accept(visitor),
      onExec: (visitor) => void this.#onExec(visitor),
      onRefusal: (reason, from) => this.#refused(reason, from),
    })
  }

  async start(): Promise<void> {
    const { clock } = this.#options
    await this.#server.start()
    this.#certificates.start()
    this.#ticker = setInterval(() => {
      this.#attentive.tick()
      this.#role?.manager.tick()
      this.#links.tick()
    }, TUNABLES.tick)
    this.#watching = this.#containers.run(this.#life.signal)
    void this.#reportUsage(clock)
    await this.#takeRole()
    // A first report without the containers that run would say that there are none.
    const { signal } = this.#options
    const ended = new Promise((resolve) => {
      if (signal.aborted) resolve(undefined)
      signal.addEventListener('abort', resolve, { once: true })
    })
    await Promise.race([Promise.all([this.#containers.ready, this.#options.membersSettled]), ended])
    if (!signal.aborted) await this.#connect()
  }

  /** The engine has told anew where this host is. */
  async update(membership: Membership): Promise<void> {
    this.#membership = membership
    await this.#takeRole()
    await this.#connect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    clearInterval(this.#ticker)
    clearTimeout(this.#gateTimer)
    clearImmediate(this.#applying)
    this.#certificates[Symbol.dispose]()
    await this.#links[Symbol.asyncDispose]()
    await this.#role?.[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
    await this.#watching
  }

  /** The rules of a local container are in effect: it may be what its endpoint waits for. */
  rulesApplied(): void {
    if (this.#gate.nextAt !== null) this.#tell()
  }

  /** What this host says of its endpoints may be another thing now. */
  #tell(): void {
    this.#applySoon()
    this.#links.report()
    clearTimeout(this.#gateTimer)
    const { nextAt } = this.#gate
    if (nextAt === null || this.#life.signal.aborted) return
    const wait = Math.max(1, nextAt - this.#options.clock.now())
    this.#gateTimer = setTimeout(() => this.#tell(), wait)
  }

  get host(): HostId {
    return this.#membership.host
  }

  get role(): ManagerRole | undefined {
    return this.#role
  }

  get links(): Links {
    return this.#links
  }

  get usage(): Usage | undefined {
    return this.#usage
  }

  /** The catalog that this host acts on; undefined before the first came. */
  get catalog(): Catalog | undefined {
    return this.#catalog
  }

  /** Runs a command for a caller on this host, here or wherever the container is. */
  async exec(connection: Duplex, request: ExecRequest): Promise<void> {
    const { engine, port, version } = this.#options
    if (request.host === this.host) return serveExec(engine, connection, request)
    const address = this.#catalog?.hosts.get(request.host)?.address
    if (!address) throw new MusterError('NOT_FOUND', `There is no host ${request.host}.`)
    await relayExec(connection, request, {
      peer: { host: request.host, address, port, manager: false },
      certificates: this.#certificates.current,
      version,
    })
  }

  /** Asks a host, this one or another. */
  async ask(host: HostId, question: HostQuestion): Promise<unknown> {
    const { port, version, answer } = this.#options
    if (host === this.host) return answer(question)
    const address = this.#catalog?.hosts.get(host)?.address
    if (!address) throw new MusterError('NOT_FOUND', `There is no host ${host}.`)
    return askPeer(question, {
      peer: { host, address, port, manager: false },
      certificates: this.#certificates.current,
      version,
    })
  }

  get #own() {
    const { host, name, address } = this.#membership
    const { leaving, engineDown, edge } = this.#containers.state
    const { memberReady } = this.#options
    const endpoints = withMembers(
      this.#gate.view(this.#containers.state.endpoints),
      ({ container }) =>
        memberReady?.(
          container,
          this.#containers.state.containers.get(container)?.serviceName ?? '',
        ) ?? null,
    )
    const members = this.#options.members?.() ?? NO_MEMBERS
    return { host, name, address, endpoints, leaving, engineDown, edge, members }
  }

  /** Where a local container is, on each overlay network. */
  addressesOf(container: string): Record<NetworkId, string> {
    return this.#containers.state.containers.get(container)?.endpoint?.addresses ?? {}
  }

  /** `members` has changed. */
  membersChanged(): void {
    this.#applySoon()
    this.#links.report()
  }

  #connect(): Promise<void> {
    const { port } = this.#options
    return this.#links.setManagers(
      this.#membership.managers.map(({ id, address }) => ({ id, address, port })),
    )
  }

  /** Begins or ends to be a manager, as the engine says. */
  async #takeRole(): Promise<void> {
    const { manager, host } = this.#membership
    if (manager === (this.#role !== undefined)) return
    const { engine, clock, log, metrics, port } = this.#options
    log.info({ manager }, manager ? 'this host is a manager' : 'this host is no manager any more')
    const old = this.#role
    this.#role = manager
      ? new ManagerRole({
          engine,
          host,
          port,
          clock,
          attentive: () => this.#attentive.now(),
          log,
          events: managerEvents(log, metrics, (reason, from) => this.#refused(reason, from)),
          onLeader: () => metrics.leaderChanges.inc(),
          onServices: () => undefined,
          recipe: this.#options.recipe,
          registryAuth: this.#options.registryAuth,
          run: (target, what) =>
            runCommand((connection, request) => this.exec(connection, request), target, what),
        })
      : undefined
    await old?.[Symbol.asyncDispose]()
  }

  #admit(identity: Identity, purpose: Hello['purpose']): Refusal | null {
    if (purpose === 'exec') return identity.manager ? null : 'not-a-manager'
    if (!this.#role) return 'not-a-manager'
    const { hosts } = this.#role.manager.sources
    // Before the first reading of the cluster, the certificate has to be enough.
    return hosts.length === 0 || hosts.some(({ id }) => id === identity.host)
      ? null
      : 'unknown-host'
  }

  async #onExec({ socket }: Visitor): Promise<void> {
    try {
      const asked = await readHostRequest(socket)
      if ('exec' in asked) await serveExec(this.#options.engine, socket, asked.exec)
      else await serveQuestion(socket, asked.question, this.#options.answer)
    } catch (error) {
      refuseExec(socket, error)
    }
  }

  #refused(reason: Refusal, from: string): void {
    const { metrics, log } = this.#options
    metrics.refused.inc({ reason })
    if (reason === 'corrupt') metrics.corrupt.inc()
    log.warn({ reason, from }, 'refused')
  }

  #engineDown(error: MusterError): void {
    if (this.#containers.state.engineDown) return
    this.#options.metrics.engineReconnects.inc()
    this.#options.log.warn({ reason: error.message }, 'the Docker Engine went away')
  }

  /** Once for all that changes at the same time. */
  #applySoon(): void {
    this.#applying ??= setImmediate(() => {
      this.#applying = undefined
      const { catalog } = this.#links
      // Before a manager has said anything, what this host does stays as it is.
      if (catalog.origin === '') return
      this.#catalog = overlay(catalog, this.#own)
      this.#options.onApply(this.#catalog, [...this.#containers.state.containers.values()])
    })
  }

  async #reportUsage(clock: Clock): Promise<void> {
    const { signal } = this.#life
    const measure = usageMeter()
    while (!signal.aborted) {
      try {
        this.#usage = {
          ...(await measure()),
          tasks: this.#containers.tasks,
          taken: await this.#options.takenPorts(),
          uptime: Math.round(clock.now() - this.#startedAt),
          version: this.#options.version,
        }
        this.#links.reportUsage(this.#usage)
      } catch (error) {
        this.#options.log.warn({ reason: messageOf(error) }, 'cannot tell how busy this host is')
      }
      await pause(clock, TUNABLES.usage, signal)
    }
  }
}

const managerEvents = (
  log: Log,
  metrics: Metrics,
  onRefusal: ManagerEvents['onRefusal'],
): ManagerEvents => ({
  onPush: ({ waited }) => {
    metrics.pushes.inc()
    metrics.pushSeconds.observe(waited / 1000)
  },
  onResync: () => metrics.resyncs.inc(),
  onRefusal,
  onHostState: (host, state, before) => log.info({ host, state, before }, 'host state'),
  onDoubt: (doubt, sees, of) =>
    log.warn(
      { sees, of },
      doubt ? 'most hosts are out of sight: nobody is suspected' : 'most hosts are in sight again',
    ),
  onStreamEnd: (host, reason, error) => {
    metrics.streamEnds.inc({ reason })
    log.debug({ host, reason, error: error?.message }, 'stream of a host ended')
  },
})

const processExists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
