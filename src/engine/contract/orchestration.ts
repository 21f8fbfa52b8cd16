import { expect, it } from 'vitest'
import type { Task } from '../types.ts'
import type { Contract } from './world.ts'

const slots = (tasks: Task[]) => tasks.map(({ Slot }) => Slot ?? 0).toSorted((a, b) => a - b)
const ids = (tasks: Task[]) => tasks.map(({ ID }) => ID).toSorted()

/** Cases about what the control loops make of services. */
export const orchestrationCases = (contract: () => Contract): void => {
  it('gives replicas the lowest free slots, and takes the highest away', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('slots'), 'idle', { replicas: 2 }))
    const two = await c.settled(id, 2)
    expect(slots(two)).toEqual([1, 2])
    const replicas = (count: number) =>
      c.update(id, (spec) => ({ ...spec, Mode: { Replicated: { Replicas: count } } }))
    await replicas(3)
    const three = await c.settled(id, 3)
    expect(slots(three)).toEqual([1, 2, 3])
    expect(ids(three)).toEqual(expect.arrayContaining(ids(two)))
    await replicas(1)
    const one = await c.settled(id, 1)
    expect(ids(three)).toContain(one[0]?.ID)
    if (c.world.hosts.length === 1) expect(slots(one)).toEqual([1])
    expect((await c.engine.inspectService(id)).UpdateStatus).toBeUndefined()
    await replicas(0)
    await c.settled(id, 0)
    await c.remove(id)
  })

  it('restarts nothing for a label of the service, everything for one of its containers', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('labels'), 'idle', { replicas: 2 }))
    const before = ids(await c.settled(id, 2))
    await c.update(id, (spec) => ({ ...spec, Labels: { a: '1' } }))
    await c.world.pass(3_000)
    expect(ids(await c.settled(id, 2))).toEqual(before)
    await c.update(id, ({ TaskTemplate = {}, ...spec }) => ({
      ...spec,
      TaskTemplate: {
        ...TaskTemplate,
        ContainerSpec: { ...TaskTemplate.ContainerSpec, Labels: { a: '1' } },
      },
    }))
    const after = await c.world.until('both tasks to be replaced', async () => {
      const tasks = await c.running(id)
      return tasks.length === 2 && tasks.every(({ ID }) => !before.includes(ID)) && tasks
    })
    expect(slots(after)).toEqual([1, 2])
    await c.remove(id)
  })

  it.each(['stop-first', 'start-first'] as const)('updates %s', async (Order) => {
    const c = contract()
    const UpdateConfig = { Parallelism: 1, Order, Monitor: 1e9 }
    const id = await c.create(c.spec(c.name(Order), 'idle', { replicas: 2, UpdateConfig }))
    const before = ids(await c.settled(id, 2))
    await c.update(id, (spec) => ({
      ...spec,
      TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: c.world.program('idle-2') },
    }))
    let fewest = 2
    await c.world.until(
      'the update to be completed',
      async () => {
        fewest = Math.min(fewest, (await c.running(id)).length)
        return (await c.engine.inspectService(id)).UpdateStatus?.State === 'completed'
      },
      90_000,
    )
    const after = await c.settled(id, 2)
    expect(slots(after)).toEqual([1, 2])
    expect(after.some(({ ID }) => before.includes(ID))).toBe(false)
    for (const task of after) {
      expect(task.Spec?.ContainerSpec).toMatchObject(c.world.program('idle-2'))
    }
    // One at a time: stop-first leaves a gap of one, start-first none at all.
    expect(fewest).toBe(Order === 'stop-first' ? 1 : 2)
    await c.remove(id)
  })

  it('goes back to the spec before when an update fails and is to roll back', async () => {
    const c = contract()
    const config = { Parallelism: 1, FailureAction: 'rollback' as const, Monitor: 5e9 }
    const RollbackConfig = { Parallelism: 0, Monitor: 1e9 }
    const name = c.name('rollback')
    const id = await c.create(
      c.spec(name, 'idle', { replicas: 2, UpdateConfig: config, RollbackConfig }),
    )
    await c.settled(id, 2)
    const { Spec } = await c.engine.inspectService(id)
    await c.update(id, (spec) => ({
      ...spec,
      Labels: { broken: 'yes' },
      TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: c.world.program('fails') },
    }))
    const status = await c.world.until(
      'the rollback to be completed',
      async () => {
        const { UpdateStatus } = await c.engine.inspectService(id)
        return UpdateStatus?.State === 'rollback_completed' && UpdateStatus
      },
      90_000,
    )
    expect(status.Message).toBe('rollback completed')
    expect((await c.engine.inspectService(id)).Spec).toEqual(Spec)
    const tasks = await c.settled(id, 2)
    for (const task of tasks) {
      expect(task.Spec?.ContainerSpec).toMatchObject(c.world.program('idle'))
    }
    await c.remove(id)
  })

  it('pauses an update that fails, and says which task failed', async () => {
    const c = contract()
    const id = await c.create(
      c.spec(c.name('pause'), 'idle', {
        replicas: 2,
        UpdateConfig: { Parallelism: 1, FailureAction: 'pause', Monitor: 5e9 },
      }),
    )
    const before = ids(await c.settled(id, 2))
    await c.update(id, (spec) => ({
      ...spec,
      TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: c.world.program('missing') },
    }))
    const message = await c.world.until(
      'the update to be paused',
      async () => {
        const { UpdateStatus } = await c.engine.inspectService(id)
        return UpdateStatus?.State === 'paused' && UpdateStatus.Message
      },
      90_000,
    )
    const failed = /failure or early termination of task (\w+)$/.exec(message)?.[1]
    const task = (await c.tasks(id)).find(({ ID }) => ID === failed)
    expect(task?.Status?.State).toBe('rejected')
    expect(task?.Status?.Err).toMatch(/No such image/i)
    // The other slot is as it was.
    expect((await c.running(id)).filter(({ ID }) => before.includes(ID))).toHaveLength(1)
    await c.remove(id)
  })

  it('starts a killed container again as a new task in the same slot', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('killed'), 'idle', { replicas: 1 }))
    const [before] = await c.settled(id, 1)
    const host = await hostOf(c, before)
    const container = before?.Status?.ContainerStatus?.ContainerID ?? ''
    await c.world.engine(host).killContainer(container)
    const [after] = await c.world.until('a new task to run', async () => {
      const tasks = await c.running(id)
      return tasks.length === 1 && tasks[0]?.ID !== before?.ID && tasks
    })
    expect(after?.Slot).toBe(before?.Slot)
    const old = (await c.tasks(id)).find(({ ID }) => ID === before?.ID)
    expect(old).toMatchObject({
      DesiredState: 'shutdown',
      Status: {
        State: 'failed',
        Err: expect.stringContaining('non-zero exit (137)') as string,
        ContainerStatus: { ExitCode: 137 },
      },
    })
    await c.remove(id)
  })

  it('gives up by its restart policy', async () => {
    const c = contract()
    const once = await c.create(
      c.spec(c.name('never'), 'fails', { task: { RestartPolicy: { Condition: 'none' } } }),
    )
    const RestartPolicy = { Condition: 'on-failure' as const, Delay: 0, MaxAttempts: 1 }
    const twice = await c.create(c.spec(c.name('twice'), 'fails', { task: { RestartPolicy } }))
    const done = await c.create(
      c.spec(c.name('done'), 'finishes', { task: { RestartPolicy: { Condition: 'on-failure' } } }),
    )
    const count = async (id: string, state: string) =>
      (await c.tasks(id)).filter(({ Status }) => Status?.State === state).length
    await c.world.until('all to have given up', async () => {
      const counts = [
        await count(once, 'failed'),
        await count(twice, 'failed'),
        await count(done, 'complete'),
      ]
      return counts.join() === '1,2,1'
    })
    await c.world.pass(4_000)
    expect((await c.tasks(once)).map(({ Status }) => Status?.State)).toEqual(['failed'])
    expect(await c.tasks(twice)).toHaveLength(2)
    expect((await c.tasks(done)).map(({ Status }) => Status?.State)).toEqual(['complete'])
    const [task] = await c.tasks(once)
    expect(task).toMatchObject({
      DesiredState: 'shutdown',
      Status: { Err: 'task: non-zero exit (3)', ContainerStatus: { ExitCode: 3 } },
    })
    await c.remove(once, twice, done)
  })

  it('calls a task running only once it is healthy', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('slow'), 'slow'))
    const seen: string[] = []
    await c.world.until('the task to be healthy', async () => {
      const [task] = await c.tasks(id)
      const state = task?.Status?.State ?? ''
      if (seen.at(-1) !== state) seen.push(state)
      return state === 'running'
    })
    expect(seen).toContain('starting')
    await c.remove(id)
  })

  it('fails a task that turns out unhealthy before it ever ran', async () => {
    const c = contract()
    const RestartPolicy = { Condition: 'none' as const }
    const id = await c.create(c.spec(c.name('sick'), 'sick', { task: { RestartPolicy } }))
    const task = await c.world.until('the task to fail', async () => {
      const [only] = await c.tasks(id)
      return only?.Status?.State === 'failed' && only
    })
    expect(task.Status?.Err).toBe('task: non-zero exit (5): dockerexec: unhealthy container')
    expect(task.Status?.ContainerStatus?.ExitCode).toBe(5)
    await c.remove(id)
  })

  it('keeps a task waiting that fits nowhere, and says why', async () => {
    const c = contract()
    const Placement = { Constraints: ['node.labels.nowhere == true'] }
    const id = await c.create(c.spec(c.name('nowhere'), 'idle', { task: { Placement } }))
    const task = await c.world.until('a reason', async () => {
      const [only] = await c.tasks(id)
      return only?.Status?.Err !== undefined && only
    })
    const nodes = c.world.hosts.length === 1 ? '1 node' : `${c.world.hosts.length} nodes`
    expect(task).toMatchObject({
      DesiredState: 'running',
      Status: {
        State: 'pending',
        Err: `no suitable node (scheduling constraints not satisfied on ${nodes})`,
      },
    })
    const engine = c.engine
    const [node] = await engine.listNodes()
    if (node === undefined) throw new Error('no node')
    const Labels = { ...node.Spec.Labels, nowhere: 'true' }
    await engine.updateNode(node.ID, node.Version.Index, { ...node.Spec, Labels })
    const [placed] = await c.settled(id, 1)
    expect(placed?.NodeID).toBe(node.ID)
    // Taking the label away evicts at once.
    const now = await engine.inspectNode(node.ID)
    await engine.updateNode(node.ID, now.Version.Index, node.Spec)
    await c.world.until('the task to be rejected', async () => {
      const old = (await c.tasks(id)).find(({ ID }) => ID === placed?.ID)
      return old?.Status?.Err === 'assigned node no longer meets constraints'
    })
    await c.remove(id)
  })

  it('puts at most so many replicas on one host', async () => {
    const c = contract()
    const replicas = c.world.hosts.length + 1
    const task = { Placement: { MaxReplicas: 1 } }
    const id = await c.create(c.spec(c.name('spread'), 'idle', { replicas, task }))
    await c.world.until('all but one to run, and a reason', async () => {
      const waiting = (await c.tasks(id)).filter(({ Status }) => Status?.State === 'pending')
      const running = await c.running(id)
      const because = waiting[0]?.Status?.Err?.includes('max replicas per node limit exceed')
      return running.length === replicas - 1 && because === true
    })
    const nodes = (await c.running(id)).map(({ NodeID }) => NodeID)
    expect(new Set(nodes).size).toBe(replicas - 1)
    await c.remove(id)
  })

  it('runs a global service once per host', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('global'), 'idle', { Mode: { Global: {} } }))
    const tasks = await c.settled(id, c.world.hosts.length)
    expect(new Set(tasks.map(({ NodeID }) => NodeID)).size).toBe(c.world.hosts.length)
    expect(tasks.every(({ Slot }) => Slot === undefined)).toBe(true)
    await c.remove(id)
  })

  it('runs a job to completion, so many at a time, and again after any update', async () => {
    const c = contract()
    const id = await c.create(
      c.spec(c.name('job'), 'finishes', {
        Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 3 } },
        task: { RestartPolicy: { Condition: 'on-failure' } },
      }),
    )
    let most = 0
    const completed = async (iteration: number) => {
      const tasks = (await c.tasks(id)).filter(
        ({ JobIteration }) => (JobIteration?.Index ?? 0) === iteration,
      )
      const active = tasks.filter(({ Status }) => Status?.State !== 'complete')
      most = Math.max(most, active.length)
      return active.length === 0 && tasks.length === 3 && tasks
    }
    const tasks = await c.world.until('three completions', () => completed(0))
    expect(new Set(tasks.map(({ Slot }) => Slot ?? 0)).size).toBe(3)
    expect(tasks.every(({ DesiredState }) => DesiredState === 'complete')).toBe(true)
    expect(most).toBeLessThanOrEqual(2)
    await c.update(id, (spec) => ({ ...spec, Labels: { a: '1' } }))
    await c.world.until('three more', () => completed(1))
    await c.remove(id)
  })
}

/** Cases that need a second host. */
export const drainCases = (contract: () => Contract): void => {
  it('moves tasks off a host that is drained', async () => {
    const c = contract()
    const replicas = c.world.hosts.length
    const id = await c.create(c.spec(c.name('drained'), 'idle', { replicas }))
    const global = await c.create(c.spec(c.name('drained'), 'idle', { Mode: { Global: {} } }))
    await c.settled(id, replicas)
    await c.settled(global, replicas)
    const nodes = await c.engine.listNodes()
    const last = nodes.find(({ Description }) => Description?.Hostname === c.world.hosts.at(-1))
    if (last === undefined) throw new Error('no last host')
    const availability = async (Availability: 'active' | 'drain') => {
      const { Version, Spec } = await c.engine.inspectNode(last.ID)
      await c.engine.updateNode(last.ID, Version.Index, { ...Spec, Availability })
    }
    await availability('drain')
    const moved = await c.world.until('its tasks to run elsewhere', async () => {
      const tasks = await c.running(id)
      return tasks.length === replicas && tasks.every(({ NodeID }) => NodeID !== last.ID) && tasks
    })
    expect(slots(moved)).toEqual(Array.from({ length: replicas }, (_, index) => index + 1))
    await c.settled(global, replicas - 1)
    await availability('active')
    // The global task returns; the replicas stay where they are.
    await c.settled(global, replicas)
    expect(ids(await c.running(id))).toEqual(ids(moved))
    await c.remove(id, global)
  })
}

const hostOf = async (c: Contract, task: Task | undefined): Promise<string> => {
  const node = await c.engine.inspectNode(task?.NodeID ?? '')
  return node.Description?.Hostname ?? ''
}
