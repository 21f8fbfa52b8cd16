/** The loop on the engine's double: two hosts that both believe to lead do no harm. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import { emptyCatalog } from '../catalog/index.ts'
import { sampleEndpoint } from '../catalog/samples.ts'
import { type DoubleSwarm, createDoubleSwarm } from '../engine/double/index.ts'
import type { Engine, ServiceSpec } from '../engine/index.ts'
import { releaseLoop, releaseReady } from './release.ts'

let swarm: DoubleSwarm
let problems: string[]
let releases: string[]

beforeEach(async () => {
  swarm = await createDoubleSwarm({ hosts: ['m1', 'm2', 'm3'] })
  problems = []
  releases = []
})
afterEach(() => swarm[Symbol.asyncDispose]())

const spec = (Name: string, after?: object[]): ServiceSpec => ({
  Name,
  TaskTemplate: { ContainerSpec: { Image: `${Name}:1` } },
  Mode: { Replicated: { Replicas: after ? 0 : 1 } },
  ...(after && { Labels: { [LABEL.after]: JSON.stringify(after), [LABEL.replicas]: '2' } }),
})
const on = (service: string, condition = 'service_healthy') => ({
  service,
  condition,
  required: true,
})

const pass = (engine: Engine): Promise<number> =>
  releaseReady({
    engine,
    catalog: () => emptyCatalog(),
    onRelease: (name) => releases.push(name),
    onProblem: (problem) => problems.push(problem),
  })
const replicas = async (id: string) =>
  (await swarm.engine('m1').inspectService(id)).Spec.Mode?.Replicated?.Replicas

test('a chain starts link by link, whoever leads meanwhile', async () => {
  const engine = swarm.engine('m1')
  await engine.createService(spec('c', [on('b')]))
  await engine.createService(spec('b', [on('a')]))
  await engine.createService(spec('a'))
  const stop = new AbortController()
  const loop = (host: string) =>
    releaseLoop({
      engine: swarm.engine(host),
      catalog: () => emptyCatalog(),
      clock: swarm.clock,
      changed: () => new Promise(() => undefined),
      onRelease: (name) => releases.push(name),
      onProblem: (problem) => problems.push(problem),
    }).start(stop.signal)
  const loops = [loop('m1'), loop('m2'), loop('m3')]
  await swarm.until(
    async () =>
      (await engine.listTasks()).filter((task) => task.Status?.State === 'running').length === 5,
    60_000,
  )
  stop.abort()
  await Promise.all(loops)
  expect(releases).toEqual(['b', 'c'])
  expect(problems).toEqual([])
})

test('what somebody else changes at the same time is not overwritten', async () => {
  const engine = swarm.engine('m1')
  await engine.createService(spec('a'))
  const { ID: id } = await engine.createService(spec('b', [on('a', 'service_started')]))
  await swarm.until(
    async () => (await engine.listTasks()).some((task) => task.Status?.State === 'running'),
    60_000,
  )
  const meddling: Engine = {
    ...engine,
    updateService: async (service, version, next) => {
      const now = await engine.inspectService(service)
      const labels = { ...now.Spec.Labels, [LABEL.replicas]: '7' }
      await engine.updateService(service, now.Version.Index, { ...now.Spec, Labels: labels })
      return engine.updateService(service, version, next)
    },
  }
  await pass(meddling)
  expect([releases, await replicas(id)]).toEqual([[], 0])
  await pass(engine)
  expect([releases, await replicas(id)]).toEqual([['b'], 7])
})

test('a label that nobody understands keeps that service waiting, and no other', async () => {
  const engine = swarm.engine('m1')
  await engine.createService(spec('a'))
  await engine.createService({ ...spec('broken', [on('a')]), Labels: { [LABEL.after]: 'what?' } })
  await engine.createService(spec('b', [on('a', 'service_started')]))
  await swarm.until(
    async () => (await engine.listTasks()).some((task) => task.Status?.State === 'running'),
    60_000,
  )
  expect(await pass(engine)).toBe(1)
  expect(releases).toEqual(['b'])
  expect(problems).toHaveLength(1)
})

test('a clustered service is healthy when a member takes traffic', async () => {
  const engine = swarm.engine('m1')
  const head = {
    ...spec('db'),
    Labels: { [LABEL.recipe]: '{}', [LABEL.members]: '1' },
    Mode: { Replicated: { Replicas: 0 } },
  }
  await engine.createService(head)
  const member = { ...spec('db-1'), Labels: { [LABEL.cluster]: 'db', [LABEL.memberOf]: 'x' } }
  const { ID: service } = await engine.createService(member)
  await engine.createService(spec('web', [on('db')]))
  await engine.createService(spec('early', [on('db', 'service_started')]))
  const see = (state: 'starting' | 'ready' | null) =>
    releaseReady({
      engine,
      catalog: () => ({
        ...emptyCatalog(),
        endpoints: new Map(
          state === null ? [] : [['e1', sampleEndpoint('e1', { service, state })]],
        ),
      }),
      onRelease: (name) => releases.push(name),
      onProblem: (problem) => problems.push(problem),
    })
  expect([await see(null), releases]).toEqual([2, []])
  expect([await see('starting'), releases]).toEqual([1, ['early']])
  expect([await see('ready'), releases]).toEqual([0, ['early', 'web']])
})
