import { expect, it } from 'vitest'
import { longestGap } from './gaps.ts'
import { kindOf, middle, summaryRows } from './report.ts'

it('finds the longest silence, also at both ends', () => {
  expect(longestGap([], { from: 10, to: 30 })).toBe(20)
  expect(longestGap([5, 12, 20, 21, 40], { from: 10, to: 30 })).toBe(9)
  expect(longestGap([5, 22, 29], { from: 10, to: 30 })).toBe(12)
})

it('counts faults of one kind together', () => {
  expect(kindOf('power cut (leader) 3.2 s')).toBe('power cut (leader)')
  expect(kindOf('all members killed')).toBe('all members killed')
  expect(kindOf('power cut (leader) 3.2 s + agent killed (leader) 1.0 s later')).toBe('two at once')
  expect([middle([]), middle([3, 1, 2]), middle([4, 1, 2, 3])]).toEqual([0, 2, 2])
  const result = { text: 'a', whom: '', refusedMs: 1000, wholeMs: 2000, violations: [] }
  expect(summaryRows([result, { ...result, refusedMs: 3000 }])).toEqual([
    ['a', '2', '1.0 s / 3.0 s', '2.0 s / 2.0 s', '0'],
    ['all', '2', '1.0 s / 3.0 s', '2.0 s / 2.0 s', '0'],
  ])
})
