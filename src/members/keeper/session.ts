import { randomBytes } from 'node:crypto'
import { type Clock, pause } from '../../base/index.ts'
import type { Engine, ExecSession } from '../../engine/index.ts'
import type { Answer, Session } from '../../recipes/index.ts'

export interface SessionWatchOptions {
  engine: Pick<Engine, 'exec'>
  container: string
  session: Session
  clock: Clock
  /** Null: no answer in time, or none that can be read. */
  onAnswer: (answer: Answer | null, askedAt: number) => void
  onProblem: (error: unknown) => void
}

/** Beyond its own limit, before a program that does not come to an end of its answer is replaced. */
const STUCK_MS = 10_000
const RETRY_MS = 500
const MAX_ANSWER_BYTES = 2 ** 20

/**
 * Asks one program in a member's container again and again. A program that ends, or never finishes
 * an answer, is started anew.
 */
export class SessionWatch implements AsyncDisposable {
  readonly #options: SessionWatchOptions
  readonly #life = new AbortController()
  readonly #running: Promise<void>

  constructor(options: SessionWatchOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#life
    const { engine, container, session, clock, onAnswer, onProblem } = this.#options
    while (!signal.aborted) {
      let exec: ExecSession | undefined
      try {
        exec = await engine.exec(container, { command: session.command, stdin: true })
        await this.#talk(exec)
      } catch (error) {
        if (!signal.aborted) onProblem(error)
      } finally {
        exec?.stdin.destroy()
      }
      if (signal.aborted) return
      onAnswer(null, clock.now())
      await pause(clock, RETRY_MS, signal)
    }
  }

  /** Until the program ends, or gets stuck. */
  async #talk(exec: ExecSession): Promise<void> {
    const { signal } = this.#life
    const { session, clock, onAnswer } = this.#options
    const lines = new Lines()
    exec.stdout.setEncoding('utf8')
    exec.stdout.on('data', (text: string) => lines.add(text))
    // Nobody reads it, and it must not fill up.
    exec.stderr.resume()
    exec.stdin.on('error', () => lines.end())
    exec.exited.then(
      () => lines.end(),
      () => lines.end(),
    )
    signal.addEventListener('abort', () => lines.end(), { once: true })
    while (!lines.ended && !signal.aborted) {
      const askedAt = clock.now()
      const mark = `mark-${randomBytes(6).toString('hex')}`
      exec.stdin.write(session.ask(mark))
      const whole = await lines.until(mark, session.timeoutMs, clock)
      if (signal.aborted || lines.ended) return
      onAnswer(session.read(lines.text(mark)), askedAt)
      if (!whole && !(await this.#finish(lines, mark))) return
      lines.forget()
      const rest = session.everyMs - (clock.now() - askedAt)
      if (rest > 0) await pause(clock, rest, signal)
    }
  }

  /** Waits for the end of an answer that is late; false if it does not come. */
  async #finish(lines: Lines, mark: string): Promise<boolean> {
    const { session, clock, onAnswer } = this.#options
    const limit = clock.now() + STUCK_MS
    while (clock.now() < limit && !lines.ended && !this.#life.signal.aborted) {
      const askedAt = clock.now()
      if (await lines.until(mark, session.timeoutMs, clock)) return true
      if (!this.#life.signal.aborted) onAnswer(null, askedAt)
    }
    return false
  }
}

/** What a program has printed since it was last asked. */
class Lines {
  #text = ''
  #changed = Promise.withResolvers<void>()
  ended = false

  add(text: string): void {
    if (this.#text.length < MAX_ANSWER_BYTES) this.#text += text
    this.#changed.resolve()
  }

  end(): void {
    this.ended = true
    this.#changed.resolve()
  }

  forget(): void {
    this.#text = ''
  }

  /** Whole lines, up to the mark if it has come. */
  text(mark: string): string {
    const end = this.#text.indexOf(`${mark}\n`)
    return end >= 0
      ? this.#text.slice(0, end)
      : this.#text.slice(0, this.#text.lastIndexOf('\n') + 1)
  }

  /** True once the mark has come; false when the time is up, or there will be no more. */
  async until(mark: string, limitMs: number, clock: Clock): Promise<boolean> {
    const late = new AbortController()
    const limit = clock.sleep(limitMs, late.signal).then(
      () => false,
      () => false,
    )
    try {
      for (;;) {
        this.#changed = Promise.withResolvers()
        if (this.#text.startsWith(`${mark}\n`) || this.#text.includes(`\n${mark}\n`)) return true
        if (this.ended) return false
        const more = await Promise.race([this.#changed.promise.then(() => true), limit])
        if (!more) return false
      }
    } finally {
      late.abort()
    }
  }
}
