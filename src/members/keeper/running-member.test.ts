import { expect, it } from 'vitest'
import { MusterError, systemClock } from '../../base/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Answer } from '../../recipes/index.ts'
import { galera } from '../../recipes/galera/index.ts'
import { RunningMember } from './running-member.ts'

const member = (stopContainer: Engine['stopContainer']) => {
  const problems: unknown[] = []
  const running = new RunningMember({
    engine: {
      stopContainer,
      exec: () => Promise.reject(new MusterError('CONFLICT', 'it does not run')),
    },
    container: 'c1',
    recipe: galera,
    clock: systemClock,
    onAnswer: () => undefined,
    onProblem: (error) => problems.push(error),
  })
  return { running, problems }
}

it('is asked again to end when it starts after it was asked', async () => {
  const asked: string[] = []
  const { running } = member(async (id) => void asked.push(id))
  await using _ = running
  running.started()
  expect(asked).toEqual([])
  expect(running.stop()).toBe(true)
  // An engine has nothing to stop before the start, and says that it is done.
  expect(asked).toEqual(['c1'])
  expect(running.stop()).toBe(false)
  running.started()
  expect(asked).toEqual(['c1', 'c1'])
})

it('may be asked again when the engine could not', async () => {
  const failure = new MusterError('ENGINE_REFUSED', 'no')
  const { running, problems } = member(() => Promise.reject(failure))
  await using _ = running
  expect(running.stop()).toBe(true)
  await new Promise((resolve) => setImmediate(resolve))
  expect(problems).toEqual([failure])
  expect(running.stop()).toBe(true)
})

it('is given time to end only if its data have been in use', async () => {
  const limits: (number | undefined)[] = []
  const { running } = member(async (_, options) => void limits.push(options?.timeoutSeconds))
  await using _ = running
  const status = { role: 'joining' as const, size: 0, component: null, leads: null }
  const answer: Answer = { status, causal: false, position: null, stuck: null, doing: null }
  running.take(answer, 0)
  running.stop()
  running.take({ ...answer, position: { history: 'h', sequence: '7' } }, 1)
  running.take(null, 2)
  running.started()
  expect(limits).toEqual([5, 60])
})
