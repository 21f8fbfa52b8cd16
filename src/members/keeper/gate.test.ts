import { expect, test } from 'vitest'
import { ManualClock } from '../../engine/double/index.ts'
import { type GateOutcome, holdAtGate } from './gate.ts'

const gate = (looks: (seconds: number) => GateOutcome) => {
  const clock = new ManualClock()
  const told: string[] = []
  const life = new AbortController()
  const end = holdAtGate({
    member: 'db-1',
    clock,
    look: async () => looks(clock.now() / 1000),
    changed: () => new Promise(() => undefined),
    onWait: (reason) => told.push(reason),
    signal: life.signal,
  }).then(
    (outcome) => ({ outcome, at: clock.now() }),
    (error: Error) => ({ error: error.message, at: clock.now() }),
  )
  return { clock, told, life, end }
}
const passed: GateOutcome = { kind: 'passed', start: 'join', epoch: 3 }
const wait = (reason: string): GateOutcome => ({ kind: 'wait', reason })

test('whoever is let in at once waits for nothing', async () => {
  const { told, end } = gate(() => passed)
  expect(await end).toEqual({ outcome: passed, at: 0 })
  expect(told).toEqual([])
})

test('each reason is told once, and the way is free as soon as a look says so', async () => {
  const { clock, told, end } = gate((now) => (now < 2 ? wait('a') : now < 5 ? wait('b') : passed))
  await clock.advance(10_000)
  expect(await end).toEqual({ outcome: passed, at: 5000 })
  expect(told).toEqual(['a', 'b'])
})

test.each<[GateOutcome, number, string]>([
  [wait('nobody leads'), 100_000, 'db-1 waits: nobody leads.'],
  [{ kind: 'refuse', reason: 'it is stopped' }, 10_000, 'db-1 may not start: it is stopped.'],
])('%o ends before Docker gives up', async (...[outcome, limit, error]) => {
  const { clock, end } = gate(() => outcome)
  await clock.advance(120_000)
  expect(await end).toEqual({ error, at: limit })
})

test('nobody is held for who has gone', async () => {
  const { clock, life, end } = gate(() => wait('a'))
  await clock.advance(1500)
  life.abort(new Error('the container is gone'))
  expect(await end).toMatchObject({ error: 'the container is gone' })
})
