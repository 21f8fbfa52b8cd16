import { Loop, MusterError, messageOf, pause } from '../../base/index.ts'
import {
  type DataSnapshot,
  type MemberReport,
  type ProcessState,
  isHeard,
  reportsOf,
  same,
} from '../../catalog/index.ts'
import type { Answer } from '../../recipes/index.ts'
import type { KeeperContext } from './context.ts'
import { DataAtRest } from './data-at-rest.ts'
import { type GateOutcome, holdAtGate } from './gate.ts'
import { lookAtGate } from './gate-look.ts'
import { type Known, knownOf } from './known.ts'
import { memoryOf } from './memory.ts'
import { type Occupant, lastExit, occupantsOf, outcomeOf, tookLeave } from './occupants.ts'
import { viewOf } from './permission.ts'
import { reportOf } from './report.ts'
import { RunningMember } from './running-member.ts'
import { newestSnapshot } from './snapshots.ts'

/** From the permission to a running process; Docker needs much less. */
const START_LIMIT_MS = 30_000
/** Docker lets go of the volumes a moment before it tells that a container has ended. */
const UNMOUNT_GRACE_MS = 2000
/** How often it is seen whether a member that runs has made a snapshot. */
const SNAPSHOTS_MS = 10_000

/** One member with a folder on this host, or which is to have one. */
export class MemberKeeper implements AsyncDisposable {
  readonly id: string
  readonly cluster: string
  readonly #context: KeeperContext
  readonly #life = new AbortController()
  readonly #known: Known
  readonly #data: DataAtRest
  readonly #loop: Loop
  /** One thing after the other, but for waiting. */
  #turns: Promise<unknown> = Promise.resolve()
  #changed = Promise.withResolvers<void>()
  #process: ProcessState = 'rest'
  #gate: AbortController | null = null
  /** The engine has been asked who is at the data. */
  #settled = false
  #container: string | null = null
  #running: RunningMember | null = null
  #problem: string | null = null
  /** What the container at the gate waits for. */
  #waits: string | null = null
  #report: MemberReport | null = null
  #snapshot: { newest: DataSnapshot | null; at: number } = { newest: null, at: -Infinity }

  constructor(member: { id: string; cluster: string }, context: KeeperContext) {
    this.id = member.id
    this.cluster = member.cluster
    this.#context = context
    this.#known = knownOf(member, context)
    this.#data = new DataAtRest({ ...context, signal: this.#life.signal })
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
    await this.#endWatch()
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
      const { start, epoch } = await holdAtGate({
        member: this.id,
        clock,
        look: () => this.#turn(() => this.#look(mountId, ended)),
        changed: () => this.#changed.promise,
        onWait: (reason) => {
          onEvent({ type: 'waiting', member: this.id, reason })
          this.#waits = reason
          this.#publish()
        },
        signal: ended,
      })
      // Whoever asked has gone meanwhile: then no process starts.
      if (ended.aborted) await this.#turn(() => this.#end(null))
      ended.throwIfAborted()
      onEvent({ type: 'passed', member: this.id, start, epoch, waitedMs: waited() })
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
    if (this.#known.record()?.marker.passed !== mountId) return Promise.resolve()
    // One that has run ends with an event that says how, which is on its way.
    return this.#checkAfter(UNMOUNT_GRACE_MS)
  }

  /** A container of the member runs. */
  started(container: string): Promise<void> {
    // Nobody else may be at the data, and its end would be waited for.
    this.#data.interrupt()
    return this.#turn(() => this.#begin(container))
  }

  /** A container of the member has ended. `exit` null: nobody saw how. */
  ended(container: string, exit: number | null): Promise<void> {
    return this.#turn(async () => {
      if (container === this.#container) await this.#end(exit)
    })
  }

  /** The engine can be asked again. What its events would have told is found out. */
  async settle(engineRestarted: boolean): Promise<void> {
    await this.#turn(async () => {
      const outcome = outcomeOf(await this.#own(), {
        member: this.id,
        container: this.#process === 'running' ? this.#container : null,
        passed: this.#known.record()?.marker.passed != null,
        gate: this.#gate !== null,
        restarted: engineRestarted,
      })
      if (outcome.kind === 'running') await this.#begin(outcome.container)
      if (outcome.kind === 'ended') await this.#end(outcome.exit)
      if (outcome.kind === 'starting') {
        this.#process = 'running'
        this.#container = outcome.container
        void this.#checkAfter(START_LIMIT_MS).catch((error: unknown) =>
          this.#trouble(messageOf(error)),
        )
      }
      this.#settled = true
      this.#publish()
    })
    this.#loop.wake()
  }

  /** Containers of its own service that have its folder. */
  async #own(): Promise<Occupant[]> {
    const occupants = await occupantsOf(this.#context.engine, this.id)
    return occupants.filter(({ service }) => service === this.id)
  }

  /** After a while a process that was let in has to run, or has come to an end. */
  async #checkAfter(ms: number): Promise<void> {
    const { signal } = this.#life
    const mount = this.#known.record()?.marker.passed
    await pause(this.#context.clock, ms, signal)
    if (signal.aborted) return
    await this.#turn(async () => {
      if (this.#process !== 'running' || this.#known.record()?.marker.passed !== mount) return
      const own = await this.#own()
      if (!own.some(({ running }) => running)) await this.#end(lastExit(own))
    })
  }

  #turn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(act)
    this.#turns = turn.catch(() => undefined)
    return turn
  }

  #announce(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** What can be done without being asked. */
  async #reconcile(): Promise<void> {
    await this.#seeSnapshots()
    await this.#known.obey()
    const record = this.#known.record()
    const recipe = this.#known.recipe()
    const cluster = this.#known.cluster()
    if (this.#process === 'running') {
      this.#beginWatch()
      await this.#stand()
    } else if (record && recipe && this.#settled) {
      // It may take a while: that its host is there is known at once.
      this.#publish()
      // While the stack is down nobody waits for the position, unless the leader asks.
      const deep =
        cluster !== null && (cluster.head !== null || cluster.ledger.phase === 'recovering')
      await this.#data.examine(record, recipe, { cluster, deep, image: null })
    }
    await this.#seeSnapshots()
    this.#publish()
  }

  /** What becomes of the process that runs. */
  async #stand(): Promise<void> {
    const { stand, catalog, onEvent } = this.#context
    const recipe = this.#known.recipe()
    const known = catalog()
    const own = this.#publish()
    const running = this.#running
    if (!recipe || !known || !own || !running) return
    const standing = stand(viewOf(known, own, recipe), this.#known.claimed())
    if (standing.kind === 'stop') this.#stop(running, standing.reason)
    if (standing.kind !== 'promote') return
    onEvent({ type: 'promoted', member: this.id, epoch: own.epoch })
    await running.promote()
  }

  #stop(running: RunningMember, reason: string): void {
    if (running.stop()) this.#context.onEvent({ type: 'stopped', member: this.id, reason })
  }

  /** One look at the gate: passed, or why not. */
  async #look(mountId: string, signal: AbortSignal): Promise<GateOutcome> {
    const outcome = await lookAtGate({
      member: this,
      context: this.#context,
      known: this.#known,
      data: this.#data,
      mountId,
      signal,
      onAsker: async (asker, occupants) => {
        if (this.#process === 'running') {
          // The event that tells its end may still be on its way.
          const before = occupants.find(({ container }) => container === this.#container)
          await this.#end(before?.exit ?? null)
        }
        this.#process = 'gate'
        this.#container = asker.container
      },
      report: () => this.#publish(),
      onReset: () => this.#announce(),
      onProcess: (process) => (this.#process = process),
    })
    if (outcome.kind !== 'passed') return outcome
    this.#data.forget()
    this.#problem = null
    this.#publish()
    void this.#checkAfter(START_LIMIT_MS).catch((error: unknown) => this.#trouble(messageOf(error)))
    return outcome
  }

  async #begin(container: string): Promise<void> {
    if (this.#process === 'running' && this.#running?.container === container) {
      this.#running.started()
      return
    }
    await this.#endWatch()
    this.#process = 'running'
    this.#container = container
    this.#data.forget()
    this.#beginWatch()
    this.#publish()
  }

  /** The process is no more. */
  async #end(exit: number | null): Promise<void> {
    const { store } = this.#context
    await this.#endWatch()
    const marker = this.#known.record()?.marker
    if (marker) {
      await store.mark(this.id, { passed: null, clean: marker.clean || tookLeave(exit) })
    }
    if (this.#process === 'running') {
      this.#process = this.#gate === null ? 'rest' : 'gate'
      this.#data.forget()
      this.#problem = null
    }
    this.#publish()
    this.#announce()
    this.#loop.wake()
  }

  #beginWatch(): void {
    const recipe = this.#known.recipe()
    const container = this.#container
    if (this.#running || !recipe || container === null || this.#life.signal.aborted) return
    const { engine, clock } = this.#context
    const running: RunningMember = new RunningMember({
      engine,
      container,
      recipe,
      clock,
      onAnswer: (answer, askedAt) => {
        this.#turn(() => this.#hear(running, answer, askedAt)).catch((error: unknown) =>
          this.#trouble(messageOf(error)),
        )
      },
      onProblem: (error) => this.#trouble(messageOf(error)),
    })
    this.#running = running
  }

  async #endWatch(): Promise<void> {
    const running = this.#running
    this.#running = null
    await running?.[Symbol.asyncDispose]()
  }

  async #hear(running: RunningMember, answer: Answer | null, askedAt: number): Promise<void> {
    if (running !== this.#running) return
    running.take(answer, askedAt)
    if (answer) {
      this.#problem = null
      await this.#remember(answer)
    }
    if (running.stuck !== null) this.#stop(running, running.stuck)
    if (this.#context.clock.now() - this.#snapshot.at >= SNAPSHOTS_MS) await this.#seeSnapshots()
    this.#publish()
  }

  /** What must be on disk before anybody is told that the member is primary. */
  async #remember(answer: Answer): Promise<void> {
    const { store, onEvent } = this.#context
    const record = this.#known.record()
    const memory = record && memoryOf(answer, record, this.#known.cluster()?.ledger)
    if (!memory) return
    const { founded, joined } = record.marker
    await store.mark(record.name, memory)
    if (joined !== memory.joined) await store.dropAside(record.name)
    if (founded !== memory.founded) {
      onEvent({ type: 'founded', member: this.id, epoch: memory.founded })
    }
  }

  async #seeSnapshots(): Promise<void> {
    const { store, clock } = this.#context
    const newest = await newestSnapshot(store, this.#known.record(), this.#known.recipe())
    this.#snapshot = { newest, at: clock.now() }
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
    const running = this.#running
    // Who takes the writes goes on while it gives its state: nobody has newer data.
    const others =
      all !== null &&
      this.#known.cluster()?.ledger.writer !== this.id &&
      reportsOf(all, this.cluster).some(
        (each) => each.ready && each.id !== this.id && isHeard(all, each),
      )
    const report = reportOf({
      id: this.id,
      cluster: this.cluster,
      host: self,
      record: this.#known.record(),
      broken: this.#context.store.problem(this.id),
      ledger: this.#known.cluster()?.ledger ?? null,
      process: this.#process,
      look: this.#data.look,
      snapshot: this.#snapshot.newest,
      status: running?.status ?? null,
      position: running?.position ?? null,
      ready: running?.ready(others) ?? false,
      container: this.#container,
      addresses: this.#container === null ? {} : addresses(this.#container),
      problem: this.#waits ?? this.#problem ?? running?.problem ?? null,
    })
    if (!same(this.#report, report)) {
      this.#report = report
      onChange()
    }
    return this.#report
  }
}
