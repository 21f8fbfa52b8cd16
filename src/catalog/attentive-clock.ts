import type { Clock } from '../base/index.ts'
import { TUNABLES } from './tunables.ts'

/**
 * Time during which this process was able to listen. Silence is measured in it: while the process
 * itself was stalled (stopped, starved, collecting garbage) nobody could be heard, and that says
 * nothing about them.
 */
export interface AttentiveClock {
  now(): number
  /** Has to be called every `TUNABLES.tick`; a late call is a stall, and the lateness is dropped. */
  tick(): void
}

export const attentiveClock = (clock: Pick<Clock, 'now'>): AttentiveClock => {
  let last = clock.now()
  let counted = 0
  const longest = TUNABLES.tick + TUNABLES.stall
  const since = () => Math.min(clock.now() - last, longest)
  return {
    now: () => counted + since(),
    tick: () => {
      counted += since()
      last = clock.now()
    },
  }
}
