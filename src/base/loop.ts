import { systemClock, type Clock } from './clock.ts'

export interface LoopOptions {
  /** Brings the world to what is wanted now. Never runs twice at the same time. */
  run: () => Promise<void>
  onError: (error: unknown) => void
  clock?: Clock
  /** Milliseconds before the next try, after this many failures in a row. */
  backoff?: (failures: number) => number
}

/** 100 ms, doubled with each failure, at most 10 s. */
export const exponentialBackoff = (failures: number): number =>
  Math.min(10_000, 100 * 2 ** Math.min(failures - 1, 10))

/**
 * Runs one job whenever it is woken: at once, but never beside itself; any number of wakes during a
 * run make one more run, which sees the newest state. A run that fails is tried again.
 */
export class Loop {
  readonly #options: LoopOptions
  readonly #clock: Clock
  #dirty = false
  #running: Promise<void> | null = null
  #failures = 0
  #alarm: { at: number; cancel: AbortController } | null = null
  #stopped = false

  constructor(options: LoopOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  wake(): void {
    if (this.#stopped) return
    this.#dirty = true
    this.#running ??= this.#work()
  }

  /** Wakes, unless a failed run waits for its next try. */
  nudge(): void {
    if (this.#failures === 0) this.wake()
  }

  /** Wakes after a time, unless an earlier alarm is already set. */
  wakeIn(ms: number): void {
    const at = this.#clock.now() + ms
    if (this.#stopped || (this.#alarm !== null && this.#alarm.at <= at)) return
    this.#alarm?.cancel.abort()
    const alarm = { at, cancel: new AbortController() }
    this.#alarm = alarm
    this.#clock.sleep(ms, alarm.cancel.signal).then(
      () => {
        this.#alarm = null
        this.wake()
      },
      () => {
        // Aborted: a sooner alarm or the end took its place.
      },
    )
  }

  get busy(): boolean {
    return this.#running !== null
  }

  /** Resolves when nothing is being done and nothing is left to do but what an alarm will wake. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  /** Waits for a run that is under way, and starts no other. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#dirty = false
    this.#alarm?.cancel.abort()
    this.#alarm = null
    await this.settled()
  }

  async #work(): Promise<void> {
    // A turn of the event loop: changes that come together are worked on together.
    await Promise.resolve()
    while (this.#dirty) {
      this.#dirty = false
      try {
        await this.#options.run()
        this.#failures = 0
      } catch (error) {
        this.#failures += 1
        this.#options.onError(error)
        if (!this.#dirty) this.wakeIn((this.#options.backoff ?? exponentialBackoff)(this.#failures))
      }
    }
    this.#running = null
  }
}
