import { Loop, type Clock } from '../base/index.ts'
import { parseFlows, planCuts, type CutReason } from './flows.ts'
import type { Namespace } from './namespace.ts'
import { renderVipScript, type VipTable } from './render.ts'
import { returnPathCommands } from './return-path.ts'
import { VIP_TUNABLES as T } from './tunables.ts'

/** What happens to virtual IPs, for logs and metrics. */
export type VipEvent =
  /** Rules of a container are what the catalog says, `latencyMs` after it said so. */
  | { type: 'applied'; container: string; latencyMs: number }
  /** Connections of a container to dead endpoints were ended. */
  | { type: 'cut'; container: string; connections: number }
  /** A change did not work and is tried again. */
  | { type: 'failed'; container: string; error: unknown }

/** What the rules of one container should be. */
export interface RulesGoal {
  table: VipTable
  /** The table as text, to compare. */
  key: string
  /** The table is one of a container that clients' own addresses are shown to. */
  returns: boolean
  /** Addresses to refuse, and until when (of the clock). */
  dead: ReadonlyMap<string, number>
  /** Addresses whose connections are to end now. */
  cuts: ReadonlyMap<string, CutReason>
}

export interface ContainerRulesOptions {
  container: string
  netns: string
  namespace: Namespace
  clock: Clock
  onEvent: (event: VipEvent) => void
  /** Waits for its turn among all containers. */
  turn: <T>(job: () => Promise<T>) => Promise<T>
  /** Milliseconds to rest after a change that took so long. */
  rest: (tookMs: number) => number
}

interface Applied {
  key: string
  returns: boolean
  routes: string
  vips: ReadonlySet<string>
  dead: ReadonlyMap<string, number>
  keeps: ReadonlyMap<string, ReadonlySet<string>>
}

const nothingApplied: Applied = {
  key: '',
  returns: false,
  routes: '',
  vips: new Set(),
  dead: new Map(),
  keeps: new Map(),
}

/** Where connections to ports for writes may stay, by `VIP PORT`. */
const keptAt = ({ services }: VipTable): Map<string, ReadonlySet<string>> =>
  new Map(
    services.flatMap(({ vip, ports = [] }) =>
      ports.flatMap(({ port, keeps }) =>
        keeps === undefined ? [] : [[`${vip} ${port}`, new Set(keeps)] as const],
      ),
    ),
  )

/** The rules in the network namespace of one container, and what they should be. */
export class ContainerRules {
  readonly #options: ContainerRulesOptions
  readonly #loop: Loop
  #goal: RulesGoal = {
    table: { services: [], returns: [] },
    key: '',
    returns: false,
    dead: new Map(),
    cuts: new Map(),
  }
  #applied: Applied = nothingApplied
  readonly #cuts = new Map<string, CutReason>()
  #prepared = false
  #restUntil = 0
  #pendingSince: number | null = null

  constructor(options: ContainerRulesOptions) {
    this.#options = options
    this.#loop = new Loop({
      run: () => this.#work(),
      onError: (error) => options.onEvent({ type: 'failed', container: options.container, error }),
      clock: options.clock,
    })
  }

  get netns(): string {
    return this.#options.netns
  }

  /** Whether answers to clients whose own addresses are shown find back. */
  get returning(): boolean {
    return this.#applied.returns
  }

  /** Whether something is still to be done. */
  get behind(): boolean {
    return this.#loop.busy || this.#needed()
  }

  want(goal: RulesGoal): void {
    this.#goal = goal
    for (const [address, reason] of goal.cuts) this.#cuts.set(address, reason)
    if (!this.#needed()) return
    this.#pendingSince ??= this.#options.clock.now()
    this.#loop.wake()
  }

  settled(): Promise<void> {
    return this.#loop.settled()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  #needed(): boolean {
    return this.#cuts.size > 0 || this.#scriptNeeded()
  }

  #scriptNeeded(): boolean {
    const { key, dead } = this.#applied
    if (key !== this.#goal.key) return true
    // Those that are over are forgotten by the kernel; those that live again must not be refused.
    const now = this.#options.clock.now()
    const refused = [...dead].filter(([, until]) => until > now).map(([address]) => address)
    return (
      [...this.#goal.dead.keys()].some((address) => !dead.has(address)) ||
      refused.some((address) => !this.#goal.dead.has(address))
    )
  }

  async #work(): Promise<void> {
    const { container, clock, turn, rest, onEvent } = this.#options
    const early = this.#restUntil - clock.now()
    if (early > 0 && this.#cuts.size === 0) {
      this.#loop.wakeIn(early)
      return
    }
    await turn(async () => {
      if (!this.#needed()) return
      const since = this.#pendingSince
      this.#pendingSince = null
      const startedAt = clock.now()
      let applied = false
      try {
        applied = await this.#apply()
      } finally {
        const endedAt = clock.now()
        this.#restUntil = endedAt + rest(endedAt - startedAt)
        if (!applied) this.#pendingSince = since
      }
      if (applied && since !== null) {
        onEvent({ type: 'applied', container, latencyMs: clock.now() - since })
      }
    })
  }

  /** False when there is no namespace to apply it to. */
  async #apply(): Promise<boolean> {
    const { container, netns, namespace, clock, onEvent } = this.#options
    const { table, key, returns, dead } = this.#goal
    const cuts = new Map(this.#cuts)
    // Routes that nothing is marked for (any more) do no harm.
    const routes = table.returns.length === 0 ? '' : returnPathCommands(table.returns)
    const vips = new Set(table.services.map((service) => service.vip))
    const added = vips.difference(this.#applied.vips)
    const keeps = keptAt(table)
    const moved = [...keeps].some(([port, at]) => {
      const before = this.#applied.keeps.get(port)
      return before !== undefined && !before.isSubsetOf(at)
    })
    const output = await namespace.program(netns, {
      script: this.#scriptNeeded() ? renderVipScript(table, remaining(dead, clock.now())) : null,
      routes: routes === '' || routes === this.#applied.routes ? null : routes,
      prepare: !this.#prepared,
      release: added,
      flows: cuts.size > 0 || added.size > 0 || moved,
    })
    if (output === null) {
      // Not there yet, or gone: its container starts or ends just now.
      this.#applied = nothingApplied
      this.#prepared = false
      this.#loop.wakeIn(T.missingRetry)
      return false
    }
    this.#prepared = true
    this.#applied = { key, returns, routes, vips, dead, keeps }
    const plan = planCuts({ flows: parseFlows(output), vips, cuts, added, keeps })
    if (plan.sockets.length + plan.directly.length + plan.forget.length > 0) {
      await namespace.cut(netns, plan)
    }
    for (const [address, reason] of cuts) {
      if (this.#cuts.get(address) === reason) this.#cuts.delete(address)
    }
    if (plan.sockets.length > 0) {
      onEvent({ type: 'cut', container, connections: plan.sockets.length })
    }
    if (this.#needed()) this.#loop.wake()
    return true
  }
}

const remaining = (
  dead: ReadonlyMap<string, number>,
  now: number,
): { address: string; seconds: number }[] =>
  [...dead]
    .filter(([, until]) => until > now)
    .map(([address, until]) => ({ address, seconds: (until - now) / 1000 }))
