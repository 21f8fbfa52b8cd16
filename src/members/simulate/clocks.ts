/**
 * Every host has clocks of its own: what it shows as the date may be years from what others show, and
 * jump; what it measures time with only goes forward, faster or slower than others', and stands still
 * for nobody: a host that was not running for a while finds that everything has become late.
 */
import type { Random } from './random.ts'

export interface HostClocks {
  /** Milliseconds per millisecond of the world. */
  rate: number
  /** Milliseconds that have passed on this host alone. */
  ahead: number
  /** Of its date from the others'. */
  skew: number
}

const YEAR = 365 * 86_400_000

/** Milliseconds. Some hosts are right, some are a bit wrong, and some very. */
export const someSkew = (random: Random): number =>
  (random.next() * 2 - 1) * (random.pick([0, 2000, 60_000, YEAR, 20 * YEAR]) ?? 0)

export const newClocks = (random: Random): HostClocks => ({
  rate: random.chance(0.5) ? 1 : 0.5 + random.next() * 1.5,
  ahead: random.next() * YEAR,
  skew: someSkew(random),
})

interface Clocked {
  clocks: HostClocks
}

/** What a host measures time with, in milliseconds; comparable with itself alone. */
export const monotonic = ({ now }: { now: number }, { clocks }: Clocked): number =>
  clocks.ahead + now * clocks.rate

/** What a host takes for the milliseconds since 1970. */
export const wallClock = ({ now }: { now: number }, { clocks }: Clocked): number =>
  Math.round(1.7e12 + now * clocks.rate + clocks.skew)
