import { expect, it } from 'vitest'
import { MusterError } from '../../base/index.ts'
import type { Engine } from '../engine.ts'
import { type Contract, refused } from './world.ts'

/** Cases that take hosts' power away: three managers, of which the first leads at the start. */
export const failureCases = (contract: () => Contract): void => {
  const lose = async (...hosts: string[]) => {
    for (const host of hosts) await contract().world.lose?.(host)
  }
  /** What a call gives while the cluster may be without a leader. */
  const whenLed = async <T>(call: Promise<T>): Promise<T | undefined> => {
    try {
      return await call
    } catch (error) {
      const passing = ['NO_QUORUM', 'ENGINE_UNREACHABLE', 'TIMEOUT', 'NOT_A_MANAGER']
      if (error instanceof MusterError && passing.includes(error.code)) return undefined
      throw error
    }
  }
  const states = async (engine: Engine) => {
    const nodes = await whenLed(engine.listNodes())
    return new Map((nodes ?? []).map((node) => [node.Description?.Hostname ?? '', node] as const))
  }
  const restore = async (...hosts: string[]) => {
    const c = contract()
    for (const host of hosts) await c.world.restore?.(host)
    await c.world.until('all hosts to be ready again', async () => {
      for (const host of c.world.hosts) {
        const nodes = [...(await states(c.world.engine(host))).values()]
        const ready = nodes.filter(
          ({ Status, ManagerStatus }) =>
            Status?.State === 'ready' && ManagerStatus?.Reachability === 'reachable',
        )
        if (ready.length !== c.world.hosts.length) return false
      }
      return true
    })
  }

  it('calls a lost host down, runs its tasks elsewhere, and stops none twice', async () => {
    const c = contract()
    const { engine } = c
    const swarm = await engine.inspectSwarm()
    const Dispatcher = { HeartbeatPeriod: 1e9 }
    await engine.updateSwarm(swarm.Version.Index, { ...swarm.Spec, Dispatcher })
    const nodes = await states(engine)
    const leader = [...nodes].find(([, node]) => node.ManagerStatus?.Leader === true)?.[0]
    const lost = c.world.hosts.findLast((host) => host !== leader && host !== c.world.hosts[0])
    if (lost === undefined) throw new Error('no host to lose')
    const lostId = nodes.get(lost)?.ID
    const replicas = c.world.hosts.length
    const task = { Placement: { MaxReplicas: 2 } }
    const id = await c.create(c.spec(c.name('stranded'), 'idle', { replicas, task }))
    const before = await c.settled(id, replicas)
    const stranded = before.find(({ NodeID }) => NodeID === lostId)
    if (stranded === undefined) throw new Error('nothing runs on the host to lose')
    await lose(lost)
    await c.world.until('the host to be down', async () => {
      const node = (await states(engine)).get(lost)
      return node?.Status?.State === 'down'
    })
    const replacement = await c.world.until('a replacement to run', async () =>
      (await c.running(id)).find(({ Slot, ID }) => Slot === stranded.Slot && ID !== stranded.ID),
    )
    expect(replacement.NodeID).not.toBe(lostId)
    // Nobody can tell what became of the old one: it stays as it was last seen.
    const old = (await c.tasks(id)).find(({ ID }) => ID === stranded.ID)
    expect(old).toMatchObject({ DesiredState: 'shutdown', Status: { State: 'running' } })
    await restore(lost)
    await c.world.until('the old task to be known as ended', async () => {
      const task = (await c.tasks(id)).find(({ ID }) => ID === stranded.ID)
      return task?.Status?.State !== 'running'
    })
    const after = await c.settled(id, replicas)
    expect(after.map(({ ID }) => ID)).toContain(replacement.ID)
    await c.remove(id)
  })

  it('finds another leader when that host is lost, and goes on', async () => {
    const c = contract()
    const nodes = await states(c.engine)
    const [leader] = [...nodes].find(([, node]) => node.ManagerStatus?.Leader === true) ?? []
    if (leader === undefined) throw new Error('no leader')
    const other = c.world.hosts.find((host) => host !== leader) as string
    const engine = c.world.engine(other)
    await lose(leader)
    await refused('ENGINE_UNREACHABLE', c.world.engine(leader).info())
    const next = await c.world.until('another leader', async () =>
      [...(await states(engine))].find(
        ([host, node]) => host !== leader && node.ManagerStatus?.Leader === true,
      ),
    )
    expect(next[0]).not.toBe(leader)
    await c.world.until('the old leader to be down', async () => {
      const node = (await states(engine)).get(leader)
      return node?.Status?.State === 'down' && node.ManagerStatus?.Reachability === 'unreachable'
    })
    const { ID } = await engine.createService(c.spec(c.name('led'), 'idle'))
    await c.world.until('a task to run', async () => {
      const tasks = await engine.listTasks({ service: [ID] })
      return tasks[0]?.Status?.State === 'running'
    })
    await engine.removeService(ID)
    await restore(leader)
  })

  it('says that the majority is lost, and recovers when it is back', async () => {
    const c = contract()
    const [first, ...others] = c.world.hosts
    const engine = c.world.engine(first as string)
    const { ID } = await engine.createService(c.spec(c.name('kept'), 'idle', { replicas: 0 }))
    await lose(...others)
    await c.world.until('the loss to be noticed', async () => {
      const led = await whenLed(engine.listServices())
      return led === undefined
    })
    await refused('NO_QUORUM', engine.listServices())
    await refused('NO_QUORUM', engine.createService(c.spec(c.name('lost'), 'idle')))
    await refused('NO_QUORUM', engine.removeService(ID))
    const { Swarm } = await engine.info()
    expect(Swarm?.LocalNodeState).toBe('active')
    await restore(...others)
    const services = await engine.listServices()
    expect(services.map((service) => service.ID)).toContain(ID)
    await c.remove(ID)
  })
}
