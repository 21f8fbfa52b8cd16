import { describe, expect, it } from 'vitest'
import { sampleLedger } from '../catalog/samples.ts'
import { type Copy, chosenCopy, evidence, newestCopy } from './recover-copies.ts'

const at = (sequence: number, history = 'a') => ({ history, sequence: String(sequence) })
const copy = (number: number, over: Partial<Copy> = {}): Copy => ({
  id: `shop_kv-${number}`,
  host: `host-${number}`,
  data: 'good',
  position: at(number * 10),
  running: false,
  snapshot: null,
  ...over,
})
const snapshot = (sequence: number, history = 'a') => ({
  name: `${history}-${sequence}-1763740000.db`,
  position: at(sequence, history),
  at: 1_763_740_000_000,
})
const ledger = sampleLedger({ cluster: 'shop_kv', phase: 'held', highWater: { ...at(50), at: 0 } })
const damaged = { data: 'damaged', position: null } as const

describe('the newest copy', () => {
  const newest = (copies: Copy[], over = { snapshot: false }) => newestCopy(ledger, copies, over)

  it('is that with the highest position', () => {
    expect(newest([copy(1), copy(3), copy(2)])).toEqual({ from: 'shop_kv-3', snapshot: null })
  })
  it('is a snapshot only when it is newer than all data', () => {
    const both = copy(2, { snapshot: snapshot(20) })
    expect(newest([both])).toEqual({ from: 'shop_kv-2', snapshot: null })
    expect(newest([copy(1), copy(2, { ...damaged, snapshot: snapshot(20) })])).toEqual({
      from: 'shop_kv-2',
      snapshot: 'a-20-1763740000.db',
    })
    expect(newest([both], { snapshot: true }).snapshot).toBe('a-20-1763740000.db')
  })
  it('is none of a host that is not heard', () => {
    const away = copy(9, { data: 'unheard', snapshot: snapshot(90) })
    expect(newest([copy(1), away]).from).toBe('shop_kv-1')
    expect(() => newest([away])).toThrow('No copy')
  })
  it('is of the history that the cluster had, and else a person says whose', () => {
    expect(newest([copy(1), copy(2, { snapshot: snapshot(900, 'b') })]).from).toBe('shop_kv-2')
    const strangers = [copy(1, { position: at(1, 'c') }), copy(2, { position: at(2, 'b') })]
    expect(() => newest(strangers)).toThrow('do not compare')
  })
})

describe('the copy that was asked for', () => {
  const from = 'shop_kv-1'
  it('must be there', () => {
    expect(chosenCopy([copy(1)], { from, snapshot: false })).toEqual({ from, snapshot: null })
    expect(() => chosenCopy([copy(1)], { from, snapshot: true })).toThrow('no snapshot')
    expect(() => chosenCopy([copy(1, damaged)], { from, snapshot: false })).toThrow('damaged data')
    expect(() => chosenCopy([copy(1, { data: 'empty' })], { from, snapshot: false })).toThrow(
      'no data',
    )
  })
})

it('shows each copy, the chosen one, and what would be lost', () => {
  const copies = [copy(1), copy(2, { ...damaged, snapshot: snapshot(20) })]
  const choice = { from: 'shop_kv-2', snapshot: 'a-20-1763740000.db' }
  expect(evidence(ledger, copies, { choice, now: 1_763_740_180_000 })).toEqual([
    'shop_kv: held',
    '    shop_kv-1 on host-1: good, position 10 of a',
    '    shop_kv-2 on host-2: damaged, no position known',
    '  *   snapshot of 3m ago: at least position 20 of a',
    expect.stringContaining('the newest that was ever seen: 50 of a'),
    'Up to 30 transactions of that history would be lost.',
  ])
})
