/**
 * Random faults under a workload: `npm run test:chaos -- --faults 60 --seed 7`. Prints a line for each
 * fault and a table at the end; its exit status is 1 if anything that was promised did not hold.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, markdownTable } from '../../bench/support.ts'
import { BANK } from './bank/bank.ts'
import { kindsOf } from './plan.ts'
import { REGISTERS_ON_ETCD } from './registers/registers.ts'
import { SUMMARY_HEAD, summaryRows } from './report.ts'
import { run, takeDown } from './run.ts'
import type { WorkloadKind } from './workload.ts'

const WORKLOADS: Readonly<Record<string, WorkloadKind>> = { galera: BANK, etcd: REGISTERS_ON_ETCD }

const { values: options } = parseArgs({
  options: {
    faults: { type: 'string', default: '60' },
    /** Kinds of faults, separated by commas; all, unless told otherwise. */
    only: { type: 'string' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    workload: { type: 'string', default: 'galera' },
    /** Name of the lab. */
    name: { type: 'string', default: 'chaos' },
    /** Folder for logs and evidence. */
    out: { type: 'string' },
    keep: { type: 'boolean', default: false },
    /** Only takes down what a run with --keep has left. */
    down: { type: 'boolean', default: false },
  },
})

const number = (text: string, name: string): number => {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 0) return value
  throw new Error(`--${name} ${text} is no number`)
}

const main = async (): Promise<number> => {
  if (options.down) {
    await takeDown(options.name)
    return 0
  }
  const kind = WORKLOADS[options.workload]
  if (kind === undefined) {
    throw new Error(`--workload is one of ${Object.keys(WORKLOADS).join(', ')}`)
  }
  const seed = number(options.seed ?? String(Math.floor(Math.random() * 1e6)), 'seed')
  const faults = number(options.faults, 'faults')
  const minutes = number(options.minutes, 'minutes')
  const folder = options.out ?? join(tmpdir(), `muster-chaos-${options.workload}-${seed}`)
  mkdirSync(folder, { recursive: true })
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`)
    appendFileSync(join(folder, 'run.log'), `${line}\n`)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`${signal}: taking the lab down`)
      void takeDown(options.name).finally(() => process.exit(130))
    })
  }
  say(`${options.workload}: ${faults} faults, seed ${seed}, logs in ${folder}`)
  const until = Date.now() + minutes * 60_000
  const { results, summary, failed } = await run({
    name: options.name,
    kind,
    plan: {
      seed,
      count: faults,
      ...(options.only !== undefined && { only: kindsOf(options.only) }),
    },
    until,
    folder,
    keep: options.keep,
    say,
  })
  const counts = Object.entries(summary).map(([name, count]) => `${count} ${name}`)
  say(`\n${machine()}, seed ${seed}\n\n${markdownTable(SUMMARY_HEAD, summaryRows(results))}\n`)
  say(counts.join(', '))
  say(failed ? `FAILED: see ${folder}` : `all held, ${results.length} faults`)
  return failed ? 1 : 0
}

process.exitCode = await main()
