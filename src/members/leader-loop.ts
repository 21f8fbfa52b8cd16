/**
 * The leader's part of clustered services: sees what there is, asks `decide`, writes the ledger, and
 * does what was decided. Two leaders at once do no harm: the ledger changes by compare-and-swap, and
 * every action may be repeated.
 */
import { type Clock, LABEL, Loop, MusterError, messageOf } from '../base/index.ts'
import {
  type Catalog,
  type ClusterName,
  type HostId,
  headOf,
  type Ledger,
} from '../catalog/index.ts'
import type { Engine, Node } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { type ActionContext, perform } from './actions.ts'
import type { Decision, Facts } from './facts.ts'
import { gather, type Reading, takesTasks } from './gather.ts'
import { readStoredLedgers, type StoredLedger, writeLedger } from './ledger-store.ts'
import { ensureSecrets } from './secrets.ts'

export type LeaderEngine = Pick<
  Engine,
  | 'listServices'
  | 'listTasks'
  | 'listNodes'
  | 'listConfigs'
  | 'createConfig'
  | 'updateConfig'
  | 'createService'
  | 'updateService'
  | 'removeService'
  | 'inspectService'
  | 'listSecrets'
  | 'createSecret'
>

export interface LeaderOptions {
  engine: LeaderEngine
  /** Undefined while this manager has not seen the whole cluster yet. */
  catalog: () => Catalog | undefined
  recipes: readonly Recipe[]
  decide: (facts: Facts) => Decision
  /** The ledger of a cluster that has none. */
  firstLedger: (cluster: ClusterName, recipe: string) => Ledger
  random: (bytes: number) => Buffer
  /** Runs a command in a container of a host. */
  run: ActionContext['run']
  clock: Clock
  /** Milliseconds since 1970. */
  wallClock: () => number
  /** What was decided and why, when it is something else than before. */
  onDecision: (cluster: ClusterName, explain: readonly string[]) => void
  onProblem: (text: string) => void
}

/** How often a cluster is looked at though nothing seems to happen: time itself decides some things. */
const BUSY_MS = 1000
const IDLE_MS = 5000
/** Decisions in one pass; more is a circle. */
const MOST_DECISIONS = 20

/** All clustered services, each in its own time. */
export class MembersLeader implements AsyncDisposable {
  readonly #options: LeaderOptions
  readonly #clusters = new Map<ClusterName, ClusterLeader>()
  readonly #search: Loop
  readonly #hosts: HostMemory

  constructor(options: LeaderOptions) {
    this.#options = options
    this.#hosts = new HostMemory(options.clock)
    this.#search = new Loop({
      clock: options.clock,
      run: () => this.#find(),
      onError: (error) => options.onProblem(`clustered services: ${messageOf(error)}`),
    })
    this.#search.wake()
  }

  /** Swarm's objects may have changed. */
  onServices(): void {
    this.#search.wake()
  }

  /** The catalog has changed. */
  onCatalog(): void {
    for (const cluster of this.#clusters.values()) cluster.wake()
  }

  /** Resolves when nothing is being done; for tests. */
  async settled(): Promise<void> {
    await this.#search.settled()
    await Promise.all([...this.#clusters.values()].map((each) => each.settled()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#search.stop()
    await Promise.all([...this.#clusters.values()].map((each) => each.stop()))
  }

  async #find(): Promise<void> {
    const { engine } = this.#options
    const [heads, members, { ledgers, problems }] = await Promise.all([
      engine.listServices({ label: [LABEL.recipe] }),
      engine.listServices({ label: [LABEL.memberOf] }),
      readStoredLedgers(engine),
    ])
    for (const problem of problems.values()) this.#options.onProblem(problem)
    const names = new Set([
      ...heads.map((each) => each.Spec.Name),
      ...members.map((each) => each.Spec.Labels?.[LABEL.cluster] ?? ''),
      ...ledgers.keys(),
    ])
    // What cannot be read is not decided about.
    for (const name of problems.keys()) names.delete(name)
    for (const [name, cluster] of this.#clusters) {
      if (names.has(name)) continue
      this.#clusters.delete(name)
      await cluster.stop()
    }
    for (const name of names) {
      const known = this.#clusters.get(name)
      if (known === undefined) {
        this.#clusters.set(name, new ClusterLeader(name, this.#options, this.#hosts))
      } else known.wake()
    }
  }
}

/** Since when hosts are not heard, or away; as far as this leader has seen. */
class HostMemory {
  readonly #clock: Clock
  readonly #began: number
  readonly #heard = new Map<HostId, number>()
  readonly #away = new Map<HostId, number>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began = clock.now()
  }

  update(catalog: Catalog, nodes: readonly Node[]): void {
    const now = this.#clock.now()
    for (const { id, state } of catalog.hosts.values()) {
      if (state === 'alive') this.#heard.set(id, now)
    }
    for (const node of nodes) {
      const away = node.Status?.State === 'down' || node.Spec.Availability === 'drain'
      if (!away) this.#away.delete(node.ID)
      else if (!this.#away.has(node.ID)) this.#away.set(node.ID, now)
    }
  }

  unheardFor(host: HostId): number {
    return this.#clock.now() - (this.#heard.get(host) ?? this.#began)
  }

  awayFor(host: HostId): number {
    const since = this.#away.get(host)
    return since === undefined ? 0 : Math.max(1, this.#clock.now() - since)
  }
}

/** One clustered service. */
class ClusterLeader {
  readonly #name: ClusterName
  readonly #options: LeaderOptions
  readonly #hosts: HostMemory
  readonly #loop: Loop
  #primaryAt: number
  #explained = ''

  // oxlint-disable-next-line max-params -- what it is about, and what all of them share
  constructor(name: ClusterName, options: LeaderOptions, hosts: HostMemory) {
    this.#name = name
    this.#options = options
    this.#hosts = hosts
    this.#primaryAt = options.clock.now()
    this.#loop = new Loop({
      clock: options.clock,
      run: () => this.#pass(),
      onError: (error) => options.onProblem(`${name}: ${messageOf(error)}`),
    })
    this.#loop.wake()
  }

  wake(): void {
    this.#loop.nudge()
  }

  settled(): Promise<void> {
    return this.#loop.settled()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #pass(): Promise<void> {
    const { decide, clock, engine } = this.#options
    for (let round = 0; round < MOST_DECISIONS; round++) {
      const seen = await this.#look()
      if (seen === 'again') continue
      if (seen === null) {
        this.#loop.wakeIn(IDLE_MS)
        return
      }
      const { reading, stored } = seen
      const facts = gather(reading, {
        now: this.#options.wallClock(),
        unheardFor: (host) => this.#hosts.unheardFor(host),
        awayFor: (host) => this.#hosts.awayFor(host),
        quietFor: clock.now() - this.#primaryAt,
      })
      const decision = decide(facts)
      this.#explain(decision)
      if (decision.kind === 'wait') {
        const calm = reading.ledger.phase === 'formed' && facts.wanted !== null
        this.#loop.wakeIn(calm ? IDLE_MS : BUSY_MS)
        return
      }
      if (decision.kind === 'act') {
        await this.#perform(decision.actions, reading)
        this.#loop.wakeIn(BUSY_MS)
        return
      }
      await this.#perform(decision.before, reading)
      // Somebody else was faster: what they wrote is looked at next.
      if (!(await writeLedger(engine, decision.ledger, stored))) continue
      await this.#perform(decision.after, { ...reading, ledger: decision.ledger })
    }
    this.#loop.wakeIn(BUSY_MS)
  }

  /** Everything that is known now. Null: nothing to decide about. `again`: a ledger has been begun. */
  async #look(): Promise<{ reading: Reading; stored: StoredLedger } | 'again' | null> {
    const { engine, catalog: newest, recipes, clock, firstLedger } = this.#options
    const name = this.#name
    const [heads, services, { ledgers }, nodes] = await Promise.all([
      engine.listServices({ name: [name] }),
      engine.listServices({ label: [`${LABEL.cluster}=${name}`] }),
      readStoredLedgers(engine),
      engine.listNodes(),
    ])
    const catalog = newest()
    if (catalog === undefined) return null
    this.#hosts.update(catalog, nodes)
    // The engine's filter takes prefixes too.
    const service = heads.find((each) => each.Spec.Name === name)
    const head = service === undefined ? null : headOf(service.Spec)
    const stored = ledgers.get(name)
    if (stored === undefined) {
      const held = service?.Spec.Labels?.[LABEL.after] !== undefined
      if (head === null || held || head.members === 0) return null
      this.#recipe(head.choice.name)
      await writeLedger(engine, firstLedger(name, head.choice.name), undefined)
      return 'again'
    }
    const { ledger } = stored
    if (head === null && services.length === 0) return null
    if (head !== null && head.choice.name !== ledger.recipe) {
      throw new MusterError(
        'STACK_REFUSED',
        `its data are of the recipe ${ledger.recipe}, its file says ${head.choice.name}`,
        { hint: 'Give the service another name, or remove its data (muster down --volumes).' },
      )
    }
    const recipe = this.#recipe(ledger.recipe)
    const tasks =
      services.length === 0
        ? []
        : await engine.listTasks({ service: services.map((each) => each.ID) })
    const reading: Reading = {
      ledger,
      recipe,
      head: service === undefined || head === null ? null : { service, head },
      services,
      tasks,
      nodes,
      catalog,
    }
    if (hasPrimary(reading)) this.#primaryAt = clock.now()
    return { reading, stored }

    function hasPrimary({ catalog: { members, hosts } }: Reading): boolean {
      return [...members.values()].some(
        (each) =>
          each.cluster === name &&
          hosts.get(each.host)?.state === 'alive' &&
          each.status !== null &&
          each.status.role !== 'outside',
      )
    }

    void recipes
  }

  #recipe(name: string): Recipe {
    const recipe = this.#options.recipes.find((each) => each.name === name)
    if (recipe !== undefined) return recipe
    throw new MusterError('NOT_FOUND', `this agent has no recipe ${name}`, {
      hint: 'Its version of Muster is probably older: restart the agents with the newest.',
    })
  }

  async #perform(
    actions: Decision extends never ? never : ActionContext['actions'],
    reading: Reading,
  ): Promise<void> {
    if (actions.length === 0) return
    const { engine, run, random } = this.#options
    const secrets = await ensureSecrets(engine, {
      cluster: this.#name,
      recipe: reading.recipe,
      random,
    })
    await perform({ engine, run, reading, secrets, actions })
  }

  #explain({ explain }: Decision): void {
    const text = explain.join('\n')
    if (text === this.#explained) return
    this.#explained = text
    this.#options.onDecision(this.#name, explain)
  }
}

void takesTasks
