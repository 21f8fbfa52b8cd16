import { type Clock, MusterError } from '../../base/index.ts'
import { type MemberStatus, type Position, same } from '../../catalog/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Answer, Recipe } from '../../recipes/index.ts'
import { type Readiness, answered, isReady, notReady } from './readiness.ts'
import { SessionWatch } from './session.ts'

export interface RunningMemberOptions {
  engine: Pick<Engine, 'exec' | 'stopContainer'>
  container: string
  recipe: Recipe
  clock: Clock
  /** To be passed to `take`, when its turn comes. */
  onAnswer: (answer: Answer | null, askedAt: number) => void
  onProblem: (error: unknown) => void
}

/** A position alone is no news before. */
const POSITION_MS = 5000
/** Answers missing in a row before the last status is no observation any more. */
const SILENT_ANSWERS = 3
/** What it has in memory is to be on disk before it is killed. */
const STOP_LIMIT_S = 60
/** One that looks for the others, or receives its state, has nothing to lose, and may listen to nobody. */
const STARTING_LIMIT_S = 5
const VERB_LIMIT_MS = 20_000

/** A member's process, from its container's start to its end, as it is asked again and again. */
export class RunningMember implements AsyncDisposable {
  readonly container: string
  readonly #options: RunningMemberOptions
  readonly #life = new AbortController()
  readonly #session: SessionWatch
  #readiness: Readiness = notReady
  #answer: Answer | null = null
  #silent = 0
  #position: { value: Position | null; at: number } = { value: null, at: -Infinity }
  #stopping = false
  /** Its data have been in use: it has told a position, or was part of the cluster. */
  #served = false

  constructor(options: RunningMemberOptions) {
    const { engine, container, recipe, clock } = options
    this.container = container
    this.#options = options
    this.#session = new SessionWatch({
      engine,
      container,
      session: recipe.session,
      clock,
      onAnswer: options.onAnswer,
      // It has just started, or is about to end: the next try tells.
      onProblem: () => undefined,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await this.#session[Symbol.asyncDispose]()
  }

  /** The last that it said; null while it has said nothing for a while. */
  get status(): MemberStatus | null {
    return this.#answer?.status ?? null
  }

  /** The newest known, but for the last seconds. */
  get position(): Position | null {
    return this.#position.value
  }

  /** What it is busy with, or will never get well from. */
  get problem(): string | null {
    return this.#answer?.stuck ?? this.#answer?.doing ?? null
  }

  /** Why it has to be started anew; null while it is being stopped, too. */
  get stuck(): string | null {
    return this.#stopping ? null : (this.#answer?.stuck ?? null)
  }

  /** `others`: another member takes traffic. */
  ready(others: boolean): boolean {
    return isReady(this.#readiness, this.status, others)
  }

  /** An answer, or (null) none in time. */
  take(answer: Answer | null, askedAt: number): void {
    const { clock, recipe } = this.#options
    const before = this.status
    this.#readiness = answered(this.#readiness, answer, {
      askedAt,
      everyMs: recipe.session.everyMs,
    })
    this.#silent = answer === null ? this.#silent + 1 : 0
    if (answer !== null || this.#silent >= SILENT_ANSWERS) this.#answer = answer
    const role = answer?.status?.role
    this.#served ||= (answer?.position ?? null) !== null || role === 'ready' || role === 'donor'
    const newest = answer?.position ?? null
    const due = clock.now() - this.#position.at >= POSITION_MS || !same(before, this.status)
    if (newest !== null && due) this.#position = { value: newest, at: clock.now() }
  }

  /** Asks the process to end; Swarm starts another, which comes to the gate. False if it was asked. */
  stop(): boolean {
    if (this.#stopping) return false
    this.#stopping = true
    this.#askToEnd()
    return true
  }

  /** Its container has just started. What was asked of it before, the engine has taken for done. */
  started(): void {
    if (this.#stopping) this.#askToEnd()
  }

  #askToEnd(): void {
    const { engine, container, onProblem } = this.#options
    const timeoutSeconds = this.#served ? STOP_LIMIT_S : STARTING_LIMIT_S
    engine.stopContainer(container, { timeoutSeconds }).catch((error: unknown) => {
      this.#stopping = false
      if (!this.#life.signal.aborted) onProblem(error)
    })
  }

  /** Makes a primary component of it. Only with a grant. */
  async promote(): Promise<void> {
    const { engine, recipe, container, clock } = this.#options
    const command = recipe.verbs.promote?.()
    if (!command) throw new MusterError('HOST_SETUP', `${recipe.name} cannot promote a member.`)
    const { exited, stdin, stdout, stderr } = await engine.exec(container, { command })
    stdout.resume()
    let words = ''
    stderr.setEncoding('utf8').on('data', (text: string) => (words += text.slice(0, 500)))
    const late = new AbortController()
    const limit = clock.sleep(VERB_LIMIT_MS, late.signal).then(
      () => null,
      () => null,
    )
    const exit = await Promise.race([exited, limit])
    late.abort()
    stdin.destroy()
    if (exit !== 0) {
      const why = exit === null ? 'it took too long' : words.trim()
      throw new MusterError('ENGINE_REFUSED', `it did not become the first: ${why}`)
    }
  }
}
