/**
 * Every host has clocks of its own: what it shows as the date may be years from what others show, and
 * jump; what it measures time with only goes forward, faster or slower than others', and stands still
 * for nobody: a host that was not running for a while finds that everything has become late.
 */
import type { Random } from './random.ts'
import { type SimHost, type World, count, note } from './world.ts'

export interface HostClocks {
  /** Milliseconds per millisecond of the world. */
  rate: number
  /** Milliseconds that have passed on this host alone. */
  ahead: number
  /** Of its date from the others'. */
  skew: number
}

const YEAR = 365 * 86_400_000

/** Some hosts are right, some are a bit wrong, and some very. */
const someSkew = (random: Random): number =>
  (random.next() * 2 - 1) * (random.pick([0, 2000, 60_000, YEAR, 20 * YEAR]) ?? 0)

export const newClocks = (random: Random): HostClocks => ({
  rate: random.chance(0.5) ? 1 : 0.5 + random.next() * 1.5,
  ahead: random.next() * YEAR,
  skew: someSkew(random),
})

/** What a host measures time with, in milliseconds; comparable with itself alone. */
export const monotonic = ({ now }: World, { clocks }: SimHost): number =>
  clocks.ahead + now * clocks.rate

/** What a host takes for the milliseconds since 1970. */
export const wallClock = (world: World, { clocks }: SimHost): number =>
  Math.round(1.7e12 + world.now * clocks.rate + clocks.skew)

/** Somebody sets its date, or it was not running for a while. */
export const jump = (world: World, host: SimHost): void => {
  const { random } = world
  if (random.chance(0.5)) host.clocks.skew = someSkew(random)
  else host.clocks.ahead += random.below(120_000)
  count(world, 'clocks jump')
  note(world, `the clocks of ${host.id} jump`)
}
