import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MusterError } from '../../base/index.ts'
import type { Task } from '../types.ts'
import { createDoubleSwarm, type DoubleSwarm } from './index.ts'
import { compareStates } from './states.ts'

const HOSTS = ['a', 'b', 'c', 'd']

type Step =
  | { kind: 'scale'; replicas: number }
  | { kind: 'image'; image: 'good:1' | 'good:2' | 'crashes:1' | 'missing:1' | 'sick:1' }
  | { kind: 'lose' | 'return' | 'cut' | 'heal' | 'killEngine' | 'startEngine'; host: string }
  | { kind: 'drain' | 'activate'; host: string }
  | { kind: 'kill'; which: number }
  | { kind: 'wait'; ms: number }

const host = fc.constantFrom(...HOSTS)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), replicas: fc.integer({ min: 0, max: 6 }) }),
  fc.record({
    kind: fc.constant('image' as const),
    image: fc.constantFrom('good:1', 'good:2', 'crashes:1', 'missing:1', 'sick:1'),
  }),
  fc.record({
    kind: fc.constantFrom('lose', 'return', 'cut', 'heal', 'killEngine', 'startEngine'),
    host,
  }),
  fc.record({ kind: fc.constantFrom('drain', 'activate'), host }),
  fc.record({ kind: fc.constant('kill' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
)

/** A swarm with one service, its off switches, and what was seen of it. */
class History {
  readonly swarm: DoubleSwarm
  readonly off = new Map<string, 'lost' | 'cut' | 'engine'>()
  readonly seen = new Map<string, Task>()
  replicas = 3

  constructor(swarm: DoubleSwarm) {
    this.swarm = swarm
  }

  /** The engine of whoever leads now; undefined while nobody does. */
  get engine() {
    const leader = this.swarm.leader()
    return leader === undefined ? undefined : this.swarm.engine(leader)
  }

  async apply(step: Step): Promise<void> {
    const { swarm, engine } = this
    switch (step.kind) {
      case 'wait':
        return await swarm.advance(step.ms)
      case 'scale':
        if (engine !== undefined) this.replicas = step.replicas
        return await this.#update((spec) => ({
          ...spec,
          Mode: { Replicated: { Replicas: step.replicas } },
        }))
      case 'image':
        return await this.#update((spec) => ({
          ...spec,
          TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: containerOf(step.image) },
        }))
      case 'drain':
      case 'activate':
        return await this.#availability(step.host, step.kind === 'drain' ? 'drain' : 'active')
      case 'kill': {
        const tasks = (await engine?.listTasks()) ?? []
        const alive = tasks.filter(({ Status }) => Status?.ContainerStatus?.PID)
        const task = alive[step.which % Math.max(alive.length, 1)]
        if (task !== undefined) swarm.killContainer(task.ID)
        return
      }
      case 'lose':
      case 'return':
      case 'cut':
      case 'heal':
      case 'killEngine':
      case 'startEngine':
        return this.#power(step.kind, step.host)
    }
  }

  async look(): Promise<void> {
    for (const task of (await this.engine?.listTasks()) ?? []) {
      const before = this.seen.get(task.ID)
      this.seen.set(task.ID, task)
      if (before === undefined) continue
      expect(task.Version.Index).toBeGreaterThanOrEqual(before.Version.Index)
      for (const [now, then] of [
        [task.Status?.State, before.Status?.State],
        [task.DesiredState, before.DesiredState],
      ]) {
        if (now !== undefined && then !== undefined) {
          expect(compareStates(now, then)).toBeGreaterThanOrEqual(0)
        }
      }
      if (before.NodeID !== undefined) expect(task.NodeID).toBe(before.NodeID)
    }
  }

  /** Everything on, everything good. */
  async repair(): Promise<void> {
    for (const [name, how] of this.off) {
      if (how === 'lost') this.swarm.returnHost(name)
      if (how === 'cut') this.swarm.healHost(name)
      if (how === 'engine') this.swarm.startEngine(name)
    }
    this.off.clear()
    await this.swarm.advance(60_000)
    for (const name of HOSTS) await this.#availability(name, 'active')
    // A rollback brings the number of replicas back, too: say it again.
    await this.apply({ kind: 'scale', replicas: this.replicas })
    await this.apply({ kind: 'image', image: 'good:2' })
    await this.swarm.advance(300_000)
  }

  #power(kind: string, name: string): void {
    const how = this.off.get(name)
    const turnOff = { lose: 'lost', cut: 'cut', killEngine: 'engine' } as const
    const turnOn = { return: 'lost', heal: 'cut', startEngine: 'engine' } as const
    if (kind in turnOff && how === undefined) {
      this.off.set(name, turnOff[kind as keyof typeof turnOff])
    } else if (kind in turnOn && how === turnOn[kind as keyof typeof turnOn]) {
      this.off.delete(name)
    } else return
    if (kind === 'lose') this.swarm.loseHost(name)
    if (kind === 'return') this.swarm.returnHost(name)
    if (kind === 'cut') this.swarm.cutHost(name)
    if (kind === 'heal') this.swarm.healHost(name)
    if (kind === 'killEngine') this.swarm.killEngine(name)
    if (kind === 'startEngine') this.swarm.startEngine(name)
  }

  async #update(change: (spec: Spec) => Spec): Promise<void> {
    const { engine } = this
    if (engine === undefined) return
    const { ID, Version, Spec } = await engine.inspectService('web')
    await engine.updateService(ID, Version.Index, change(Spec))
  }

  async #availability(name: string, Availability: 'active' | 'drain'): Promise<void> {
    const [node] = (await this.engine?.listNodes({ name: [name] })) ?? []
    if (node === undefined) return
    await this.engine?.updateNode(node.ID, node.Version.Index, { ...node.Spec, Availability })
  }
}

type Spec = Awaited<ReturnType<ReturnType<DoubleSwarm['engine']>['inspectService']>>['Spec']

const containerOf = (Image: string) =>
  Image === 'sick:1'
    ? { Image, HealthCheck: { Test: ['CMD', 'x'], Interval: 1e9, Retries: 2 } }
    : { Image }

const begin = async (seed: number, Order: 'start-first' | 'stop-first'): Promise<History> => {
  const swarm = await createDoubleSwarm({ hosts: HOSTS, seed })
  swarm.behave('crashes:1', { exit: { afterMs: 700, code: 1 } })
  swarm.behave('missing:1', { missing: true })
  swarm.behave('sick:1', { health: () => false })
  await swarm.engine('a').createService({
    Name: 'web',
    Mode: { Replicated: { Replicas: 3 } },
    TaskTemplate: { ContainerSpec: containerOf('good:1'), RestartPolicy: { Delay: 1e9 } },
    UpdateConfig: { Parallelism: 2, Order, FailureAction: 'rollback' },
  })
  return new History(swarm)
}

describe('any history of a swarm', () => {
  it('never goes backwards, and ends well once everything is repaired', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.constantFrom('start-first' as const, 'stop-first' as const),
        fc.array(step, { maxLength: 25 }),
        async (seed, order, steps) => {
          const history = await begin(seed, order)
          for (const each of steps) {
            await history.apply(each)
            await history.look()
          }
          await history.repair()
          const { swarm, engine } = history
          if (engine === undefined) throw new Error('no leader after the repair')
          const nodes = await engine.listNodes()
          expect(nodes.map(({ Status }) => Status?.State)).toEqual(HOSTS.map(() => 'ready'))
          const tasks = await engine.listTasks()
          const running = tasks.filter(({ Status }) => Status?.State === 'running')
          expect(running.map(({ DesiredState }) => DesiredState)).toEqual(
            running.map(() => 'running'),
          )
          const slots = running.map(({ Slot }) => Slot)
          expect(slots).toHaveLength(history.replicas)
          expect(new Set(slots).size).toBe(history.replicas)
          for (const task of running) expect(task.Spec?.ContainerSpec?.Image).toBe('good:2')
          // What runs on the hosts is exactly what the managers believe to run.
          const containers = await Promise.all(
            HOSTS.map((name) => swarm.engine(name).listContainers()),
          )
          expect(new Set(containers.flat().map(({ Id }) => Id))).toEqual(
            new Set(running.map(({ Status }) => Status?.ContainerStatus?.ContainerID)),
          )
        },
      ),
      { numRuns: 60 },
    )
  }, 60_000)

  it('is the same again with the same seed', async () => {
    const steps = fc.array(step, { minLength: 5, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(fc.integer(), steps, async (seed, history) => {
        const run = async () => {
          const one = await begin(seed, 'start-first')
          for (const each of history) await one.apply(each)
          await one.repair()
          return [await one.engine?.listTasks(), await one.engine?.listNodes()]
        }
        expect(await run()).toEqual(await run())
      }),
      { numRuns: 10 },
    )
  }, 30_000)
})

describe('a host that is cut off', () => {
  it('goes on alone, and gives up what was replaced when it is back', async () => {
    const { swarm } = await begin(1, 'stop-first')
    await swarm.advance(5_000)
    const engine = swarm.engine('a')
    const [node] = await engine.listNodes({ name: ['d'] })
    const onD = async () => (await swarm.engine('d').listContainers()).length
    const update = await engine.inspectService('web')
    await engine.updateService(update.ID, update.Version.Index, {
      ...update.Spec,
      Mode: { Replicated: { Replicas: 8 } },
    })
    await swarm.advance(5_000)
    expect(await onD()).toBe(2)
    swarm.cutHost('d')
    await swarm.advance(40_000)
    expect((await engine.inspectNode(node?.ID ?? '')).Status?.State).toBe('down')
    expect(await onD()).toBe(2)
    const running = async () =>
      (await engine.listTasks({ 'desired-state': ['running'] })).filter(
        ({ Status }) => Status?.State === 'running',
      )
    expect(await running()).toHaveLength(8)
    swarm.healHost('d')
    await swarm.advance(10_000)
    expect(await onD()).toBe(0)
    expect(await running()).toHaveLength(8)
  })

  it('as a manager answers nothing about the cluster', async () => {
    const { swarm } = await begin(1, 'stop-first')
    swarm.cutHost('a')
    const code = (error: unknown) => (error instanceof MusterError ? error.code : error)
    await expect(swarm.engine('a').listServices().catch(code)).resolves.toBe('NO_QUORUM')
    expect((await swarm.engine('a').info()).Swarm?.ControlAvailable).toBe(false)
    await swarm.advance(5_000)
    expect(['b', 'c']).toContain(swarm.leader())
    const led = swarm.engine(swarm.leader() ?? '')
    expect(await led.listServices()).toHaveLength(1)
    swarm.healHost('a')
    expect(await swarm.engine('a').listServices()).toHaveLength(1)
  })
})

describe('an engine that is killed', () => {
  it('leaves its containers running, and ends them when it is back', async () => {
    const { swarm } = await begin(1, 'stop-first')
    await swarm.advance(5_000)
    const engine = swarm.engine('a')
    const tasks = await engine.listTasks()
    const task = tasks.find(({ NodeID }) => NodeID !== undefined)
    const node = await engine.inspectNode(task?.NodeID ?? '')
    const name = node.Description?.Hostname ?? ''
    swarm.killEngine(name)
    await expect(swarm.engine(name).info()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
    swarm.startEngine(name)
    const containers = await swarm.engine(name).listContainers({ all: true })
    expect(containers.map(({ State }) => State)).toEqual(containers.map(() => 'exited'))
    await swarm.advance(30_000)
    const led = swarm.engine(swarm.leader() ?? '')
    const now = (await led.listTasks()).find(({ ID }) => ID === task?.ID)
    expect(now?.Status?.State).toBe('failed')
  })
})

describe('joining', () => {
  it('makes one swarm of engines that are in none', async () => {
    const swarm = await createDoubleSwarm({
      hosts: ['x', 'y', 'z'].map((name) => ({ name, role: 'none' as const })),
    })
    const [x, y, z] = ['x', 'y', 'z'].map((name) => swarm.engine(name))
    if (x === undefined || y === undefined || z === undefined) throw new Error('no engines')
    await expect(x.listNodes()).rejects.toMatchObject({ code: 'NOT_A_MANAGER' })
    await x.initSwarm({ advertiseAddr: '10.200.0.11' })
    const { JoinTokens } = await x.inspectSwarm()
    const remoteAddrs = ['10.200.0.11:2377']
    await expect(y.joinSwarm({ remoteAddrs, token: 'wrong' })).rejects.toThrow(/token/)
    await y.joinSwarm({ remoteAddrs, token: JoinTokens?.Manager ?? '' })
    await z.joinSwarm({ remoteAddrs, token: JoinTokens?.Worker ?? '' })
    await swarm.advance(1_000)
    const roles = (await y.listNodes()).map(({ Spec, Status }) => [Spec.Role, Status?.State])
    expect(roles).toEqual([
      ['manager', 'ready'],
      ['manager', 'ready'],
      ['worker', 'ready'],
    ])
    await expect(z.listNodes()).rejects.toMatchObject({ code: 'NOT_A_MANAGER' })
    await z.leaveSwarm()
    const [left] = await x.listNodes({ name: ['z'] })
    expect(left?.Status?.State).toBe('down')
    await x.removeNode(left?.ID ?? '')
    expect(await x.listNodes()).toHaveLength(2)
  })
})
