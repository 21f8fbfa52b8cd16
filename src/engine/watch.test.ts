import { describe, expect, it } from 'vitest'
import { MusterError } from '../base/index.ts'
import { createDoubleSwarm, type DoubleSwarm } from './double/index.ts'
import type { HostApi } from './engine.ts'
import { retryDelay, watch, type WatchItem, type WatchOptions } from './watch.ts'

/** Follows a double in the background; `tell` says in one word each what was heard. */
const follow = <T>(swarm: DoubleSwarm, options: Omit<WatchOptions<T>, 'signal' | 'clock'>) => {
  const abort = new AbortController()
  const items: WatchItem<T>[] = []
  const ended = (async () => {
    const { signal } = abort
    for await (const item of watch({ ...options, signal, clock: swarm.clock })) items.push(item)
  })()
  const tell = () =>
    items.map((item) => (item.kind === 'event' ? (item.event.Action ?? '') : item.kind))
  return { items, tell, ended, stop: () => abort.abort() }
}

describe('watch', () => {
  it('reads everything, then hands on what happens', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const engine = swarm.engine('a')
    const list = async () => (await engine.listServices()).map(({ Spec }) => Spec.Name)
    const filters = { type: ['service'] }
    const heard = follow(swarm, { engine, filters, list })
    await swarm.advance(0)
    const TaskTemplate = { ContainerSpec: { Image: 'x:1' } }
    const { ID } = await engine.createService({ Name: 'web', TaskTemplate })
    await engine.removeService(ID)
    await swarm.advance(0)
    expect(heard.tell()).toEqual(['synced', 'create', 'remove'])
    heard.stop()
    await heard.ended
  })

  it('misses nothing that happens during the full read', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const engine = swarm.engine('a')
    const list = async () => {
      const before = (await engine.listConfigs()).length
      await engine.createConfig({ Name: `made-during-${before}`, Data: '' })
      return before
    }
    const heard = follow(swarm, { engine, filters: { type: ['config'] }, list })
    await swarm.advance(0)
    expect(heard.items[0]).toEqual({ kind: 'synced', state: 0 })
    expect(heard.tell()).toEqual(['synced', 'create'])
    heard.stop()
    await heard.ended
  })

  it('says that the engine is gone, and reads everything again when it is back', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const engine = swarm.engine('a')
    const list = async () => (await engine.listContainers()).length
    const heard = follow(swarm, { engine, list })
    await swarm.advance(1_000)
    swarm.killEngine('a')
    await swarm.advance(10_000)
    const downs = heard.items.filter(({ kind }) => kind === 'down')
    // The stream broke, then attempts after 0.1, 0.2, 0.4, 0.8, 1.6 and every 2 s.
    expect(downs).toHaveLength(9)
    expect(downs[0]).toMatchObject({ error: { code: 'ENGINE_UNREACHABLE' } })
    swarm.startEngine('a')
    await swarm.advance(2_000)
    expect(heard.tell().filter((word) => word === 'synced')).toHaveLength(2)
    // The waits are short again.
    const before = heard.items.length
    swarm.killEngine('a')
    await swarm.advance(350)
    expect(heard.tell().slice(before)).toEqual(['down', 'down', 'down'])
    heard.stop()
    await heard.ended
  })

  it('goes on trying when the read is refused, as on a host that is not yet a manager', async () => {
    await using swarm = await createDoubleSwarm({
      hosts: [
        { name: 'a', role: 'manager' },
        { name: 'b', role: 'worker' },
      ],
    })
    const engine = swarm.engine('b')
    const heard = follow(swarm, { engine, list: () => engine.listNodes() })
    await swarm.advance(500)
    expect(heard.items[0]).toMatchObject({ kind: 'down', error: { code: 'NOT_A_MANAGER' } })
    const [worker] = await swarm.engine('a').listNodes({ name: ['b'] })
    if (worker === undefined) throw new Error('no worker')
    const spec = { ...worker.Spec, Role: 'manager' as const }
    await swarm.engine('a').updateNode(worker.ID, worker.Version.Index, spec)
    await swarm.advance(2_000)
    expect(heard.items.findLast(({ kind }) => kind === 'synced')).toMatchObject({
      state: [{}, {}],
    })
    heard.stop()
    await heard.ended
  })

  it('reads everything again from time to time if asked to', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const engine = swarm.engine('a')
    const heard = follow(swarm, { engine, list: () => engine.listNodes(), resyncMs: 1_000 })
    await swarm.advance(3_500)
    expect(heard.tell().filter((word) => word === 'synced')).toHaveLength(4)
    heard.stop()
    await heard.ended
  })

  it('does not hide a defect behind another attempt', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const list = async () => {
      throw new TypeError('a defect')
    }
    const heard = follow(swarm, { engine: swarm.engine('a'), list })
    await expect(heard.ended).rejects.toThrow('a defect')
  })

  it('ends at once when it is stopped while it waits to try again', async () => {
    await using swarm = await createDoubleSwarm({ hosts: ['a'] })
    const engine: Pick<HostApi, 'events'> = {
      // oxlint-disable-next-line require-yield -- it never gets that far
      async *events() {
        throw new MusterError('ENGINE_UNREACHABLE', 'gone')
      },
    }
    const heard = follow(swarm, { engine, list: async () => 0 })
    await swarm.advance(0)
    heard.stop()
    await heard.ended
    expect(heard.tell()).toEqual(['down'])
  })
})

it('waits longer after each failure, up to 2 s', () => {
  expect([1, 2, 3, 4, 5, 6, 60].map(retryDelay)).toEqual([100, 200, 400, 800, 1600, 2000, 2000])
})
