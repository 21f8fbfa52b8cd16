import { LABEL, Loop, MusterError, messageOf } from '../base/index.ts'
import { type ClusterName, headOf, type Ledger, type RecipeChoice, same } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { perform } from './actions.ts'
import type { Action, Decision } from './facts.ts'
import { gather, hasPrimary, hasReadyWriter, type Reading } from './gather.ts'
import type { HostMemory } from './host-memory.ts'
import type { LeaderOptions } from './leader-options.ts'
import { readStoredLedgers, type StoredLedger, writeLedger } from './ledger-store.ts'
import { ensureSecrets } from './secrets.ts'

/** How often a cluster is looked at though nothing seems to happen: time itself decides some things. */
const BUSY_MS = 1000
const IDLE_MS = 5000
/** Longest pause after something that did not work. */
const FAILED_MS = 2000
/** Tasks have no events: what was read of them is old after this. */
const SWARM_MS = 1000
/** Decisions in one pass; more is a circle. */
const MOST_DECISIONS = 20

/** What Swarm says, and when it was asked. */
interface SwarmReading extends Pick<Reading, 'services' | 'tasks' | 'nodes'> {
  at: number
  /** The head. */
  service: Service | undefined
  stored: StoredLedger | undefined
}

/** One clustered service. */
export class ClusterLeader {
  readonly #name: ClusterName
  readonly #options: LeaderOptions
  readonly #hosts: HostMemory
  readonly #loop: Loop
  #swarm: SwarmReading | null = null
  #changes = 0
  #primaryAt: number
  #writerAt: number
  /** The ledger's high-water mark, and since when it is that. */
  #mark: { value: Ledger['highWater'] | undefined; at: number } = {
    value: undefined,
    at: -Infinity,
  }
  #explained = ''

  // oxlint-disable-next-line max-params -- what it is about, and what all of them share
  constructor(name: ClusterName, options: LeaderOptions, hosts: HostMemory) {
    this.#name = name
    this.#options = options
    this.#hosts = hosts
    this.#primaryAt = options.clock.now()
    this.#writerAt = options.clock.now()
    this.#loop = new Loop({
      clock: options.clock,
      run: () => this.#pass(),
      backoff: (failures) => Math.min(FAILED_MS, 100 * 2 ** failures),
      onError: (error) => options.onProblem(`${name}: ${messageOf(error)}`),
    })
    this.#loop.wake()
  }

  /** The catalog has changed; `swarm`: so may Swarm's own objects. */
  wake({ swarm }: { swarm: boolean }): void {
    if (swarm) this.#forget()
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
        this.#loop.wakeIn(BUSY_MS)
        return
      }
      const { reading, stored } = seen
      const facts = gather(reading, {
        now: this.#options.wallClock(),
        unheardFor: (host) => this.#hosts.unheardFor(host),
        awayFor: (host) => this.#hosts.awayFor(host),
        quietFor: clock.now() - this.#primaryAt,
        writerIdleFor: clock.now() - this.#writerAt,
        markedFor: clock.now() - this.#mark.at,
      })
      const decision = decide(facts)
      this.#explain(decision)
      if (decision.kind === 'wait') {
        const calm =
          reading.ledger.phase === 'formed' &&
          facts.wanted !== null &&
          (!facts.topology.writer || hasReadyWriter(reading))
        this.#loop.wakeIn(calm ? IDLE_MS : BUSY_MS)
        return
      }
      if (decision.kind === 'act') {
        this.#forget()
        await this.#perform(decision.actions, reading)
        this.#loop.wakeIn(BUSY_MS)
        return
      }
      this.#forget()
      await this.#perform(decision.before, reading)
      // Somebody else was faster: what they wrote is looked at next.
      if (!(await writeLedger(engine, decision.ledger, stored))) continue
      await this.#perform(decision.after, { ...reading, ledger: decision.ledger })
    }
    this.#loop.wakeIn(BUSY_MS)
  }

  /** Everything that is known now. Null: nothing to decide about. `again`: a ledger has been begun. */
  async #look(): Promise<{ reading: Reading; stored: StoredLedger } | 'again' | null> {
    const { engine, catalog: newest, clock, firstLedger } = this.#options
    const name = this.#name
    const { service, services, stored, nodes, tasks } = await this.#readSwarm()
    const catalog = newest()
    if (catalog === undefined) return null
    this.#hosts.update(catalog, nodes)
    const head = service === undefined ? null : headOf(service.Spec)
    if (stored === undefined) {
      const held = service?.Spec.Labels?.[LABEL.after] !== undefined
      if (head === null || held || head.members === 0) return null
      await this.#recipe(head.choice.name, head.choice)
      this.#forget()
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
    const recipe = await this.#recipe(ledger.recipe, head?.choice ?? null)
    const reading: Reading = {
      ledger,
      recipe,
      head: service === undefined || head === null ? null : { service, head },
      services,
      tasks,
      nodes,
      catalog,
    }
    this.#seeMark(ledger)
    if (hasPrimary(reading)) this.#primaryAt = clock.now()
    if (hasReadyWriter(reading)) this.#writerAt = clock.now()
    return { reading, stored }
  }

  #seeMark({ highWater }: Ledger): void {
    const { value, at } = this.#mark
    if (same(value, highWater)) return
    this.#mark = { value: highWater, at: value === undefined ? at : this.#options.clock.now() }
  }

  /** Swarm's own objects, read anew when they may have changed: reports come more often than that. */
  async #readSwarm(): Promise<SwarmReading> {
    const { engine, clock } = this.#options
    const name = this.#name
    const known = this.#swarm
    if (known !== null && clock.now() - known.at < SWARM_MS) return known
    const at = clock.now()
    const changes = this.#changes
    const [heads, services, { ledgers }, nodes] = await Promise.all([
      engine.listServices({ name: [name] }),
      engine.listServices({ label: [`${LABEL.cluster}=${name}`] }),
      readStoredLedgers(engine),
      engine.listNodes(),
    ])
    const tasks =
      services.length === 0
        ? []
        : await engine.listTasks({ service: services.map((each) => each.ID) })
    // The engine's filter takes prefixes too.
    const service = heads.find((each) => each.Spec.Name === name)
    const read = { at, service, services, stored: ledgers.get(name), nodes, tasks }
    // What changed while it was read may be missing from it.
    if (changes === this.#changes) this.#swarm = read
    return read
  }

  #forget(): void {
    this.#swarm = null
    this.#changes++
  }

  async #recipe(name: string, choice: RecipeChoice | null): Promise<Recipe> {
    const recipe = await this.#options.recipe({ cluster: this.#name, name, choice })
    if (recipe !== undefined) return recipe
    throw new MusterError('NOT_FOUND', `this agent has no recipe ${name}`, {
      hint:
        choice?.code === undefined
          ? 'Its version of Muster is probably older: restart the agents with the newest.'
          : 'The log of the agents says what is wrong with its module.',
    })
  }

  async #perform(actions: readonly Action[], reading: Reading): Promise<void> {
    if (actions.length === 0) return
    const { engine, run, random, registryAuth } = this.#options
    const secrets = await ensureSecrets(engine, {
      cluster: this.#name,
      recipe: reading.recipe,
      random,
    })
    await perform({ engine, run, reading, secrets, registryAuth, actions })
  }

  #explain({ explain }: Decision): void {
    const text = explain.join('\n')
    if (text === this.#explained) return
    this.#explained = text
    this.#options.onDecision(this.#name, explain)
  }
}
