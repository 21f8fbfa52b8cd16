import { expect, it } from 'vitest'
import type { Contract } from './world.ts'
import { refused } from './world.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

/** Cases about services, configs, secrets, networks and nodes as stored objects. */
export const objectCases = (contract: () => Contract): void => {
  it('gives a service back as it was written, with what the engine fills in', async () => {
    const c = contract()
    const name = c.name('plain')
    const id = await c.create({
      Name: name,
      Labels: { a: '1' },
      TaskTemplate: {
        ContainerSpec: { ...c.world.program('slow'), Env: ['A=1'], StopGracePeriod: 5e9 },
        RestartPolicy: { Condition: 'on-failure', Delay: 2e9 },
        Placement: { Constraints: ['node.role == manager'], MaxReplicas: 2 },
      },
      UpdateConfig: { Parallelism: 1, Order: 'start-first' },
    })
    const service = await c.engine.inspectService(id)
    expect(service.ID).toBe(id)
    expect(service.Spec).toEqual({
      Name: name,
      Labels: { a: '1' },
      TaskTemplate: {
        ContainerSpec: {
          ...c.world.program('slow'),
          Env: ['A=1'],
          StopGracePeriod: 5e9,
          Isolation: 'default',
        },
        RestartPolicy: { Condition: 'on-failure', Delay: 2e9, MaxAttempts: 0 },
        Placement: { Constraints: ['node.role == manager'], MaxReplicas: 2 },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 1 } },
      UpdateConfig: {
        Parallelism: 1,
        FailureAction: 'pause',
        MaxFailureRatio: 0,
        Order: 'start-first',
      },
    })
    expect(service.UpdateStatus).toBeUndefined()
    expect(await c.engine.inspectService(name)).toMatchObject({ ID: id })
    await c.remove(id)
    await refused('NOT_FOUND', c.engine.inspectService(id))
  })

  it('refuses a second service of the same name, and what makes no sense', async () => {
    const c = contract()
    const name = c.name('twice')
    const id = await c.create(c.spec(name, 'idle', { replicas: 0 }))
    expect(await refused('CONFLICT', c.create(c.spec(name, 'idle')))).toContain('already exists')
    const other = c.name('other')
    const message = await refused(
      'ENGINE_REFUSED',
      c.create(c.spec(other, 'idle', { task: { Networks: [{ Target: 'no-such-network' }] } })),
    )
    expect(message).toContain('network no-such-network not found')
    await refused('ENGINE_REFUSED', c.create(c.spec('no name!', 'idle')))
    const constrained = { task: { Placement: { Constraints: ['nonsense'] } } }
    await refused('ENGINE_REFUSED', c.create(c.spec(other, 'idle', constrained)))
    const renamed = c.update(id, (spec) => ({ ...spec, Name: other }))
    expect(await refused('ENGINE_REFUSED', renamed)).toContain('renaming')
    const global = c.update(id, (spec) => ({ ...spec, Mode: { Global: {} } }))
    expect(await refused('ENGINE_REFUSED', global)).toContain('mode change')
    await refused('NOT_FOUND', c.engine.removeService(other))
    await c.remove(id)
  })

  it('refuses a write that names an old version', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('versions'), 'idle', { replicas: 0 }))
    const before = await c.engine.inspectService(id)
    const labelled = (Labels: Record<string, string>) => ({ ...before.Spec, Labels })
    await c.engine.updateService(id, before.Version.Index, labelled({ a: '1' }))
    const late = c.engine.updateService(id, before.Version.Index, labelled({ a: '2' }))
    expect(await refused('CONFLICT', late)).toContain('out of sequence')
    const after = await c.engine.inspectService(id)
    expect(after.Spec.Labels).toEqual({ a: '1' })
    expect(after.Version.Index).toBeGreaterThan(before.Version.Index)
    const swarm = await c.engine.inspectSwarm()
    await refused('CONFLICT', c.engine.updateSwarm(swarm.Version.Index - 1, swarm.Spec))
    const [node] = await c.engine.listNodes()
    if (node === undefined) throw new Error('no node')
    await refused('CONFLICT', c.engine.updateNode(node.ID, node.Version.Index - 1, node.Spec))
    await c.remove(id)
  })

  it('keeps the labels of the cluster', async () => {
    const c = contract()
    const before = await c.engine.inspectSwarm()
    const Labels = { ...before.Spec.Labels, contract: 'yes' }
    await c.engine.updateSwarm(before.Version.Index, { ...before.Spec, Labels })
    const after = await c.engine.inspectSwarm()
    expect(after.Spec.Labels).toEqual(Labels)
    expect(after.Spec.Dispatcher).toEqual(before.Spec.Dispatcher)
    const restored = { ...after.Spec, Labels: before.Spec.Labels ?? {} }
    await c.engine.updateSwarm(after.Version.Index, restored)
  })

  it('filters services and tasks by label, name and id', async () => {
    const c = contract()
    const [first, second] = [c.name('filtered'), c.name('filtered')]
    const label = c.name('label')
    const a = await c.create(c.spec(first, 'idle', { Labels: { [label]: 'x', both: 'yes' } }))
    const b = await c.create(c.spec(second, 'idle', { Labels: { [label]: 'y' } }))
    const ids = async (filters: Record<string, string[]>) =>
      (await c.engine.listServices(filters)).map(({ ID }) => ID).toSorted()
    expect(await ids({ label: [label] })).toEqual([a, b].toSorted())
    expect(await ids({ label: [`${label}=x`] })).toEqual([a])
    expect(await ids({ label: [`${label}=x`, 'both=no'] })).toEqual([])
    expect(await ids({ name: [second] })).toEqual([b])
    expect(await ids({ id: [a] })).toEqual([a])
    await refused('ENGINE_REFUSED', c.engine.listServices({ nonsense: ['x'] }))
    await c.settled(a, 1)
    await c.settled(b, 1)
    // Tasks carry the labels that their service had when they were made.
    const tasks = await c.engine.listTasks({ label: [`${label}=y`] })
    expect(tasks.map(({ ServiceID }) => ServiceID)).toEqual([b])
    await refused('NOT_FOUND', c.engine.listTasks({ service: ['no-such-service'] }))
    const desired = { service: [a], 'desired-state': ['shutdown'] }
    expect(await c.engine.listTasks(desired)).toEqual([])
    await c.remove(a, b)
  })

  it('keeps configs as they were made: only labels change, and none goes while it is used', async () => {
    const c = contract()
    const name = c.name('config')
    const { ID } = await c.engine.createConfig({ Name: name, Data: base64('one'), Labels: {} })
    await refused('CONFLICT', c.engine.createConfig({ Name: name, Data: base64('two') }))
    const find = async () => {
      const config = (await c.engine.listConfigs({ name: [name] }))[0]
      if (config === undefined) throw new Error('config not listed')
      return config
    }
    const before = await find()
    expect(before.Spec).toEqual({ Name: name, Data: base64('one'), Labels: {} })
    const changed = { ...before.Spec, Data: base64('two') }
    const change = c.engine.updateConfig(ID, before.Version.Index, changed)
    expect(await refused('ENGINE_REFUSED', change)).toContain('only updates to Labels')
    const labelled = { ...before.Spec, Labels: { a: '1' } }
    await c.engine.updateConfig(ID, before.Version.Index, labelled)
    expect((await find()).Spec.Labels).toEqual({ a: '1' })
    await refused('CONFLICT', c.engine.updateConfig(ID, before.Version.Index, labelled))
    const File = { Name: '/config', UID: '0', GID: '0', Mode: 0o444 }
    const ContainerSpec = {
      ...c.world.program('idle'),
      Configs: [{ ConfigID: ID, ConfigName: name, File }],
    }
    const id = await c.create(
      c.spec(c.name('user'), 'idle', { replicas: 0, task: { ContainerSpec } }),
    )
    expect(await refused('ENGINE_REFUSED', c.engine.removeConfig(ID))).toContain('in use')
    await c.remove(id)
    await c.engine.removeConfig(ID)
    await refused('NOT_FOUND', c.engine.removeConfig(ID))
  })

  it('keeps secrets to itself', async () => {
    const c = contract()
    const name = c.name('secret')
    const { ID } = await c.engine.createSecret({
      Name: name,
      Data: base64('hush'),
      Labels: { a: '1' },
    })
    await refused('CONFLICT', c.engine.createSecret({ Name: name, Data: base64('hush') }))
    const [secret] = await c.engine.listSecrets({ label: ['a=1'], name: [name] })
    expect(secret?.Spec).toEqual({ Name: name, Labels: { a: '1' } })
    const File = { Name: 'secret', UID: '0', GID: '0', Mode: 0o400 }
    const ContainerSpec = {
      ...c.world.program('idle'),
      Secrets: [{ SecretID: ID, SecretName: name, File }],
    }
    const id = await c.create(
      c.spec(c.name('user'), 'idle', { replicas: 0, task: { ContainerSpec } }),
    )
    expect(await refused('ENGINE_REFUSED', c.engine.removeSecret(ID))).toContain('in use')
    await c.remove(id)
    await c.engine.removeSecret(ID)
    await refused('NOT_FOUND', c.engine.removeSecret(ID))
  })

  it('gives networks a subnet, services a virtual IP, and tasks addresses in it', async () => {
    const c = contract()
    const name = c.name('net')
    const { Id } = await c.engine.createNetwork({
      Name: name,
      Driver: 'overlay',
      Attachable: true,
      Labels: { a: '1' },
    })
    await refused('CONFLICT', c.engine.createNetwork({ Name: name, Driver: 'overlay' }))
    // Allocated by the leader, a moment after it was made: until then it has no driver and no subnet.
    const network = await c.world.until('the network to be allocated', async () => {
      const made = await c.engine.inspectNetwork(name)
      return made.Driver !== '' && made
    })
    expect(network).toMatchObject({
      Id,
      Name: name,
      Scope: 'swarm',
      Driver: 'overlay',
      Attachable: true,
      Labels: { a: '1' },
    })
    expect((await c.engine.listNetworks({ label: ['a=1'] })).map((found) => found.Id)).toContain(Id)
    const subnet = network.IPAM?.Config?.[0]?.Subnet ?? ''
    expect(subnet).toMatch(/^10\.\d+\.\d+\.0\/24$/)
    const prefix = subnet.replace(/0\/24$/, '')
    const task = { Networks: [{ Target: name, Aliases: ['alias'] }] }
    const vip = await c.create(
      c.spec(c.name('vip'), 'idle', { replicas: 2, task, EndpointSpec: { Mode: 'vip' } }),
    )
    const dnsrr = await c.create(
      c.spec(c.name('dnsrr'), 'idle', { task, EndpointSpec: { Mode: 'dnsrr' } }),
    )
    const tasks = [...(await c.settled(vip, 2)), ...(await c.settled(dnsrr, 1))]
    const service = await c.engine.inspectService(vip)
    expect(service.Spec.TaskTemplate?.Networks).toEqual([{ Target: Id, Aliases: ['alias'] }])
    const virtualIps = service.Endpoint?.VirtualIPs ?? []
    expect(virtualIps.map(({ NetworkID }) => NetworkID)).toEqual([Id])
    expect((await c.engine.inspectService(dnsrr)).Endpoint?.VirtualIPs ?? []).toEqual([])
    const addresses = [
      ...virtualIps.map(({ Addr }) => Addr ?? ''),
      ...tasks.flatMap(({ NetworksAttachments = [] }) =>
        NetworksAttachments.flatMap(({ Network, Addresses = [] }) => {
          expect(Network).toMatchObject({ ID: Id, Spec: { Name: name } })
          return Addresses
        }),
      ),
    ]
    expect(new Set(addresses).size).toBe(4)
    for (const address of addresses) {
      expect(address.startsWith(prefix) && address.endsWith('/24')).toBe(true)
    }
    expect(await refused('ENGINE_REFUSED', c.engine.removeNetwork(Id))).toContain('in use')
    await c.remove(vip, dnsrr)
    await c.world.until('the network to be free', () =>
      c.engine.removeNetwork(Id).then(
        () => true,
        () => false,
      ),
    )
    await refused('NOT_FOUND', c.engine.inspectNetwork(Id))
  })

  it('shows hosts with their role, state and labels', async () => {
    const c = contract()
    const nodes = await c.engine.listNodes()
    expect(new Set(nodes.map(({ Description }) => Description?.Hostname))).toEqual(
      new Set(c.world.hosts),
    )
    expect(nodes.filter(({ ManagerStatus }) => ManagerStatus?.Leader === true)).toHaveLength(1)
    expect(nodes.every(({ Status }) => Status?.State === 'ready')).toBe(true)
    const { Swarm } = await c.engine.info()
    expect(Swarm).toMatchObject({ LocalNodeState: 'active', ControlAvailable: true })
    const own = await c.engine.inspectNode(Swarm?.NodeID ?? '')
    expect(own.Description?.Hostname).toBe(c.world.hosts[0])
    const Labels = { ...own.Spec.Labels, contract: 'yes' }
    await c.engine.updateNode(own.ID, own.Version.Index, { ...own.Spec, Labels })
    const labelled = await c.engine.listNodes({ 'node.label': ['contract=yes'] })
    expect(labelled.map(({ ID }) => ID)).toEqual([own.ID])
    const now = await c.engine.inspectNode(own.ID)
    await c.engine.updateNode(own.ID, now.Version.Index, own.Spec)
    await refused('NOT_FOUND', c.engine.inspectNode('no-such-node'))
    await refused('ENGINE_REFUSED', c.engine.removeNode(own.ID))
  })
}
