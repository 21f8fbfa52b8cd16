import { readdir } from 'node:fs/promises'
import { type Clock, Loop, MusterError, messageOf, pauseOrChange } from '../../base/index.ts'
import {
  type Catalog,
  type Cluster,
  type HostId,
  type MemberReport,
  type NetworkId,
  type Position,
  type ProcessState,
  isHeard,
  reportsOf,
  same,
} from '../../catalog/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Answer, Recipe, Situation, Start } from '../../recipes/index.ts'
import type { Claim, VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import { runVolume } from '../member-spec.ts'
import type { HelperEngine } from './helper.ts'
import { lookAt } from './look.ts'
import { type Occupant, askerOf, occupantsOf } from './occupants.ts'
import { type Permit, type Stand, viewOf } from './permission.ts'
import { type Readiness, answered, isReady, notReady } from './readiness.ts'
import { type Look, reportOf } from './report.ts'
import { writeFiles } from './run-folder.ts'
import { SessionWatch } from './session.ts'
import { meetingNetwork, situationOf } from './situation.ts'

export type KeeperEngine = HelperEngine & Pick<Engine, 'exec' | 'inspectNetwork' | 'stopContainer'>

/** What all members of a host have in common. */
export interface KeeperContext {
  engine: KeeperEngine
  store: VolumeStore
  recipe: (name: string) => Recipe | undefined
  permit: Permit
  stand: Stand
  clock: Clock
  /** This host; null while it is in no swarm. */
  host: () => HostId | null
  /** What this host acts on; null while nothing is known. */
  catalog: () => Catalog | null
  /** Where a container is, on each overlay network. */
  addresses: (container: string) => Record<NetworkId, string>
  /** A report is another one than before. */
  onChange: () => void
  onEvent: (event: KeeperEvent) => void
}

export type KeeperEvent =
  | { type: 'passed'; member: string; start: Start['kind']; epoch: number; waitedMs: number }
  | { type: 'waiting'; member: string; reason: string }
  | { type: 'refused'; member: string; reason: string; waitedMs: number }
  | { type: 'founded'; member: string; epoch: number }
  | { type: 'promoted'; member: string; epoch: number }
  | { type: 'stopped'; member: string; reason: string }
  | { type: 'problem'; member: string; reason: string }

/** Docker waits two minutes. What is not decided by then is asked again by Swarm. */
export const GATE_LIMIT_MS = 100_000
/** A refusal may be overtaken by a decision; Swarm would try again at once, and in vain. */
const REFUSAL_PAUSE_MS = 10_000
/** Besides changes of the catalog: what the engine says of other containers is asked for. */
const GATE_POLL_MS = 1000
/** A position alone is no news before. */
const POSITION_MS = 5000
/** Answers missing in a row before the last status is no observation any more. */
const SILENT_ANSWERS = 3
const STOP_LIMIT_S = 60
const VERB_LIMIT_MS = 20_000

/** One member with a folder on this host, or which is to have one. */
export class MemberKeeper implements AsyncDisposable {
  readonly id: string
  readonly cluster: string
  readonly #context: KeeperContext
  readonly #life = new AbortController()
  readonly #loop: Loop
  /** One thing after the other, but for waiting. */
  #turns: Promise<unknown> = Promise.resolve()
  #changed = Promise.withResolvers<void>()
  #process: ProcessState = 'rest'
  #gate: AbortController | null = null
  #container: string | null = null
  /** The container that has been asked to end. */
  #stopping: string | null = null
  #look: Look | null = null
  /** Identity of the ledger that the data were compared with. */
  #looked: string | null = null
  #session: SessionWatch | null = null
  #readiness: Readiness = notReady
  #answer: Answer | null = null
  #silent = 0
  #position: { value: Position | null; at: number } = { value: null, at: -Infinity }
  #problem: string | null = null
  /** What the container at the gate waits for. */
  #waits: string | null = null
  #report: MemberReport | null = null

  constructor(member: { id: string; cluster: string }, context: KeeperContext) {
    this.id = member.id
    this.cluster = member.cluster
    this.#context = context
    this.#loop = new Loop({
      run: () => this.#turn(() => this.#reconcile()),
      onError: (error) => this.#trouble(messageOf(error)),
      clock: context.clock,
      backoff: (failures) => Math.min(30_000, 1000 * 2 ** (failures - 1)),
    })
  }

  /** Null while this host is in no swarm. */
  get report(): MemberReport | null {
    return this.#report
  }

  /** The container that was let at the data. */
  get container(): string | null {
    return this.#process === 'running' ? this.#container : null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    this.#gate?.abort()
    await this.#loop.stop()
    await this.#endSession()
    await this.#turns
  }

  /** The catalog or the folder has changed. */
  wake(): void {
    this.#announce()
    this.#loop.nudge()
  }

  /**
   * Holds a container until it may have the data. Resolves when it may, with everything in its place;
   * rejects with the reason when it may not, or is not decided in time.
   */
  async gate(mountId: string, signal: AbortSignal): Promise<void> {
    const { clock, onEvent } = this.#context
    // Docker has given up the earlier one, or it would not ask again.
    this.#gate?.abort(new MusterError('CONFLICT', 'another container asks for the data.'))
    const gate = new AbortController()
    this.#gate = gate
    const ended = AbortSignal.any([signal, gate.signal, this.#life.signal])
    const begin = clock.now()
    const waited = () => Math.round(clock.now() - begin)
    try {
      for (;;) {
        const change = this.#changed.promise
        const outcome = await this.#turn(() => this.#decide(mountId, ended))
        if (outcome.kind === 'passed') {
          // Whoever asked has gone meanwhile: then no process starts.
          if (ended.aborted) await this.#turn(() => this.#end(null))
          ended.throwIfAborted()
          const { start, epoch } = outcome
          onEvent({ type: 'passed', member: this.id, start, epoch, waitedMs: waited() })
          return
        }
        if (this.#waits !== outcome.reason) {
          onEvent({ type: 'waiting', member: this.id, reason: outcome.reason })
          this.#waits = outcome.reason
          this.#publish()
        }
        const limit = outcome.kind === 'refuse' ? REFUSAL_PAUSE_MS : GATE_LIMIT_MS
        if (waited() >= limit) {
          const verb = outcome.kind === 'refuse' ? 'may not start' : 'waits'
          throw new MusterError('CONFLICT', `${this.id} ${verb}: ${outcome.reason}.`)
        }
        await pauseOrChange(clock, GATE_POLL_MS, { signal: ended, change })
        ended.throwIfAborted()
      }
    } catch (error) {
      onEvent({
        type: 'refused',
        member: this.id,
        reason: messageOf(error),
        waitedMs: waited(),
      })
      throw error
    } finally {
      if (this.#gate === gate) {
        this.#gate = null
        this.#waits = null
        if (this.#process === 'gate') this.#process = 'rest'
        this.#publish()
      }
    }
  }

  /** Docker has let go of a mount. */
  unmounted(mountId: string): Promise<void> {
    return this.#turn(async () => {
      if (this.#record()?.marker.passed === mountId) await this.#end(null)
    })
  }

  /** A container of the member runs. */
  started(container: string): Promise<void> {
    return this.#turn(async () => {
      if (this.#process === 'running' && this.#container === container && this.#session) return
      await this.#endSession()
      this.#process = 'running'
      this.#container = container
      this.#look = null
      this.#beginSession()
      this.#publish()
    })
  }

  /** A container of the member has ended. `exit` null: nobody saw how. */
  ended(container: string, exit: number | null): Promise<void> {
    return this.#turn(async () => {
      if (container === this.#container) await this.#end(exit)
    })
  }

  /** The engine's list, complete: what is not there does not run. */
  settle(occupants: readonly Occupant[], engineRestarted: boolean): Promise<void> {
    const own = occupants.filter(({ service }) => service === this.id)
    const running = own.find((each) => each.running)
    if (running) return this.started(running.container)
    return this.#turn(async () => {
      const passed = this.#record()?.marker.passed
      const starting = askerOf(own, this.id)
      // An agent that was away cannot tell whether it was let through just now.
      if (passed && starting && !engineRestarted && this.#gate === null) {
        this.#process = 'running'
        this.#container = starting.container
      } else if (this.#process === 'running' || passed) await this.#end(null)
      this.#loop.wake()
      this.#publish()
    })
  }

  #turn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(act)
    this.#turns = turn.catch(() => undefined)
    return turn
  }

  /** Undefined if there is none, or none that can be read. */
  #record(): VolumeRecord | undefined {
    return this.#context.store.list().find(({ name }) => name === this.id)
  }

  #cluster(): Cluster | null {
    return this.#context.catalog()?.clusters.get(this.cluster) ?? null
  }

  #recipe(): Recipe | undefined {
    const name = this.#cluster()?.ledger.recipe ?? this.#record()?.marker.recipe
    return name === undefined || name === null ? undefined : this.#context.recipe(name)
  }

  #announce(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** What can be done without being asked. */
  async #reconcile(): Promise<void> {
    await this.#obey()
    const record = this.#record()
    const recipe = this.#recipe()
    const cluster = this.#cluster()
    if (this.#process === 'running') {
      this.#beginSession()
      await this.#stand()
    } else if (record && recipe) {
      // While the stack is down nobody waits for the position, unless the leader asks.
      const deep = cluster !== null && (cluster.head !== null || isRecovering(cluster))
      await this.#examine(record, recipe, { deep, image: null })
    }
    this.#publish()
  }

  /** What becomes of the process that runs. */
  async #stand(): Promise<void> {
    const { engine, stand, catalog, onEvent } = this.#context
    const recipe = this.#recipe()
    const known = catalog()
    const own = this.#publish()
    const container = this.#container
    if (!recipe || !known || !own || container === null) return
    const standing = stand(viewOf(known, own, recipe.topology), this.#claimed())
    if (standing.kind === 'stay') return
    if (standing.kind === 'stop') {
      onEvent({ type: 'stopped', member: this.id, reason: standing.reason })
      return this.#stop(container)
    }
    const command = recipe.verbs.promote?.()
    if (!command) return
    onEvent({ type: 'promoted', member: this.id, epoch: own.epoch })
    const { exited, stdin, stdout, stderr } = await engine.exec(container, { command })
    stdout.resume()
    let words = ''
    stderr.setEncoding('utf8').on('data', (text: string) => (words += text.slice(0, 500)))
    const late = this.#context.clock.sleep(VERB_LIMIT_MS, this.#life.signal).then(() => null)
    const exit = await Promise.race([exited, late])
    stdin.destroy()
    if (exit !== 0) {
      throw new MusterError(
        'ENGINE_REFUSED',
        `${this.id} did not become the first: ${words.trim()}`,
      )
    }
  }

  /** The epoch in which this process was started as the first; 0 if it was not. */
  #claimed(): number {
    const claim = this.#record()?.marker.claim
    return claim?.kind === 'form' || claim?.kind === 'first' ? claim.epoch : 0
  }

  /** Asks the process to end; Swarm starts another, which comes to the gate. */
  #stop(container: string): void {
    if (this.#stopping === container) return
    this.#stopping = container
    this.#context.engine
      .stopContainer(container, { timeoutSeconds: STOP_LIMIT_S })
      .catch((error: unknown) => {
        this.#stopping = null
        this.#trouble(messageOf(error))
      })
  }

  /** Promises, for good, to act on no older epoch than the one that is known. */
  async #obey(): Promise<void> {
    const ledger = this.#cluster()?.ledger
    const record = this.#record()
    if (!ledger || !record || ledger.epoch <= record.marker.epoch) return
    await this.#context.store.mark(record.name, { epoch: ledger.epoch })
  }

  /**
   * Looks at the data at rest, if that has not been done; `deep`: also at how far they are. False
   * while somebody uses them.
   */
  async #examine(
    record: VolumeRecord,
    recipe: Recipe,
    { deep, image }: { deep: boolean; image: string | null },
  ): Promise<boolean> {
    const cluster = this.#cluster()
    const ledger = cluster?.ledger.uid ?? null
    if (this.#look && this.#looked === ledger && (this.#look.recovered || !deep)) return true
    const { engine, store } = this.#context
    const occupants = await occupantsOf(engine, record.name)
    if (occupants.some(({ running }) => running)) return false
    const known = image ?? occupants.find((each) => each.image !== null)?.image
    this.#look = await lookAt({
      engine,
      store,
      record,
      recipe,
      cluster,
      image: deep ? (known ?? record.marker.image) : null,
      signal: this.#life.signal,
    })
    this.#looked = ledger
    return true
  }

  /** One look at the gate: passed, or why not. */
  async #decide(mountId: string, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted()
    const { engine, permit, host } = this.#context
    const wait = (reason: string): Outcome => ({ kind: 'wait', reason })
    const record = this.#record()
    if (!record) return wait('its folder is gone')
    const occupants = await occupantsOf(engine, record.name)
    const asker = askerOf(occupants, this.id)
    if (!asker) return { kind: 'refuse', reason: `only a task of ${this.id} may have its data` }
    const other = occupants.find(({ running }) => running)
    if (other) return wait(`container ${other.container.slice(0, 12)} still uses its data`)
    if (this.#process === 'running') await this.#end(null)
    this.#process = 'gate'
    this.#container = asker.container
    if (host() === null || this.#context.catalog() === null) {
      return wait('the agent of its host does not know the cluster yet')
    }
    const recipe = this.#recipe()
    if (!this.#cluster() || !recipe) {
      return wait(`there is no ledger of ${this.cluster} that this host can read`)
    }
    await this.#obey()
    const examined = await this.#examine(record, recipe, { deep: true, image: asker.image })
    if (!examined) return wait('its data are in use')
    const known = this.#context.catalog()
    const network = known && meetingNetwork(known, this.id)
    if (!network) return wait('its networks are not known yet')
    const { IPAM } = await engine.inspectNetwork(network)
    const subnet = IPAM?.Config?.[0]?.Subnet ?? ''
    // From here to the decision nothing may come between.
    const own = this.#publish()
    const cluster = this.#cluster()
    const catalog = this.#context.catalog()
    const fresh = this.#record()
    if (!own || !cluster || !catalog || !fresh) return wait('its cluster has just changed')
    if (cluster.ledger.epoch !== fresh.marker.epoch) {
      return wait(
        `the ledger at hand is of epoch ${cluster.ledger.epoch}, not ${fresh.marker.epoch}`,
      )
    }
    signal.throwIfAborted()
    const permission = permit(viewOf(catalog, own, recipe.topology))
    if (permission.kind === 'wait' || permission.kind === 'refuse') return permission
    if (permission.kind === 'reset') {
      await this.#reset()
      return wait(permission.reason)
    }
    this.#process = 'running'
    try {
      const situation = situationOf(catalog, cluster, {
        self: this.id,
        network,
        subnet,
        start: permission,
      })
      await this.#pass(situation, { record: fresh, cluster, recipe, mountId, asker })
    } catch (error) {
      this.#process = 'gate'
      throw error
    }
    return { kind: 'passed', start: permission.kind, epoch: cluster.ledger.epoch }
  }

  /** Makes everything ready for the process, and writes down what it was let in for. */
  async #pass(situation: Situation, pass: Pass): Promise<void> {
    const { store } = this.#context
    const { record, cluster, recipe, mountId, asker } = pass
    const { start } = situation
    const name = this.id
    const files = recipe.render(situation)
    const startsEmpty = start.kind === 'form' || (start.kind === 'join' && start.position === null)
    if (startsEmpty) {
      // What a start that was cut off has left is in the way.
      const left = await readdir(store.path(record))
      if (left.length > 0) await store.setAside(name)
    }
    const { uid: ledger, epoch } = cluster.ledger
    const claim: Claim = { ledger, epoch, kind: start.kind }
    await store.mark(name, {
      claim,
      passed: mountId,
      clean: false,
      recipe: recipe.name,
      image: asker.image,
    })
    const run = store.get(runVolume(this.id))
    if (run) await writeFiles(store.path(run), files)
    this.#look = null
    this.#problem = null
    this.#publish()
  }

  /** Takes the data out of the way: the folder is another one from then on, and empty. */
  async #reset(): Promise<void> {
    const { store } = this.#context
    await store.setAside(this.id)
    await store.renew(this.id)
    this.#look = null
    // Asked again at once, with the new identity.
    this.#announce()
  }

  /** The process is no more. */
  async #end(exit: number | null): Promise<void> {
    const { store } = this.#context
    await this.#endSession()
    const record = this.#record()
    if (record && (exit !== null || record.marker.passed !== null)) {
      const clean = exit === null ? record.marker.clean : exit === 0
      await store.mark(this.id, { passed: null, clean })
    }
    if (this.#process === 'running') {
      this.#process = this.#gate === null ? 'rest' : 'gate'
      this.#look = null
      this.#problem = null
    }
    this.#publish()
    this.#announce()
    this.#loop.wake()
  }

  #beginSession(): void {
    const recipe = this.#recipe()
    const container = this.#container
    if (this.#session || !recipe || container === null || this.#life.signal.aborted) return
    const { engine, clock } = this.#context
    this.#readiness = notReady
    this.#answer = null
    this.#silent = 0
    this.#position = { value: null, at: -Infinity }
    const { session } = recipe
    this.#session = new SessionWatch({
      engine,
      container,
      session,
      clock,
      onAnswer: (answer, askedAt) => {
        void this.#turn(() => this.#onAnswer(container, answer, { askedAt, recipe })).catch(
          (error: unknown) => this.#trouble(messageOf(error)),
        )
      },
      // A container that has just started, or is about to end: the next try tells.
      onProblem: () => undefined,
    })
  }

  async #endSession(): Promise<void> {
    const session = this.#session
    this.#session = null
    await session?.[Symbol.asyncDispose]()
  }

  async #onAnswer(
    container: string,
    answer: Answer | null,
    { askedAt, recipe }: { askedAt: number; recipe: Recipe },
  ): Promise<void> {
    if (container !== this.#container || this.#session === null) return
    const { clock, onEvent } = this.#context
    const { everyMs } = recipe.session
    this.#readiness = answered(this.#readiness, answer, { askedAt, everyMs })
    this.#silent = answer === null ? this.#silent + 1 : 0
    if (answer !== null || this.#silent >= SILENT_ANSWERS) this.#answer = answer
    if (answer) await this.#remember(answer)
    const stuck = answer?.stuck ?? null
    if (stuck !== null && this.#stopping !== container) {
      onEvent({ type: 'stopped', member: this.id, reason: stuck })
      this.#stop(container)
    }
    this.#problem = stuck ?? answer?.doing ?? null
    const newest = answer?.position ?? null
    const due = clock.now() - this.#position.at >= POSITION_MS
    const moved = !same(this.#report?.status ?? null, this.#answer?.status ?? null)
    if (newest !== null && (due || moved)) this.#position = { value: newest, at: clock.now() }
    this.#publish()
  }

  /** What must be on disk before anybody is told that the member is primary. */
  async #remember({ status }: Answer): Promise<void> {
    const record = this.#record()
    const primary = status.component !== null && ['ready', 'donor'].includes(status.role)
    if (!record || !primary) return
    const { claim, founded, joined } = record.marker
    const ledger = this.#cluster()?.ledger
    const granted =
      ledger !== undefined &&
      (ledger.phase === 'forming' || ledger.phase === 'recovering') &&
      ledger.grant?.epoch === ledger.epoch &&
      ledger.grant.members[this.id] === record.uid
    const first = claim !== null && (claim.kind === 'form' || claim.kind === 'first')
    const epoch = Math.max(founded, first ? claim.epoch : 0, granted ? ledger.epoch : 0)
    const of = claim?.ledger ?? ledger?.uid ?? null
    if (epoch === founded && joined === of) return
    const { store, onEvent } = this.#context
    await store.mark(record.name, { founded: epoch, joined: of })
    await store.dropAside(record.name)
    if (epoch !== founded) onEvent({ type: 'founded', member: this.id, epoch })
  }

  #trouble(reason: string): void {
    if (this.#life.signal.aborted) return
    this.#problem = reason
    this.#context.onEvent({ type: 'problem', member: this.id, reason })
    this.#publish()
  }

  /** Makes the report anew; tells when it is another. */
  #publish(): MemberReport | null {
    const { host, catalog, addresses, onChange } = this.#context
    const self = host()
    if (self === null) return (this.#report = null)
    const all = catalog()
    const status = this.#answer?.status ?? null
    const others =
      all !== null &&
      reportsOf(all, this.cluster).some(
        (each) => each.ready && each.id !== this.id && isHeard(all, each),
      )
    const report = reportOf({
      id: this.id,
      cluster: this.cluster,
      host: self,
      record: this.#record(),
      broken: this.#context.store.problem(this.id),
      ledger: this.#cluster()?.ledger ?? null,
      process: this.#process,
      look: this.#look,
      status,
      position: this.#position.value,
      ready: isReady(this.#readiness, status, others),
      container: this.#container,
      addresses: this.#container === null ? {} : addresses(this.#container),
      problem: this.#waits ?? this.#problem,
    })
    if (!same(this.#report, report)) {
      this.#report = report
      onChange()
    }
    return this.#report
  }
}

const isRecovering = ({ ledger }: Cluster): boolean => ledger.phase === 'recovering'

type Outcome =
  | { kind: 'passed'; start: Start['kind']; epoch: number }
  | { kind: 'wait' | 'refuse'; reason: string }

interface Pass {
  record: VolumeRecord
  cluster: Cluster
  recipe: Recipe
  mountId: string
  asker: Occupant
}
