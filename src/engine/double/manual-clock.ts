import type { Clock } from '../../base/index.ts'

interface Timer {
  at: number
  order: number
  run: () => void
}

/** Lets promise chains, `process.nextTick` and streams that are ready run to their end. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * A clock that stands still until it is told how much time has passed. Timers run in the order of
 * their times, those of equal times in the order they were set, and everything that one sets off
 * is finished before the next: the same calls give the same history.
 */
export class ManualClock implements Clock {
  readonly #timers: Timer[] = []
  readonly #epochMs: number
  #now = 0
  #order = 0
  #defect: { error: unknown } | undefined

  /** `epochMs`: what the wall clock shows at time 0. */
  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs
  }

  now(): number {
    return this.#now
  }

  /** Milliseconds since 1970. */
  wall(): number {
    return this.#epochMs + this.#now
  }

  /** Runs something later, unless the returned function is called before. */
  at(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#timers[middle] as Timer).at <= timer.at) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const wake = () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const cancel = this.at(ms, wake)
      const stop = () => {
        cancel()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** Reports a defect in something that runs on its own: `advance` throws it. */
  fail(error: unknown): void {
    this.#defect ??= { error }
  }

  /** Runs a piece of work that ends with `signal`. Anything else that it throws is a defect. */
  spawn(signal: AbortSignal, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (!signal.aborted) this.fail(error)
    })
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.#settle()
    for (;;) {
      const timer = this.#timers[0]
      if (timer === undefined || timer.at > end) break
      this.#timers.shift()
      this.#now = Math.max(this.#now, timer.at)
      timer.run()
      await this.#settle()
    }
    this.#now = end
  }

  /**
   * Lets time pass, timer by timer, until a condition holds.
   * @throws Error, with `what`, when it does not within `limitMs`
   */
  async until(
    condition: () => boolean | Promise<boolean>,
    limitMs: number,
    what = 'the condition',
  ): Promise<void> {
    const end = this.#now + limitMs
    for (;;) {
      await this.#settle()
      if (await condition()) return
      const next = this.#timers[0]?.at ?? Infinity
      if (next > end) throw new Error(`${what} did not come true within ${limitMs} ms`)
      await this.advance(Math.max(0, next - this.#now))
    }
  }

  async #settle(): Promise<void> {
    await settle()
    if (this.#defect === undefined) return
    const { error } = this.#defect
    this.#defect = undefined
    throw error
  }
}
