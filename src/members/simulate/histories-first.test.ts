import { expect, test } from 'vitest'
import { runShare } from './histories.ts'

test('whatever happens, a cluster is never two, loses nothing that it need not, and comes back', () => {
  const seen = runShare(0)
  if (process.env['MUSTER_SEED'] !== undefined) return
  // A history in which nothing happens proves nothing.
  for (const what of [
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
  ]) {
    expect(seen[what] ?? 0, what).toBeGreaterThan(0)
  }
}, 120_000)
