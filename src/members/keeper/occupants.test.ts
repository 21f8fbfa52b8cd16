import { describe, expect, it } from 'vitest'
import { type Occupant, askerOf, outcomeOf } from './occupants.ts'

const made = (container: string, service: string | null, madeAt: number): Occupant => ({
  container,
  service,
  madeAt,
  created: true,
  running: false,
  image: null,
  exit: null,
})

it('takes the newest container of the member for the one that asks', () => {
  const occupants = [made('left', 'db-1', 100), made('new', 'db-1', 200)]
  expect(askerOf(occupants, 'db-1')?.container).toBe('new')
})

it('takes nobody when it could be a stranger', () => {
  expect(askerOf([], 'db-1')).toBeNull()
  expect(askerOf([made('left', 'db-1', 100), made('x', null, 101)], 'db-1')).toBeNull()
  expect(askerOf([made('x', null, 99), made('new', 'db-1', 100)], 'db-1')).toBeNull()
  expect(askerOf([{ ...made('old', 'db-1', 100), created: false }], 'db-1')).toBeNull()
})

it('does not let what a stranger left behind keep the member out for good', () => {
  const occupants = [made('x', null, 100), made('new', 'db-1', 500)]
  expect(askerOf(occupants, 'db-1')?.container).toBe('new')
})

describe('what has become of a process that was let in', () => {
  const known = { member: 'db-1', container: null, passed: false, gate: false, restarted: false }
  const created = [made('c1', 'db-1', 100)]
  const letIn = { ...known, container: 'c1', passed: true }

  it('starts still, though the engine was away before it was let in', () => {
    for (const gate of [true, false]) {
      expect(outcomeOf(created, { ...letIn, gate, restarted: true })).toEqual({
        kind: 'starting',
        container: 'c1',
      })
    }
  })
  it('has ended with its engine, when another container asks, or none is there', () => {
    const ended = { kind: 'ended', exit: null }
    const earlier = { ...letIn, container: 'c0' }
    expect(outcomeOf(created, { ...earlier, restarted: true })).toEqual(ended)
    expect(outcomeOf(created, { ...earlier, gate: true })).toEqual(ended)
    expect(outcomeOf([], letIn)).toEqual(ended)
  })
  it('may start, for all that an agent knows that was away', () => {
    const back = { ...known, passed: true }
    expect(outcomeOf(created, back)).toEqual({ kind: 'starting', container: 'c1' })
    expect(outcomeOf(created, { ...back, restarted: true })).toMatchObject({ kind: 'ended' })
  })
  it('runs, or was never let in', () => {
    const running = { ...made('c2', 'db-1', 90), created: false, running: true }
    expect(outcomeOf([running, ...created], known)).toEqual({ kind: 'running', container: 'c2' })
    expect(outcomeOf(created, known)).toEqual({ kind: 'none' })
  })
})
