/** Many histories, and what they went through. For tests: prints what it takes to see one again. */
import { type Outcome, runHistory } from './run.ts'
import type { Counters } from './world.ts'

/** Runs `count` histories; throws with the seed and the whole story of the first that goes wrong. */
export const runHistories = ({ first, count }: { first: number; count: number }): Counters => {
  const total: Counters = {}
  for (let seed = first; seed < first + count; seed++) {
    const outcome = runHistory(seed)
    if (outcome.violations.length > 0) throw new Error(storyOf(outcome))
    for (const [name, times] of Object.entries(outcome.counters)) {
      total[name] = (total[name] ?? 0) + times
    }
  }
  return total
}

const storyOf = ({ seed, violations, trace }: Outcome): string =>
  [
    `${violations.join('; ')}. Again: MUSTER_SEED=${seed} vitest run --project unit src/members/simulate`,
    ...trace,
  ].join('\n')

/** A share of histories in which one of these never happens proves nothing. */
const TOLD = [
  'elections',
  'holds',
  'orders',
  'forced',
  'promotions',
  'reunions',
  'resets',
  'two leaders',
  'lost races for the ledger',
  'stale catalogs',
  'late reports',
  'partitions',
  'volumes lost',
  'volumes put back',
  'hosts removed',
  'updates',
  'stranded',
  'blackouts',
  'data of other clusters',
  'writes outside',
  'outside cut off',
  'clocks jump',
  'disasters',
  'snapshots restored',
  'snapshots not whole',
  'forgotten without power',
  'forgotten while they ran',
  'switchovers wanted',
]

/** What a share has to be: every history right, and everything in them. */
export const holdsInShare = (share: 0 | 1): void => {
  const seen = runShare(share)
  if (process.env['MUSTER_SEED'] !== undefined) return
  const missing = TOLD.filter((what) => (seen[what] ?? 0) === 0)
  if (missing.length > 0) throw new Error(`never in these histories: ${missing.join(', ')}`)
}

/** `MUSTER_SEED` runs one history alone; else a share of them, beginning where `MUSTER_SEEDS` says. */
const runShare = (share: 0 | 1): Counters => {
  const {
    MUSTER_SEED: one,
    MUSTER_SEEDS: from = '1',
    MUSTER_HISTORIES: all = '10000',
  } = process.env
  if (one !== undefined) return runHistories({ first: Number(one), count: 1 })
  const count = Math.ceil(Number(all) / 2)
  const first = Number(from) + share * count
  const total = runHistories({ first, count })
  console.info(`histories ${first} to ${first + count - 1}`, total)
  return total
}
