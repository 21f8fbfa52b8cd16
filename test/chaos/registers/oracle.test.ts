import { expect, it } from 'vitest'
import type { Attempt } from './clients.ts'
import { judgeAll, membership, type Standing } from './oracle.ts'

const write = (
  [register, value, at]: [number, string, number],
  over: Partial<Attempt> = {},
): Attempt => ({
  register,
  operation: { kind: 'write', value },
  begin: at,
  end: at + 1,
  outcome: 'ok',
  ...over,
})
const read = (register: number, value: string | null, at: number): Attempt => ({
  register,
  operation: { kind: 'read', value },
  begin: at,
  end: at + 1,
  outcome: 'read',
})

it('judges each register by itself, and leaves out what did not happen', () => {
  const fine = [
    write([0, 'a', 0]),
    write([1, 'b', 0]),
    write([0, 'c', 2], { end: null, outcome: 'unknown' }),
    write([0, 'd', 4], { end: null, outcome: 'no' }),
    read(0, 'a', 6),
    read(1, 'b', 6),
  ]
  expect(judgeAll(fine)).toEqual([])
  expect(judgeAll([...fine, read(0, 'c', 8)])).toEqual([])
  const [lost] = judgeAll([...fine, read(1, null, 8)])
  expect(lost?.what).toContain('register 1 is none')
  expect(lost?.evidence).toContain('where it could hold b')
  // What was refused has not happened.
  expect(judgeAll([...fine, read(0, 'd', 8)])).toHaveLength(1)
})

it('wants one cluster of all members, with the same values', () => {
  const voters = ['a started false', 'b started false']
  const standing: Standing = { member: 'a', voters, sum: 's', registers: '' }
  const other = { ...standing, member: 'b' }
  expect(membership([standing, other])).toEqual([])
  for (const wrong of [
    { sum: 't' },
    { voters: [...voters, 'c started false'] },
    { voters: ['a started false', 'b started true'] },
    { voters: ['a started false', 'c started false'] },
  ]) {
    expect(membership([standing, { ...other, ...wrong }])).toHaveLength(1)
  }
})
