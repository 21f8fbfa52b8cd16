import type { Clock } from '../base/index.ts'

const SAME_PROBLEM_MS = 60_000

/** A trouble that lasts is said once a minute, not at every attempt. */
export const onceInAWhile = (
  clock: Clock,
  say: (text: string) => void,
): ((text: string) => void) => {
  let last = ''
  let saidAt = -Infinity
  return (text) => {
    if (text === last && clock.now() - saidAt < SAME_PROBLEM_MS) return
    last = text
    saidAt = clock.now()
    say(text)
  }
}
