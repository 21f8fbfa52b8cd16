import { expect, test } from 'vitest'
import { type ManagerSight, chooseManager } from './follow.ts'

const manager = (id: string, over: Partial<ManagerSight> = {}): ManagerSight => ({
  id,
  connected: true,
  silence: 100,
  serving: true,
  doubt: false,
  leader: false,
  sees: 3,
  steadyFor: 0,
  ...over,
})

test.each<[string, ManagerSight[], string | null, string | null]>([
  ['the leader, at first', [manager('a'), manager('b', { leader: true })], null, 'b'],
  [
    'nobody when nobody answers',
    [manager('a', { connected: false }), manager('b', { silence: 800 })],
    'a',
    null,
  ],
  [
    'another when the followed one falls silent',
    [manager('a', { silence: 800, leader: true }), manager('b')],
    'a',
    'b',
  ],
  ['whoever sees most, without a leader', [manager('a', { sees: 2 }), manager('b')], null, 'b'],
  [
    'one that does not doubt itself',
    [manager('a', { doubt: true, leader: true }), manager('b')],
    'a',
    'b',
  ],
  [
    'the same as before when all doubt',
    [manager('a', { doubt: true }), manager('b', { doubt: true, leader: true })],
    'a',
    'a',
  ],
  [
    'the same as before, while a new leader is not steady',
    [manager('a'), manager('b', { leader: true, steadyFor: 500 })],
    'a',
    'a',
  ],
  ['a steady leader', [manager('a'), manager('b', { leader: true, steadyFor: 2500 })], 'a', 'b'],
  [
    'not one that still has to learn',
    [manager('a', { serving: false, leader: true }), manager('b')],
    null,
    'b',
  ],
])('an agent follows %s', (...[, managers, current, expected]) => {
  expect(chooseManager(managers, current)).toBe(expected)
})
