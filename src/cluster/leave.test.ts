import { afterEach, beforeEach, expect, test } from 'vitest'
import { MusterError } from '../base/index.ts'
import { type DoubleSwarm, createDoubleSwarm } from '../engine/double/index.ts'
import type { Engine } from '../engine/index.ts'
import { leaveCluster } from './leave.ts'

let swarm: DoubleSwarm
let said: string[]
beforeEach(async () => {
  swarm = await createDoubleSwarm({ hosts: ['m1', 'm2', 'm3', 'w1'] })
  said = []
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** Runs a leave to its end, while time passes. */
const leave = async (engine: Engine, options: { force?: boolean; timeoutMs?: number } = {}) => {
  let end: { left: boolean } | Error | undefined
  void leaveCluster(engine, {
    force: false,
    clock: swarm.clock,
    onWait: (what) => said.push(what),
    ...options,
  }).then(
    (result) => (end = result),
    (error: Error) => (end = error),
  )
  await swarm.until(() => end !== undefined, 300_000, 'the end')
  if (end instanceof Error) throw end
  return end
}
const isOut = async (host: string) =>
  (await swarm.engine(host).info()).Swarm?.LocalNodeState === 'inactive'

test.each(['w1', 'm2'])('%s leaves; the second time there is nothing to do', async (host) => {
  expect(await leave(swarm.engine(host))).toEqual({ left: true })
  expect(await isOut(host)).toBe(true)
  expect(await leave(swarm.engine(host))).toEqual({ left: false })
})

test('the last manager is told what it would do, and may insist', async () => {
  await leave(swarm.engine('m1'))
  await leave(swarm.engine('m2'))
  await expect(leave(swarm.engine('m3'))).rejects.toThrow(/last manager/)
  expect(await isOut('m3')).toBe(false)
  expect(await leave(swarm.engine('m3'), { force: true })).toEqual({ left: true })
})

test('what an engine answers while it changes its role is waited out, and said', async () => {
  const real = swarm.engine('m2')
  const from = swarm.clock.now()
  const unless = <T>(seconds: number, text: string, call: () => Promise<T>): Promise<T> =>
    swarm.clock.now() - from < seconds * 1000
      ? Promise.reject(new MusterError('ENGINE_REFUSED', text))
      : call()
  const engine: Engine = {
    ...real,
    listNodes: (filters) => unless(4, 'control.sock: no such file', () => real.listNodes(filters)),
    leaveSwarm: (options) =>
      unless(9, 'participating as a manager', () => real.leaveSwarm(options)),
  }
  expect(await leave(engine)).toEqual({ left: true })
  expect(said).toEqual([
    'this host to become a worker (control.sock: no such file)',
    'the engine to leave the cluster (participating as a manager)',
  ])
})

test('an engine that has left although it said that it did not make it has left', async () => {
  const real = swarm.engine('w1')
  const engine: Engine = {
    ...real,
    leaveSwarm: async (options) => {
      await real.leaveSwarm(options)
      throw new MusterError('NO_QUORUM', 'context deadline exceeded')
    },
  }
  expect(await leave(engine)).toEqual({ left: true })
})

test('an engine that never does it is given up, with its last answer', async () => {
  const engine: Engine = {
    ...swarm.engine('w1'),
    leaveSwarm: () => Promise.reject(new MusterError('ENGINE_REFUSED', 'not now')),
  }
  await expect(leave(engine, { timeoutMs: 30_000 })).rejects.toThrow(
    'This host did not leave within 30 s; it was waiting for the engine to leave the cluster. Last answer: not now',
  )
  expect(said).toHaveLength(3)
})
