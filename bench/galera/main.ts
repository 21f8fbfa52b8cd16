/**
 * What becomes of a Galera cluster, and how long writes stop, beside the same image run by hand:
 * `npm run bench:galera`. Prints one table. Times are seen from outside, by clients that write all the
 * time. `npm run bench:galera -- form roll` runs some steps only.
 */
import { messageOf } from '../../src/base/index.ts'
import { GaleraLab } from '../../test/galera-lab.ts'
import type { Writes } from '../../test/sql-writer.ts'
import { machine, markdownTable } from '../support.ts'
import { ByHand } from './by-hand.ts'
import { ByMuster } from './by-muster.ts'
import type { Side } from './side.ts'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const say = (line: string) => process.stderr.write(`${line}\n`)

let rows = 0

/** Writes during `act`, until all is ready again; then compares every member with the clients' log. */
const whileWriting = async (
  side: Side,
  members: number,
  act: () => Promise<void>,
): Promise<{ writes: Writes; tookMs: number }> => {
  await side.ready(3)
  const clients = await side.clients()
  rows += 1_000_000
  await clients.start(rows)
  await clients.first()
  const begin = performance.now()
  await act()
  const ready = await side.ready(members, 240_000)
  const tookMs = performance.now() - begin
  const writes = await clients.stop()
  await side.agree(writes, ready)
  return { writes, tookMs }
}

/** From `begin` (ms since 1970) to the first write of the clients, and to three ready members. */
const untilServed = async (side: Side, begin: number): Promise<string> => {
  const clients = await side.clients()
  rows += 1_000_000
  await clients.start(rows)
  const ready = await side.ready(3, 240_000)
  const readyMs = Date.now() - begin
  await clients.first()
  const writes = await clients.stop()
  await side.agree(writes, ready)
  return `${seconds((writes.firstAt ?? 0) - begin)} / ${seconds(readyMs)}`
}

interface Step {
  what: string
  goal: string
  measure: (side: Side) => Promise<string>
}

const steps: Record<string, Step> = {
  form: {
    what: 'from nothing to three members: to writes / to three ready',
    goal: '15 s / 45 s',
    measure: async (side) => {
      const begin = Date.now()
      await side.begin()
      return untilServed(side, begin)
    },
  },
  reader: {
    what: 'a reader kill -9: ready again',
    goal: '12 s',
    measure: async (side) => {
      const { tookMs } = await whileWriting(side, 3, async () => side.crash([await side.reader()]))
      return seconds(tookMs)
    },
  },
  writer: {
    what: 'the writer kill -9: longest time without a write',
    goal: '4 s',
    measure: async (side) => {
      const { writes } = await whileWriting(side, 3, async () => side.crash([await side.writer()]))
      return seconds(writes.longestGapMs)
    },
  },
  switchover: {
    what: 'planned switch of the writer: longest time without a write / failed with one retry',
    goal: '1 s / 0',
    measure: async (side) => {
      const { writes } = await whileWriting(side, 3, () => side.switchover())
      return `${seconds(writes.longestGapMs)} / ${writes.failed}`
    },
  },
  all: {
    what: 'all members kill -9: longest time without a write',
    goal: '12 s',
    measure: async (side) => {
      const { writes } = await whileWriting(side, 3, async () => side.crash(await side.ready(3)))
      return seconds(writes.longestGapMs)
    },
  },
  roll: {
    what: 'rolling update: all ready / failed with one retry / longest time without a write',
    goal: '- / 0 / -',
    measure: async (side) => {
      const { writes, tookMs } = await whileWriting(side, 3, () => side.rollingUpdate())
      return `${seconds(tookMs)} / ${writes.failed} / ${seconds(writes.longestGapMs)}`
    },
  },
  scale: {
    what: '3 to 5 with 100 MB: all ready / longest time without a write',
    goal: '60 s / 2 s',
    measure: async (side) => {
      await side.fill()
      const { writes, tookMs } = await whileWriting(side, 5, () => side.grow(5))
      await side.shrink()
      return `${seconds(tookMs)} / ${seconds(writes.longestGapMs)}`
    },
  },
  power: {
    what: 'all hosts off and on, from the last engine answering: to writes / to three ready',
    goal: '30 s / -',
    measure: async (side) => {
      await side.ready(3)
      await side.powerCycle()
      const begin = Date.now()
      await side.recover()
      return untilServed(side, begin)
    },
  },
}

const asked = process.argv.slice(2)
const chosen = Object.entries(steps).filter(
  ([name]) => asked.length === 0 || name === 'form' || asked.includes(name),
)
await using lab = await GaleraLab.up('bench-galera', 5, say)
const seen = new Map<string, string[]>()
for (const side of [new ByHand(lab.lab), new ByMuster(lab)]) {
  for (const [name, step] of chosen) {
    const result = await step.measure(side).catch((error: unknown) => {
      say(messageOf(error))
      return `failed: ${messageOf(error).slice(0, 100)}`
    })
    say(`${side.name}: ${step.what}: ${result} (goal ${step.goal})`)
    seen.set(name, [...(seen.get(name) ?? []), result])
  }
  await side.end().catch((error: unknown) => say(messageOf(error)))
}
process.stdout.write(
  `${machine()}\n\n${markdownTable(
    ['what', 'by hand', 'Muster', 'goal'],
    chosen.map(([name, step]) => [step.what, ...(seen.get(name) ?? []), step.goal]),
  )}\n`,
)
