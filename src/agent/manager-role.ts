import { randomBytes } from 'node:crypto'
import { type Clock, messageOf, pause } from '../base/index.ts'
import { type HostId, TUNABLES } from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import { type LeaderLoop, lostHostsLoop, releaseLoop } from '../leader/index.ts'
import { decide, firstLedger, type LeaderOptions, MembersLeader } from '../members/index.ts'
import { ClusterWatch } from './cluster-watch.ts'
import type { Log } from './log.ts'
import { onceInAWhile } from './once-in-a-while.ts'
import { Manager, type ManagerEvents } from './manager.ts'
import { probe } from './probe.ts'
import type { CommandResult, CommandTarget } from './run-command.ts'

export interface ManagerRoleOptions {
  engine: Engine
  host: HostId
  /** Port that agents listen on. */
  port: number
  clock: Clock
  /** Milliseconds of the attentive clock. */
  attentive: () => number
  log: Log
  events: ManagerEvents
  onLeader: (leader: HostId | null) => void
  /** Of Swarm's own objects: something may have moved. */
  onServices: () => void
  /** Runs a command in a container of any host. */
  run: (
    target: CommandTarget,
    what: { command: string[]; timeoutMs: number },
  ) => Promise<CommandResult>
  /** The recipe of a clustered service. */
  recipe: LeaderOptions['recipe']
  /** Credentials for registries. */
  registryAuth: LeaderOptions['registryAuth']
}

/** What an agent does while its host is a manager: keeps the catalog, and leads when it is leader. */
export class ManagerRole implements AsyncDisposable {
  readonly manager: Manager
  readonly #options: ManagerRoleOptions
  readonly #life = new AbortController()
  readonly #cluster: ClusterWatch
  readonly #running: Promise<unknown>
  #leader: HostId | null = null
  #leading: { life: AbortController; loops: Promise<unknown>; members: MembersLeader } | undefined
  #changed = Promise.withResolvers<void>()

  constructor(options: ManagerRoleOptions) {
    this.#options = options
    const { engine, host, clock, log } = options
    this.manager = new Manager({
      self: host,
      origin: `${host} ${Date.now()}`,
      now: options.attentive,
      probe: (address) => probe(address, options.port, options.attentive),
      events: options.events,
      onChange: () => {
        const { members, clusters } = this.manager.table
        if (members.size + clusters.size > 0) this.#leading?.members.onCatalog()
      },
    })
    const problem = onceInAWhile(clock, (text) => log.warn(text))
    this.#cluster = new ClusterWatch({
      engine,
      sources: this.manager.sources,
      clock,
      onHosts: () => this.manager.hostsChanged(),
      onReady: () => {
        if (this.manager.serving) return
        this.manager.serving = true
        this.manager.announce()
        log.info('the cluster is read; others may follow this manager')
      },
      onServices: () => {
        this.#changed.resolve()
        this.#leading?.members.onServices()
        options.onServices()
      },
      onDown: (error) => problem(`cannot read the cluster: ${error.message}`),
      onProblem: problem,
    })
    const { signal } = this.#life
    this.#running = Promise.all([this.#cluster.run(signal), this.#watchLeader(signal)])
  }

  /** Who leads, as far as this manager knows. */
  get leader(): HostId | null {
    return this.#leader
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await this.#running
    await this.#stopLeading()
    this.manager[Symbol.dispose]()
  }

  /** Swarm tells nobody when Raft elects another leader, so it is asked. */
  async #watchLeader(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#options
    while (!signal.aborted) {
      let leader: HostId | null = null
      try {
        const managers = await engine.listNodes({ role: ['manager'] })
        leader = managers.find((node) => node.ManagerStatus?.Leader === true)?.ID ?? null
      } catch {
        // No quorum, or no engine: this host then does not lead, whoever else may.
      }
      await this.#setLeader(leader)
      await pause(clock, TUNABLES.leaderPoll, signal)
    }
  }

  async #setLeader(leader: HostId | null): Promise<void> {
    if (leader === this.#leader) return
    const { host, onLeader, log } = this.#options
    this.#leader = leader
    onLeader(leader)
    this.manager.leader = leader === host
    this.manager.announce()
    this.#cluster.readHosts()
    if (leader === host) this.#startLeading()
    else await this.#stopLeading()
    log.info({ leader }, leader === host ? 'this host leads' : 'another host leads, or none')
  }

  #startLeading(): void {
    const { engine, clock, log } = this.#options
    const loops: LeaderLoop[] = [
      releaseLoop({
        engine,
        clock,
        // A copy: the table itself changes under whoever reads it.
        catalog: () => this.manager.table.catalog('', 0),
        changed: () => {
          this.#changed = Promise.withResolvers()
          return this.#changed.promise
        },
        onRelease: (service) => log.info({ service }, 'its dependencies are there: it may start'),
        onProblem: onceInAWhile(clock, (text) => log.warn(text)),
      }),
      lostHostsLoop({
        engine,
        clock,
        sight: (host) => this.manager.table.hosts.get(host)?.state,
        onLost: (host) => log.warn({ host }, 'lost with the leader: its tasks are given to others'),
        onProblem: onceInAWhile(clock, (text) => log.warn(text)),
      }),
    ]
    const life = new AbortController()
    const run = async (loop: LeaderLoop) => {
      try {
        await loop.start(life.signal)
      } catch (error) {
        log.error({ loop: loop.name, reason: messageOf(error) }, 'a loop of the leader has ended')
      }
    }
    this.#leading = { life, loops: Promise.all(loops.map(run)), members: this.#leadMembers() }
  }

  #leadMembers(): MembersLeader {
    const { engine, clock, log, run } = this.#options
    return new MembersLeader({
      engine,
      catalog: () => (this.manager.serving ? this.manager.table.catalog('', 0) : undefined),
      recipe: this.#options.recipe,
      registryAuth: this.#options.registryAuth,
      decide,
      firstLedger,
      random: randomBytes,
      run,
      clock,
      wallClock: () => Date.now(),
      onDecision: (cluster, explain) => log.info({ cluster, explain }, 'decided'),
      onProblem: onceInAWhile(clock, (text) => log.warn(text)),
    })
  }

  async #stopLeading(): Promise<void> {
    const leading = this.#leading
    this.#leading = undefined
    leading?.life.abort()
    await leading?.members[Symbol.asyncDispose]()
    await leading?.loops
  }
}
