/**
 * What becomes of a Galera cluster, and how long writes stop: `npm run bench:galera`. Prints one table.
 * Times are seen from outside: a client that writes through the service's name all the time, and
 * `muster ps`.
 */
import { until } from '../../src/base/index.ts'
import { GaleraLab, type MemberLine } from '../../test/galera-lab.ts'
import { machine, markdownTable } from '../support.ts'

interface Row {
  what: string
  seen: string
  goal: string
}

const rows: Row[] = []
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const say = (line: string) => process.stderr.write(`${line}\n`)

const record = (what: string, seen: string, goal: string): void => {
  rows.push({ what, seen, goal })
  say(`${what}: ${seen} (goal ${goal})`)
}

const since = (start: number): number => performance.now() - start
const writer = (members: readonly MemberLine[]): string =>
  members.find((each) => each.role === 'writer')?.member ?? ''
const reader = (members: readonly MemberLine[]): string =>
  members.find((each) => each.role === 'reader')?.member ?? ''

/** Milliseconds from `start` until a write is served. */
const untilWritten = async (lab: GaleraLab, start: number): Promise<number> => {
  await until('a write to be served', () => lab.write(), { timeoutMs: 120_000, intervalMs: 50 })
  return since(start)
}

const form = async (lab: GaleraLab): Promise<void> => {
  const start = performance.now()
  const up = lab.up(3)
  const written = await untilWritten(lab, start)
  await lab.ready(3)
  const synced = since(start)
  await up
  record(
    'up of three empty members: to writes / to three ready',
    `${seconds(written)} / ${seconds(synced)}`,
    '15 s / 45 s',
  )
}

const scale = async (lab: GaleraLab): Promise<void> => {
  await lab.must([
    'sql',
    'db',
    `CREATE TABLE shop.bulk (n INT PRIMARY KEY, v VARBINARY(1024)) AS
     SELECT seq AS n, RANDOM_BYTES(1024) AS v FROM shop.seq_1_to_100000`,
  ])
  await lab.startWriting()
  const start = performance.now()
  await lab.must(['scale', 'db=5', '--timeout', '4m'])
  const members = await lab.ready(5)
  const took = since(start)
  const writes = await lab.stopWriting()
  await lab.agree(
    writes,
    members.map((each) => each.member),
  )
  record(
    'scale 3 to 5 with 100 MB: all ready / longest time without a write',
    `${seconds(took)} / ${seconds(writes.longestGapMs)}`,
    '60 s / 2 s',
  )
  await lab.must(['scale', 'db=3', '--timeout', '4m'])
  await lab.ready(3)
}

const killOne = async (lab: GaleraLab): Promise<void> => {
  const member = reader(await lab.ready(3))
  await lab.startWriting()
  const start = performance.now()
  await lab.kill(member)
  await lab.changed(member)
  const after = await lab.ready(3)
  const took = since(start)
  const writes = await lab.stopWriting()
  await lab.agree(
    writes,
    after.map((each) => each.member),
  )
  record('one reader kill -9: ready again', seconds(took), '12 s')
}

const killWriter = async (lab: GaleraLab): Promise<void> => {
  const member = writer(await lab.ready(3))
  await lab.startWriting()
  await lab.kill(member)
  await lab.changed(member)
  const after = await lab.ready(3)
  const writes = await lab.stopWriting()
  await lab.agree(
    writes,
    after.map((each) => each.member),
  )
  record('writer kill -9: longest time without a write', seconds(writes.longestGapMs), '4 s')
}

const roll = async (lab: GaleraLab): Promise<void> => {
  await lab.ready(3)
  await lab.startWriting()
  const start = performance.now()
  await lab.up(3, { ROLLED: String(Date.now()) })
  const after = await lab.ready(3)
  const took = since(start)
  const writes = await lab.stopWriting()
  await lab.agree(
    writes,
    after.map((each) => each.member),
  )
  record(
    'rolling update: all ready / refused writes / longest time without one',
    `${seconds(took)} / ${writes.refused} of ${writes.refused + writes.acknowledged.length} / ${seconds(writes.longestGapMs)}`,
    '- / 0 with one retry / 1 s',
  )
}

const killAll = async (lab: GaleraLab): Promise<void> => {
  const members = (await lab.ready(3)).map((each) => each.member)
  await lab.startWriting()
  await lab.kill(...members)
  for (const each of members) await lab.changed(each)
  await lab.ready(3)
  const writes = await lab.stopWriting()
  await lab.agree(writes, members)
  record('all members kill -9: longest time without a write', seconds(writes.longestGapMs), '12 s')
}

const powerCycle = async (lab: GaleraLab): Promise<void> => {
  await lab.ready(3)
  await lab.powerCycle()
  const start = performance.now()
  const written = await untilWritten(lab, start)
  await lab.ready(3, 180_000)
  record(
    'all hosts off and on, from the last engine answering: to writes / to three ready',
    `${seconds(written)} / ${seconds(since(start))}`,
    '30 s / -',
  )
}

const steps = { form, killOne, killWriter, killAll, roll, scale, powerCycle }

await using lab = await GaleraLab.up('bench-galera', 5, say)
for (const [name, step] of Object.entries(steps)) {
  try {
    await step(lab)
  } catch (error) {
    record(name, `failed: ${String(error).slice(0, 200)}`, '')
  }
}
process.stdout.write(
  `${machine()}\n\n${markdownTable(
    ['what', 'seen', 'goal'],
    rows.map((row) => [row.what, row.seen, row.goal]),
  )}\n`,
)
