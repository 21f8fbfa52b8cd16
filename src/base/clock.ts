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

/** Until the time is over or the signal is aborted, whichever is first; for loops that look at the signal. */
export const pause = async (clock: Clock, ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** The same, and also ended by a change that resolves. */
export const pauseOrChange = async (
  clock: Clock,
  ms: number,
  { signal, change }: { signal: AbortSignal; change: Promise<unknown> },
): Promise<void> => {
  const over = new AbortController()
  const end = () => over.abort()
  if (signal.aborted) return
  signal.addEventListener('abort', end, { once: true })
  try {
    void change.then(end, end)
    await pause(clock, ms, over.signal)
  } finally {
    signal.removeEventListener('abort', end)
  }
}
