import { setTimeout as delay } from 'node:timers/promises'

/** Time, passed in wherever a decision depends on it. */
export interface Clock {
  /** Milliseconds that only go forward; no relation to the wall clock. */
  now(): number
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : undefined),
}
