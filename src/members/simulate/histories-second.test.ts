import { expect, test } from 'vitest'
import { holdsInShare } from './histories.ts'

test('whatever happens, a cluster is never two, loses nothing that it need not, and comes back', () => {
  expect(() => holdsInShare(1)).not.toThrow()
}, 120_000)
