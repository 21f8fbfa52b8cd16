import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { outcomeOf } from './clients.ts'
import { Refused } from './mysql.ts'
import {
  type Attempt,
  disagreements,
  judge,
  oneComponent,
  type Standing,
  type Transfer,
} from './oracle.ts'

const INITIAL = new Map([0, 1, 2].map((account) => [account, 100]))

/** What a bank without faults has in its tables. */
const tables = (transfers: readonly Transfer[]) => {
  const accounts = new Map(INITIAL)
  for (const { from, to, amount } of transfers) {
    accounts.set(from, (accounts.get(from) ?? 0) - amount)
    accounts.set(to, (accounts.get(to) ?? 0) + amount)
  }
  return { accounts, transfers }
}

const attempts = fc
  .array(
    fc.record({
      from: fc.nat(2),
      amount: fc.integer({ min: 1, max: 50 }),
      outcome: fc.constantFrom('ok' as const, 'no' as const, 'unknown' as const),
      /** Of an unknown one: it is there. */
      there: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((list) => list.map((each, id) => ({ ...each, id, to: (each.from + 1) % 3 })))

const rowOf = ({ id, from, to, amount }: Transfer): Transfer => ({ id, from, to, amount })

const isThere = (each: Attempt & { there: boolean }): boolean =>
  each.outcome === 'ok' || (each.outcome === 'unknown' && each.there)

const found = (tried: readonly Attempt[], rows: readonly Transfer[], kept = tables(rows)) =>
  judge(tried, kept, INITIAL).map(({ what }) => what.replace(/^\d+ /, ''))

describe('what clients were told, against the rows', () => {
  it('finds nothing in a bank that kept its word, whatever became of unknown ones', () => {
    fc.assert(
      fc.property(attempts, (tried) => {
        expect(found(tried, tried.filter(isThere).map(rowOf))).toEqual([])
      }),
    )
  })

  it('finds each acknowledged transfer that is lost', () => {
    fc.assert(
      fc.property(attempts, fc.nat(), (tried, which) => {
        const acknowledged = tried.filter(({ outcome }) => outcome === 'ok')
        fc.pre(acknowledged.length > 0)
        const lost = acknowledged[which % acknowledged.length]?.id
        const rows = tried.filter((each) => isThere(each) && each.id !== lost).map(rowOf)
        expect(found(tried, rows)).toEqual(['acknowledged and lost'])
      }),
    )
  })

  it('finds what was refused, is there twice, was never written or has changed', () => {
    const ok: Attempt = { id: 1, from: 0, to: 1, amount: 5, outcome: 'ok' }
    const no: Attempt = { id: 2, from: 1, to: 2, amount: 7, outcome: 'no' }
    const row = rowOf(ok)
    expect(found([ok, no], [row, rowOf(no)])).toEqual(['refused and there all the same'])
    expect(found([ok], [row, row])).toEqual(['there more than once'])
    expect(found([ok], [row, { ...row, id: 3 }])).toEqual(['there that nobody has written'])
    expect(found([ok], [{ ...row, amount: 6 }])).toEqual([
      'there with other contents than were written',
    ])
  })

  it('finds a lost update by the balances, and money that came from nowhere', () => {
    const ok: Attempt = { id: 1, from: 0, to: 1, amount: 5, outcome: 'ok' }
    const { accounts } = tables([ok])
    const moved = new Map([...accounts, [0, 96], [1, 104]])
    expect(found([ok], [rowOf(ok)], { accounts: moved, transfers: [rowOf(ok)] })).toEqual([
      'balances that are not the sum of their transfers',
    ])
    const made = new Map([...accounts, [1, 106]])
    expect(found([ok], [rowOf(ok)], { accounts: made, transfers: [rowOf(ok)] })).toEqual([
      'balances that are not the sum of their transfers',
      'total not kept',
    ])
  })
})

it('knows what an error means for a transfer', () => {
  expect(outcomeOf(new Error('connection closed'), false)).toBe('no')
  expect(outcomeOf(new Refused(1205, 'lock wait'), false)).toBe('no')
  expect(outcomeOf(new Refused(1213, 'deadlock'), true)).toBe('no')
  expect(outcomeOf(new Refused(1047, 'not ready'), true)).toBe('unknown')
  expect(outcomeOf(new Error('connection closed'), true)).toBe('unknown')
})

it('compares members by all that is in them', () => {
  expect(
    disagreements(
      new Map([
        ['a', '1'],
        ['b', '1'],
      ]),
    ),
  ).toEqual([])
  expect(
    disagreements(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    ),
  ).toHaveLength(1)
})

it('wants one primary component of all', () => {
  const standing: Standing = { member: 'a', history: 'h', component: '3', size: 2, primary: true }
  const other = { ...standing, member: 'b' }
  expect(oneComponent([standing, other])).toEqual([])
  for (const wrong of [
    { history: 'i' },
    { component: '4' },
    { size: 1 },
    { primary: false },
    { history: '' },
  ]) {
    expect(oneComponent([standing, { ...other, ...wrong }])).toHaveLength(1)
  }
})
