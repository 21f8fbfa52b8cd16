import { type Clock, MusterError, messageOf } from '../../base/index.ts'
import {
  type Catalog,
  type HostId,
  type MemberId,
  type MemberReport,
  type NetworkId,
  TUNABLES,
} from '../../catalog/index.ts'
import { type Engine, type EngineEvent, watch } from '../../engine/index.ts'
import type { VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import { removeHelpers } from './helper.ts'
import type { KeeperEngine, KeeperEvent, RecipeFinder } from './context.ts'
import { MemberKeeper } from './member-keeper.ts'
import { SERVICE_NAME } from './occupants.ts'
import type { Permit, Stand } from './permission.ts'

export interface KeeperOptions {
  engine: KeeperEngine & Pick<Engine, 'events' | 'listContainers'>
  store: VolumeStore
  recipe: RecipeFinder
  permit: Permit
  stand: Stand
  clock: Clock
  /** Where a container is, on each overlay network. */
  addresses: (container: string) => Record<NetworkId, string>
  /** `reports` is another than before. */
  onChange: () => void
  onEvent: (event: KeeperEvent) => void
}

/**
 * Keeps the members of clustered services on this host: their data at rest, the gate before their
 * start, and their state while they run. Decides nothing by itself.
 */
export class Keeper implements AsyncDisposable {
  readonly #options: KeeperOptions
  readonly #life = new AbortController()
  readonly #members = new Map<MemberId, MemberKeeper>()
  /** Resolves once the containers have been read for the first time. */
  readonly #settled = Promise.withResolvers<void>()
  #host: HostId | null = null
  #catalog: Catalog | null = null
  #reports: ReadonlyMap<MemberId, MemberReport> = new Map()
  #watching: Promise<void> | undefined
  /** The containers have been read once. */
  #known = false
  /** Helpers of an earlier life are gone. */
  #cleaned = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** What this host says of its members. A report that has not changed is the same object. */
  get reports(): ReadonlyMap<MemberId, MemberReport> {
    return this.#reports
  }

  /** Resolves once `reports` is the truth. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  start(): void {
    this.#watching ??= this.#watch(this.#life.signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await Promise.all([...this.#members.values()].map((each) => each[Symbol.asyncDispose]()))
    await this.#watching
  }

  /** This host is in a swarm now, or (null) in none. */
  setHost(host: HostId | null): void {
    this.#host = host
    if (host === null) this.#catalog = null
    this.refresh()
  }

  /** The catalog that this host acts on. */
  apply(catalog: Catalog): void {
    if (this.#catalog === catalog) return
    this.#catalog = catalog
    this.refresh()
  }

  /** Looks for members that are new or gone, and lets all look at what has changed. */
  refresh(): void {
    const wanted = new Map<MemberId, string>()
    for (const { type, member } of this.#options.store.list()) {
      if (member && type === 'local') wanted.set(member.id, member.cluster)
    }
    for (const { ledger } of this.#catalog?.clusters.values() ?? []) {
      for (const [id, { host }] of Object.entries(ledger.members)) {
        if (host === this.#host) wanted.set(id, ledger.cluster)
      }
    }
    for (const [id, member] of this.#members) {
      if (wanted.has(id)) continue
      this.#members.delete(id)
      void member[Symbol.asyncDispose]()
    }
    for (const [id, cluster] of wanted) this.#member(id, cluster).wake()
    this.#publish()
  }

  /** The gate of the volume driver. */
  async gate(volume: VolumeRecord, mountId: string, signal: AbortSignal): Promise<void> {
    if (!volume.member) return
    const { id, cluster } = volume.member
    const member = this.#member(id, cluster)
    await Promise.race([this.#settled.promise, aborted(signal)])
    await member.gate(mountId, signal)
  }

  unmounted(volume: VolumeRecord, mountId: string): void {
    const member = volume.member && this.#members.get(volume.member.id)
    if (member) void this.#safely(member.unmounted(mountId))
  }

  /** Whether a member's container takes traffic; null for any other container. */
  ready(container: string, service: string): boolean | null {
    const member = this.#members.get(service)
    if (!member) return null
    return member.container === container && member.report?.ready === true
  }

  #member(id: MemberId, cluster: string): MemberKeeper {
    const known = this.#members.get(id)
    if (known?.cluster === cluster) return known
    void known?.[Symbol.asyncDispose]()
    const member = new MemberKeeper(
      { id, cluster },
      {
        ...this.#options,
        host: () => this.#host,
        catalog: () => this.#catalog,
        onChange: () => this.#publish(),
      },
    )
    this.#members.set(id, member)
    if (this.#known) void this.#safely(member.settle(false))
    return member
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#options
    const items = watch({
      engine,
      filters: { type: ['container'], event: ['start', 'die', 'destroy'] },
      list: async () => {
        // Nothing of an earlier life of this agent may be at the data.
        if (!this.#cleaned) await removeHelpers(engine)
        this.#cleaned = true
      },
      resyncMs: TUNABLES.containersResync,
      signal,
      clock,
    })
    let restarted = false
    for await (const item of items) {
      if (item.kind === 'event') this.#onEvent(item.event)
      else if (item.kind === 'down') restarted = true
      else {
        const settling = this.#settle(restarted)
        restarted = false
        // Later ones may wait for a look at data; what the engine tells meanwhile does not.
        if (!this.#known) await settling
        this.#known = true
        this.#settled.resolve()
        this.#publish()
      }
    }
  }

  async #settle(restarted: boolean): Promise<void> {
    this.refresh()
    await Promise.all(
      [...this.#members.values()].map((member) => this.#safely(member.settle(restarted))),
    )
  }

  #onEvent({ Action: action, Actor: actor }: EngineEvent): void {
    const { ID: container, Attributes: attributes = {} } = actor ?? {}
    const member = this.#members.get(attributes[SERVICE_NAME] ?? '')
    if (!member || container === undefined) return
    if (action === 'start') void this.#safely(member.started(container))
    else if (action === 'die') {
      const exit = Number(attributes['exitCode'] ?? 255)
      void this.#safely(member.ended(container, exit))
    } else void this.#safely(member.ended(container, null))
  }

  async #safely(done: Promise<void>): Promise<void> {
    try {
      await done
    } catch (error) {
      this.#options.onEvent({ type: 'problem', member: '', reason: messageOf(error) })
    }
  }

  #publish(): void {
    const reports = new Map<MemberId, MemberReport>()
    for (const { id, report } of this.#members.values()) if (report) reports.set(id, report)
    const same =
      reports.size === this.#reports.size &&
      [...reports].every(([id, report]) => this.#reports.get(id) === report)
    if (same) return
    this.#reports = reports
    this.#options.onChange()
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const end = () => reject(signal.reason ?? new MusterError('TIMEOUT', 'given up'))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
