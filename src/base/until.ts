import { type Clock, systemClock } from './clock.ts'
import { MusterError } from './errors.ts'

export interface UntilOptions {
  timeoutMs: number
  /** Between two looks. Only for what tells no events. */
  intervalMs?: number
  clock?: Clock
  /** What a person can do when it did not happen. */
  hint?: string
}

/**
 * Looks again and again until `look` returns something other than undefined or false, and returns
 * that. Throws TIMEOUT with the words of `what` ("host-2 to be ready") when it does not happen.
 */
export const until = async <T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions,
): Promise<T> => {
  const clock = options.clock ?? systemClock
  const limit = clock.now() + options.timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (clock.now() > limit) {
      throw new MusterError(
        'TIMEOUT',
        `Waited ${Math.round(options.timeoutMs / 100) / 10} s for ${what}.`,
        options.hint === undefined ? {} : { hint: options.hint },
      )
    }
    await clock.sleep(options.intervalMs ?? 100)
  }
}
