import { Loop, systemClock, type Clock } from '../base/index.ts'
import type { Catalog, NetworkId, ServiceId } from '../catalog/index.ts'
import { ContainerRules, type RulesGoal, type VipEvent } from './container-rules.ts'
import { Gate } from './gate.ts'
import { hostNamespaces, type Namespace } from './namespace.ts'
import { vipTable } from './render.ts'
import { EdgePlaces, wantsReturnPaths } from './return-path.ts'
import { EndpointTracker, type Cut } from './tracker.ts'
import { VIP_TUNABLES as T } from './tunables.ts'

/** A container of this host that may use virtual IPs. */
export interface LocalContainer {
  id: string
  /** Path of its network namespace: `/proc/PID/ns/net` or Docker's SandboxKey. */
  netns: string
  /** Overlay networks that it is in. */
  networks: readonly NetworkId[]
  /** The task that it is, if it is one. */
  endpoint?: { service: ServiceId } | null
}

export interface VipOptions {
  clock?: Clock
  onEvent?: (event: VipEvent) => void
  /** Processes at a time. */
  parallel?: number
  /** Who works in namespaces. Default: this host's nsenter, nft, conntrack and ss. */
  namespace?: Namespace
}

/** The virtual IPs now. */
export interface VipStatus {
  containers: number
  /** Containers whose rules are not (yet) what they should be. */
  behind: number
}

/**
 * Keeps the virtual IPs in the network namespaces of the local containers. What a namespace holds from
 * before is not read but replaced, which does open connections no harm. Every container has at most
 * one change under way, and the next one is the newest.
 */
export class VipProgrammer implements AsyncDisposable {
  readonly #clock: Clock
  readonly #emit: (event: VipEvent) => void
  readonly #namespace: Namespace
  readonly #parallel: number
  readonly #gate: Gate
  readonly #tracker = new EndpointTracker()
  readonly #edges = new EdgePlaces()
  readonly #rules = new Map<string, ContainerRules>()
  readonly #look: Loop
  /** Addresses to refuse, by network, and until when. */
  readonly #dead = new Map<NetworkId, Map<string, number>>()
  #catalog: Catalog | null = null
  #containers: readonly LocalContainer[] = []
  /** Until then, what the catalog lacks may only be unknown yet to the manager it now comes from. */
  #completeAt = 0
  #restUntil = 0
  /** What was last given has not been looked at. */
  #unseen = false

  constructor(options: VipOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#emit = options.onEvent ?? (() => undefined)
    this.#namespace = options.namespace ?? hostNamespaces
    this.#parallel = options.parallel ?? T.parallel
    this.#gate = new Gate(this.#parallel)
    this.#look = new Loop({
      run: async () => this.#update(),
      onError: (error) => this.#emit({ type: 'failed', container: '', error }),
      clock: this.#clock,
    })
  }

  /** Returns at once. Containers that are not listed (any more) are left as they are. */
  apply(catalog: Catalog, containers: readonly LocalContainer[]): void {
    const now = this.#clock.now()
    if (this.#catalog?.origin !== catalog.origin) this.#completeAt = now + T.originGrace
    this.#catalog = catalog
    this.#containers = containers
    this.#unseen = true
    this.#look.wake()
  }

  get status(): VipStatus {
    const rules = [...this.#rules.values()]
    return {
      containers: rules.length,
      behind: this.#unseen ? this.#containers.length : rules.filter((one) => one.behind).length,
    }
  }

  /**
   * Whether this container's answers find back to clients whose own addresses it gets to see. Changes
   * come with an `applied` event.
   */
  isReturning(container: string): boolean {
    return this.#rules.get(container)?.returning ?? false
  }

  /** Resolves when no process runs; what failed or rests is done later. */
  async settled(): Promise<void> {
    await this.#look.settled()
    await Promise.all([...this.#rules.values()].map((one) => one.settled()))
  }

  /** Stops programming; what is programmed stays. */
  async stop(): Promise<void> {
    await this.#look.stop()
    await Promise.all([...this.#rules.values()].map((one) => one.stop()))
    this.#rules.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #update(): void {
    const catalog = this.#catalog
    if (catalog === null) return
    const now = this.#clock.now()
    if (now < this.#restUntil) {
      this.#look.wakeIn(this.#restUntil - now)
      return
    }
    const complete = now >= this.#completeAt
    if (!complete) this.#look.wakeIn(this.#completeAt - now)

    const networks = new Set(this.#containers.flatMap((container) => container.networks))
    const cuts = this.#tracker.update(catalog, networks, { complete })
    this.#edges.update(catalog, { complete })
    this.#refuse(cuts, now)
    this.#forgetContainers()
    const goals = new Map<string, RulesGoal>()
    for (const container of this.#containers) {
      const returns = wantsReturnPaths(catalog, container.endpoint?.service)
      const key = `${container.networks.join()} ${returns}`
      const goal = goals.get(key) ?? this.#goal(container.networks, { catalog, cuts, returns })
      goals.set(key, goal)
      this.#rulesOf(container).want(goal)
    }
    this.#unseen = false
    const took = this.#clock.now() - now
    this.#restUntil = now + took + Math.min(took, T.longestLookRest)
  }

  #goal(
    networks: readonly NetworkId[],
    { catalog, cuts, returns }: { catalog: Catalog; cuts: readonly Cut[]; returns: boolean },
  ): RulesGoal {
    const table = vipTable(catalog, networks, returns ? this.#edges.on(networks) : [])
    return {
      table,
      key: `${returns} ${JSON.stringify(table)}`,
      returns,
      dead: new Map(networks.flatMap((network) => [...(this.#dead.get(network) ?? [])])),
      cuts: new Map(
        cuts
          .filter(({ network }) => networks.includes(network))
          .map(({ address, reason }) => [address, reason]),
      ),
    }
  }

  /** Remembers the addresses of containers that are gone, until they are old or used again. */
  #refuse(cuts: readonly Cut[], now: number): void {
    for (const { network, address, reason } of cuts) {
      if (reason !== 'gone') continue
      const dead = this.#dead.get(network) ?? new Map<string, number>()
      this.#dead.set(network, dead.set(address, now + T.deadFor))
    }
    if (this.#dead.size === 0) return
    const alive = this.#tracker.addresses()
    for (const [network, dead] of this.#dead) {
      for (const [address, until] of dead) {
        if (until <= now || alive.has(`${network} ${address}`)) dead.delete(address)
      }
      if (dead.size === 0) this.#dead.delete(network)
    }
  }

  #rulesOf(container: LocalContainer): ContainerRules {
    const known = this.#rules.get(container.id)
    if (known?.netns === container.netns) return known
    // Started again: another namespace, in which there is nothing yet.
    void known?.stop()
    const rules = new ContainerRules({
      container: container.id,
      netns: container.netns,
      namespace: this.#namespace,
      clock: this.#clock,
      onEvent: this.#emit,
      turn: (job) => this.#gate.run(job),
      rest: (tookMs) => this.#rest(tookMs),
    })
    this.#rules.set(container.id, rules)
    return rules
  }

  #rest(tookMs: number): number {
    const share = (T.restFactor * this.#rules.size) / this.#parallel - 1
    return Math.min(T.longestRest, Math.max(0, tookMs * share))
  }

  #forgetContainers(): void {
    const listed = new Set(this.#containers.map((container) => container.id))
    for (const [id, rules] of this.#rules) {
      if (listed.has(id)) continue
      this.#rules.delete(id)
      void rules.stop()
    }
  }
}
