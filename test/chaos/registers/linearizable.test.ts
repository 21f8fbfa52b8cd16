import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Call, judge, type Operation, type Value } from './linearizable.ts'

const call = (operation: Operation, begin: number, end: number | null): Call => ({
  operation,
  begin,
  end,
})
const write = (value: string, begin: number, end: number | null) =>
  call({ kind: 'write', value }, begin, end)
const read = (value: Value, begin: number, end: number | null) =>
  call({ kind: 'read', value }, begin, end)
const swap = ([expected, value, saw]: [Value, string, Value?], begin: number, end: number | null) =>
  call({ kind: 'swap', expected, value, ...(saw === undefined ? {} : { saw }) }, begin, end)

const verdict = (...calls: Call[]) => judge(calls, null).impossible

describe('histories that one register could have', () => {
  it.each<[string, Call[]]>([
    ['nothing', []],
    ['a read of what was written', [write('a', 0, 1), read('a', 2, 3)]],
    [
      'a read of either of two that were under way',
      [write('a', 0, 9), write('b', 1, 9), read('a', 2, 3), read('b', 4, 5)],
    ],
    [
      'a read that overlaps a write, of before',
      [write('a', 0, 9), read(null, 1, 2), read('a', 3, 4)],
    ],
    [
      'a swap that found another value',
      [write('a', 0, 1), swap(['x', 'b', 'a'], 2, 3), read('a', 4, 5)],
    ],
    ['swaps one after another', [swap([null, 'a'], 0, 1), swap(['a', 'b'], 2, 3), read('b', 4, 5)]],
    ['an unknown write that never was', [write('a', 0, 1), write('b', 2, null), read('a', 3, 4)]],
    [
      'an unknown write that came late',
      [write('a', 0, 1), write('b', 2, null), read('a', 3, 4), read('b', 50, 51)],
    ],
    [
      'an unknown swap that another unknown one made possible',
      [write('a', 0, null), swap(['a', 'b'], 1, null), read('b', 9, 10)],
    ],
    ['an unknown write that a swap has found', [write('a', 0, null), swap([null, 'b', 'a'], 2, 3)]],
    ['a write and a read at the same moment', [write('a', 0, 5), read(null, 5, 6)]],
  ])('%s', (_, calls) => {
    expect(verdict(...calls)).toBe(null)
  })
})

describe('histories that no register could have', () => {
  it.each<[string, number, Call[]]>([
    ['an acknowledged write that is lost', 1, [write('a', 0, 1), read(null, 2, 3)]],
    ['a stale read', 2, [write('a', 0, 1), write('b', 2, 3), read('a', 4, 5)]],
    ['a value that nobody wrote', 0, [read('x', 0, 1)]],
    ['a value before it was written', 0, [read('a', 0, 1), write('a', 2, 3)]],
    [
      'a value that was there, and then had not been',
      2,
      [write('a', 0, 9), read('a', 1, 2), read(null, 3, 4)],
    ],
    [
      'an unknown write that came and went',
      3,
      [write('a', 0, 1), write('b', 2, null), read('b', 3, 4), read('a', 5, 6)],
    ],
    [
      'two swaps of the same value',
      2,
      [write('a', 0, 1), swap(['a', 'b'], 2, 5), swap(['a', 'c'], 2, 5)],
    ],
    ['a swap of a value that was not there', 1, [write('a', 0, 1), swap(['x', 'b'], 2, 3)]],
    [
      'a swap that failed though its value was there',
      1,
      [write('a', 0, 1), swap(['a', 'b', 'a'], 2, 3)],
    ],
    [
      'an unknown swap of what was never there',
      2,
      [write('a', 0, 1), swap(['x', 'b'], 2, null), read('b', 3, 4)],
    ],
  ])('%s', (_, index, calls) => {
    expect(verdict(...calls)).toBe(index)
  })
})

/** What each client does, in turn: a plan for a register that is right. */
const steps = fc.array(
  fc.record({
    client: fc.nat(3),
    kind: fc.constantFrom('read' as const, 'write' as const, 'swap' as const),
    /** Of a swap: it knows the value. */
    knows: fc.boolean(),
    /** From the call to its effect, from there to its answer. */
    before: fc.nat(20),
    after: fc.nat(20),
    fate: fc.constantFrom('answered', 'answered', 'answered', 'late', 'never'),
  }),
  { maxLength: 40 },
)

/** Runs the plan on a register, at the moments that the plan says. */
const history = (plan: typeof steps extends fc.Arbitrary<infer T> ? T : never): Call[] => {
  const free = [0, 0, 0, 0]
  const effects: { at: number; run: () => void }[] = []
  const calls: Call[] = []
  let register: Value = null
  plan.forEach(({ client, kind, knows, before, after, fate }, number) => {
    const begin = (free[client] ?? 0) + 1
    const at = begin + before + (fate === 'late' ? 30 : 0)
    const end = begin + before + after
    free[client] = end
    const value = `v${number}`
    const slot: Call = { operation: { kind: 'write', value }, begin, end: null }
    calls.push(slot)
    const run = () => {
      if (kind === 'write') register = value
      if (kind === 'read') slot.operation = { kind: 'read', value: register }
      if (kind === 'swap') {
        const expected: Value = knows ? register : 'other'
        slot.operation = knows
          ? { kind: 'swap', expected, value }
          : { kind: 'swap', expected, value, saw: register }
        if (knows) register = value
      }
      if (fate === 'answered') slot.end = end
    }
    if (fate !== 'never') effects.push({ at, run })
  })
  for (const { run } of effects.sort((a, b) => a.at - b.at)) run()
  return calls
}

it('finds nothing wrong with a register that is right, whatever was answered', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      expect(judge(history(plan), null).impossible).toBe(null)
    }),
    { numRuns: 2000 },
  )
})

/** By trying every order. */
const bruteForce = (calls: readonly Call[], value: Value = null): boolean => {
  if (calls.every(({ end }) => end === null)) return true
  return calls.some((first, i) => {
    if (calls.some(({ end }) => end !== null && end < first.begin)) return false
    const rest = calls.filter((_, j) => j !== i)
    const { operation } = first
    // Of an unknown end: never.
    if (first.end === null && bruteForce(rest, value)) return true
    if (operation.kind === 'write') return bruteForce(rest, operation.value)
    if (operation.kind === 'read') {
      return (first.end === null || operation.value === value) && bruteForce(rest, value)
    }
    if (operation.saw !== undefined && first.end !== null) {
      return operation.saw === value && value !== operation.expected && bruteForce(rest, value)
    }
    return operation.expected === value && bruteForce(rest, operation.value)
  })
}

const anyCalls = fc.array(
  fc.record({
    kind: fc.constantFrom('read' as const, 'write' as const, 'swap' as const, 'miss' as const),
    shown: fc.option(fc.nat(5), { nil: null }),
    begin: fc.nat(20),
    lasts: fc.option(fc.nat(10), { nil: null, freq: 4 }),
  }),
  { maxLength: 6 },
)

it('says what trying every order says', () => {
  let wrong = 0
  fc.assert(
    fc.property(anyCalls, (plan) => {
      const calls = plan.map(({ kind, shown, begin, lasts }, number): Call => {
        const seen = shown === null ? null : `v${shown}`
        const value = `v${number}`
        const end = lasts === null ? null : begin + lasts
        if (kind === 'read') return read(seen, begin, end)
        if (kind === 'write') return write(value, begin, end)
        if (kind === 'miss' && end !== null) return swap(['other', value, seen], begin, end)
        return swap([seen, value], begin, end)
      })
      const right = bruteForce(calls)
      if (!right) wrong++
      expect(judge(calls, null).impossible === null).toBe(right)
    }),
    { numRuns: 4000 },
  )
  expect(wrong).toBeGreaterThan(500)
})

it('finds any answer of a right history that is changed to an older value', () => {
  fc.assert(
    fc.property(steps, fc.nat(), (plan, which) => {
      const calls = history(plan.map((step) => ({ ...step, fate: 'answered' })))
      const last = Math.max(0, ...calls.map(({ end }) => end ?? 0))
      const values = judge(calls, null).possible
      fc.pre(values.length === 1 && values[0] !== null)
      const older = [
        null,
        ...calls.flatMap(({ operation }) => (operation.kind === 'read' ? [] : [operation.value])),
      ]
      const stale = older.filter((each) => each !== values[0])
      const value = stale[which % stale.length] ?? null
      const answer = read(value, last + 1, last + 2)
      expect(judge([...calls, answer], null).impossible).toBe(calls.length)
    }),
  )
})

it('takes long histories with many clients', () => {
  const calls: Call[] = []
  for (let i = 0; i < 20_000; i++) {
    calls.push(write(`w${i}`, i * 10, i * 10 + 35))
    if (i % 50 === 0) calls.push(write(`u${i}`, i * 10, null))
  }
  const begin = performance.now()
  expect(judge(calls, null).impossible).toBe(null)
  expect(performance.now() - begin).toBeLessThan(20_000)
})
