import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import type { LogLine } from '../engine.ts'
import type { EngineEvent } from '../types.ts'
import { watch, type WatchItem } from '../watch.ts'
import type { Contract } from './world.ts'
import { refused } from './world.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const of = (lines: LogLine[], stream: LogLine['stream']) =>
  lines.filter((line) => line.stream === stream).map((line) => line.text)

/** Cases about one host's containers, and what it tells of them and of the cluster. */
export const hostCases = (contract: () => Contract): void => {
  it('makes, starts, stops and removes a container', async () => {
    const c = contract()
    const { engine } = c
    const name = c.name('box')
    const { Command = [] } = c.world.program('idle')
    const body = { Image: c.world.image, Cmd: Command, Labels: { box: name }, Env: ['A=1'] }
    const { Id } = await engine.createContainer(name, body)
    await refused('CONFLICT', engine.createContainer(name, body))
    await refused('NOT_FOUND', engine.createContainer(c.name('no'), { ...body, Image: 'no:1' }))
    const listed = async (all: boolean) =>
      (await engine.listContainers({ all, filters: { label: [`box=${name}`] } })).map(
        ({ Id: id, State }) => [id, State],
      )
    expect(await listed(true)).toEqual([[Id, 'created']])
    expect(await listed(false)).toEqual([])
    await engine.startContainer(Id)
    expect(await listed(false)).toEqual([[Id, 'running']])
    const inspected = await engine.inspectContainer(name)
    expect(inspected).toMatchObject({
      Id,
      Name: `/${name}`,
      State: { Status: 'running', Running: true },
      Config: { Labels: { box: name }, Env: expect.arrayContaining(['A=1']) as string[] },
    })
    await refused('CONFLICT', engine.removeContainer(Id))
    await c.world.until('the container to stop', async () => {
      await Promise.all([engine.stopContainer(Id, { timeoutSeconds: 5 }), c.world.pass(1_000)])
      return true
    })
    expect((await engine.inspectContainer(Id)).State).toMatchObject({
      Status: 'exited',
      ExitCode: 0,
    })
    await refused('CONFLICT', engine.killContainer(Id))
    await engine.removeContainer(Id)
    await refused('NOT_FOUND', engine.inspectContainer(Id))
  })

  it('makes a volume once, and removes it', async () => {
    const c = contract()
    const { engine } = c
    const volume = { name: c.name('volume'), driver: 'local', labels: { box: 'a' } }
    await engine.createVolume(volume)
    await engine.createVolume(volume)
    await engine.removeVolume(volume.name)
    await refused('NOT_FOUND', engine.removeVolume(volume.name))
  })

  it('connects a container to an attachable network, and takes it off', async () => {
    const c = contract()
    const { engine } = c
    const network = c.name('attachable')
    const { Id } = await engine.createNetwork({
      Name: network,
      Driver: 'overlay',
      Attachable: true,
    })
    const closed = c.name('closed')
    await engine.createNetwork({ Name: closed, Driver: 'overlay' })
    const { Command = [] } = c.world.program('idle')
    const box = await engine.createContainer(c.name('box'), {
      Image: c.world.image,
      Cmd: Command,
    })
    await engine.startContainer(box.Id)
    await engine.connectNetwork(network, box.Id, { aliases: ['me'] })
    const attached = async () =>
      (await engine.inspectContainer(box.Id)).NetworkSettings?.Networks?.[network]
    expect(await attached()).toMatchObject({
      NetworkID: Id,
      IPAddress: expect.stringMatching(/^10\./) as string,
      Aliases: expect.arrayContaining(['me']) as string[],
    })
    await refused('CONFLICT', engine.connectNetwork(network, box.Id))
    await refused('ENGINE_REFUSED', engine.connectNetwork(closed, box.Id))
    await refused('ENGINE_REFUSED', engine.connectNetwork('no-such-network', box.Id))
    await engine.disconnectNetwork(network, box.Id)
    expect(await attached()).toBeUndefined()
    await engine.removeContainer(box.Id, { force: true })
    await c.world.until('the networks to be free', () =>
      Promise.all([network, closed].map((each) => engine.removeNetwork(each))).then(
        () => true,
        (error: { code?: string }) => error.code === 'NOT_FOUND',
      ),
    )
  })

  it('reads the log of a task, whole or its end, and of its container', async () => {
    const c = contract()
    const id = await c.create(c.spec(c.name('talks'), 'talks'))
    const [task] = await c.settled(id, 1)
    if (task === undefined) throw new Error('no task')
    const lines = await c.world.until('three lines', async () => {
      const all = await collect(c.engine.taskLogs(task.ID, {}))
      return all.length >= 3 && all
    })
    expect(of(lines, 'stdout')).toEqual(['first', 'third'])
    expect(of(lines, 'stderr')).toEqual(['second'])
    const tail = await collect(c.engine.taskLogs(task.ID, { tail: 1 }))
    expect(tail).toEqual([{ stream: 'stdout', text: 'third' }])
    const node = await c.engine.inspectNode(task.NodeID ?? '')
    const engine = c.world.engine(node.Description?.Hostname ?? '')
    const container = task.Status?.ContainerStatus?.ContainerID ?? ''
    const stamped = await collect(engine.containerLogs(container, { timestamps: true, tail: 1 }))
    expect(stamped[0]?.text).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z third$/)
    const abort = new AbortController()
    const followed: string[] = []
    for await (const line of c.engine.taskLogs(task.ID, { follow: true, signal: abort.signal })) {
      followed.push(line.text)
      if (followed.length === 3) abort.abort()
    }
    expect(followed.toSorted()).toEqual(['first', 'second', 'third'])
    await refused('NOT_FOUND', collect(c.engine.taskLogs('no-such-task', {})))
    await c.remove(id)
  })

  it('runs a command in a container, with its input, both outputs and its exit status', async () => {
    const c = contract()
    const { engine } = c
    const { Command = [] } = c.world.program('idle')
    const body = { Image: c.world.image, Cmd: Command }
    const { Id } = await engine.createContainer(c.name('box'), body)
    const command = ['sh', '-c', 'cat; echo oops >&2; exit 7']
    await refused('CONFLICT', engine.exec(Id, { command }))
    await engine.startContainer(Id)
    const session = await engine.exec(Id, { command, stdin: true })
    session.stdin.end('hello\n')
    const [out, err, code] = await Promise.all([
      text(session.stdout),
      text(session.stderr),
      session.exited,
    ])
    expect([out, err, code]).toEqual(['hello\n', 'oops\n', 7])
    await refused('NOT_FOUND', engine.exec('no-such-container', { command }))
    await engine.removeContainer(Id, { force: true })
  })

  it('tells of containers, services and hosts as they change', async () => {
    const c = contract()
    const { engine } = c
    const seen: EngineEvent[] = []
    const abort = new AbortController()
    const opened = Promise.withResolvers<void>()
    const following = (async () => {
      const onOpen = () => opened.resolve()
      for await (const event of engine.events({ signal: abort.signal, onOpen })) seen.push(event)
    })()
    await opened.promise
    const name = c.name('told')
    const id = await c.create(c.spec(name, 'slow', { Mode: { Global: {} } }))
    await c.settled(id, c.world.hosts.length)
    await c.update(id, (spec) => ({ ...spec, Labels: { a: '1' } }))
    const { Swarm } = await engine.info()
    const node = await engine.inspectNode(Swarm?.NodeID ?? '')
    const Labels = { ...node.Spec.Labels, told: 'yes' }
    await engine.updateNode(node.ID, node.Version.Index, { ...node.Spec, Labels })
    const now = await engine.inspectNode(node.ID)
    await engine.updateNode(node.ID, now.Version.Index, node.Spec)
    await c.remove(id)
    const about = (type: string, actor: (event: EngineEvent) => boolean) =>
      seen.filter((event) => event.Type === type && actor(event)).map(({ Action }) => Action ?? '')
    const service = () => about('service', ({ Actor }) => Actor?.ID === id)
    const container = () =>
      about(
        'container',
        ({ Actor }) => Actor?.Attributes?.['com.docker.swarm.service.name'] === name,
      ).filter((action) => !/exec|kill|stop/.test(action))
    const nodes = () => about('node', ({ Actor }) => Actor?.ID === node.ID)
    await c.world.until('the events', async () => {
      const all = [...service(), ...container()]
      return all.includes('remove') && all.includes('destroy') && nodes().includes('update')
    })
    expect(service()[0]).toBe('create')
    expect(service()).toContain('update')
    expect(container()).toEqual(['create', 'start', 'health_status: healthy', 'die', 'destroy'])
    const healthy = seen.find(({ Action }) => Action === 'health_status: healthy')
    expect(healthy?.scope).toBe('local')
    expect(healthy?.Actor?.Attributes).toMatchObject({ 'com.docker.swarm.service.id': id })
    expect(seen.find(({ Type }) => Type === 'service')?.scope).toBe('swarm')
    abort.abort()
    await following
  })

  it('filters events, and can tell of the past', async () => {
    const c = contract()
    const { engine } = c
    const { Command = [] } = c.world.program('idle')
    const since = Date.parse((await engine.info()).SystemTime ?? '') / 1000
    const name = c.name('past')
    const body = { Image: c.world.image, Cmd: Command, Labels: { past: name } }
    const { Id } = await engine.createContainer(name, body)
    await engine.startContainer(Id)
    await engine.killContainer(Id, 'KILL')
    await c.world.until('it to be dead', async () => {
      const { State } = await engine.inspectContainer(Id)
      return State?.Status === 'exited'
    })
    const abort = new AbortController()
    const filters = { type: ['container'], event: ['start', 'die'], label: [`past=${name}`] }
    const seen: EngineEvent[] = []
    for await (const event of engine.events({ since, filters, signal: abort.signal })) {
      seen.push(event)
      if (event.Action === 'die') abort.abort()
    }
    expect(seen.map(({ Action }) => Action)).toEqual(['start', 'die'])
    expect(seen[1]?.Actor).toMatchObject({ ID: Id, Attributes: { exitCode: '137' } })
    await engine.removeContainer(Id)
  })

  it('can be watched: a full read, then what changes', async () => {
    const c = contract()
    const { engine } = c
    const abort = new AbortController()
    const seen: WatchItem<number>[] = []
    const filters = { type: ['container'] }
    const list = async () => (await engine.listContainers({ all: true })).length
    const watching = (async () => {
      const items = watch({ engine, filters, list, signal: abort.signal })
      for await (const item of items) seen.push(item)
    })()
    await c.world.until('the full read', async () => seen.length > 0)
    expect(seen[0]?.kind).toBe('synced')
    const { Command = [] } = c.world.program('idle')
    const body = { Image: c.world.image, Cmd: Command }
    const { Id } = await engine.createContainer(c.name('seen'), body)
    const isIt = (item: WatchItem<number>) => item.kind === 'event' && item.event.Actor?.ID === Id
    await c.world.until('the event', async () => seen.some(isIt))
    await engine.removeContainer(Id)
    abort.abort()
    await watching
  })

  it('knows its images', async () => {
    const c = contract()
    const { Id } = await c.engine.inspectImage(c.world.image)
    expect(Id).toMatch(/^sha256:[0-9a-f]{64}$/)
    await refused('NOT_FOUND', c.engine.inspectImage('no-such-image:1'))
    const missing = c.world.program('missing').Image ?? ''
    const pull = c.engine.pullImage(missing)
    expect(['NOT_FOUND', 'ENGINE_REFUSED']).toContain(
      await pull.then(
        () => 'pulled',
        (error: { code?: string }) => error.code,
      ),
    )
  })

  it('says its version and its place in the cluster', async () => {
    const c = contract()
    const { api, engine, minApi } = await c.engine.version()
    for (const version of [api, minApi]) expect(version).toMatch(/^1\.\d+$/)
    expect(engine).toMatch(/^\d+\.\d+/)
    const info = await c.engine.info()
    expect(info.Name).toBe(c.world.hosts[0])
    expect(info.Swarm?.RemoteManagers?.length).toBeGreaterThan(0)
    expect(info.DockerRootDir).toMatch(/^\//)
    const init = c.engine.initSwarm({ advertiseAddr: info.Swarm?.NodeAddr ?? '' })
    expect(await refused('ENGINE_REFUSED', init)).toContain('already part of a swarm')
  })
}
