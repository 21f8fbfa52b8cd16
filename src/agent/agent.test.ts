/** Whole agents on the engine's double, over real TLS and real sockets on the loopback. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LABEL, systemClock } from '../base/index.ts'
import { serving } from '../catalog/index.ts'
import { type DoubleSwarm, createDoubleSwarm } from '../engine/double/index.ts'
import type { Engine, ServiceSpec } from '../engine/index.ts'
import { Agent } from './agent.ts'
import { type AgentClient, connectAgent } from './client.ts'
import { TestAuthority } from './test-certificates.ts'

const HOSTS = ['m1', 'm2', 'w1']
const PORT = 18_377
/** The double's time against ours: Swarm's seconds in a tenth of the time. */
const SPEED = 5
const STEP_MS = 20

let folder: string
let swarm: DoubleSwarm
let agents: Map<string, Agent>
let problems: string[]
let stopped: AbortController
let pump: Promise<void>
let network: string

const engineOf = (host: string, certificates: string): Engine => {
  const engine = swarm.engine(host)
  return {
    ...engine,
    info: async () => ({ ...(await engine.info()), DockerRootDir: certificates }),
  }
}

const startAgent = async (host: string): Promise<Agent> => {
  const at = HOSTS.indexOf(host) + 11
  const agent = new Agent({
    engine: engineOf(host, join(folder, host)),
    edge: null,
    vip: null,
    overlay: null,
    volumes: null,
    recipes: [],
    recipesFolder: null,
    registryAuth: async () => undefined,
    socket: join(folder, `${host}.sock`),
    port: PORT,
    listen: `127.0.0.${at}`,
    metrics: null,
    version: 'test',
    hooksFolder: join(folder, `${host}-hooks`),
    clock: systemClock,
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (...[fields]: unknown[]) => void problems.push(JSON.stringify(fields)),
      error: (...[fields]: unknown[]) => void problems.push(JSON.stringify(fields)),
    },
  })
  await agent.start()
  agents.set(host, agent)
  return agent
}

const agentOf = (host: string): Agent => {
  const agent = agents.get(host)
  if (!agent) throw new Error(host)
  return agent
}
const client = (host: string): AgentClient => connectAgent(join(folder, `${host}.sock`))

const until = async (what: () => boolean | Promise<boolean>, limit = 20_000): Promise<void> => {
  const end = Date.now() + limit
  while (!(await what())) {
    if (Date.now() > end)
      throw new Error(`never happened: ${what.toString()}\n${problems.join('\n')}`)
    await systemClock.sleep(5)
  }
}

/** `web.1 on m1` of all endpoints that get traffic, as a host sees it. */
const served = (host: string, name: string): string => {
  const catalog = agentOf(host).member?.catalog
  const service = [...(catalog?.services.values() ?? [])].find((each) => each.name === name)
  if (!catalog || !service) return ''
  return serving(catalog, service.id)
    .map((endpoint) => `${endpoint.slot} on ${catalog.hosts.get(endpoint.host)?.name}`)
    .join(', ')
}
const countServed = (host: string, name: string): number =>
  served(host, name).split(', ').filter(Boolean).length

const service = (name: string, over: Partial<ServiceSpec> = {}): ServiceSpec => ({
  Name: name,
  TaskTemplate: {
    ContainerSpec: { Image: 'web:1' },
    Networks: [{ Target: network }],
    RestartPolicy: { Delay: 5e9 },
  },
  Mode: { Replicated: { Replicas: 3 } },
  EndpointSpec: { Mode: 'vip' },
  ...over,
})

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muster-agent-'))
  problems = []
  agents = new Map()
  swarm = await createDoubleSwarm({
    hosts: HOSTS.map((name, i) => ({
      name,
      role: name.startsWith('m') ? 'manager' : 'worker',
      address: `127.0.0.${11 + i}`,
    })),
  })
  const manager = swarm.engine('m1')
  network = (await manager.createNetwork({ Name: 'net', Driver: 'overlay', Attachable: true })).Id
  const authority = new TestAuthority(join(folder, 'ca'))
  for (const node of await manager.listNodes()) {
    const name = node.Description?.Hostname ?? ''
    const issued = authority.issue(
      node.ID,
      node.Spec.Role === 'manager' ? 'swarm-manager' : 'swarm-worker',
    )
    cpSync(issued, join(folder, name, 'swarm', 'certificates'), { recursive: true })
  }
  stopped = new AbortController()
  pump = (async () => {
    while (!stopped.signal.aborted) {
      await swarm.advance(STEP_MS * SPEED)
      await systemClock.sleep(STEP_MS)
    }
  })()
  await Promise.all(HOSTS.map((host) => startAgent(host)))
  await until(() => HOSTS.every((host) => agentOf(host).member?.catalog?.hosts.size === 3))
}, 30_000)

afterEach(async () => {
  await Promise.all([...agents.values()].map((agent) => agent[Symbol.asyncDispose]()))
  stopped.abort()
  await pump
  await swarm[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
}, 30_000)

test('every host knows the endpoints of all, without those that die or are about to stop', async () => {
  const engine = swarm.engine('m1')
  const { ID: id } = await engine.createService(service('web'))
  await until(() => HOSTS.every((host) => countServed(host, 'web') === 3))
  const slots = served('w1', 'web')
    .split(', ')
    .map((each) => each.split(' ')[0])
  expect(slots).toEqual(['1', '2', '3'])

  const [victim] = await engine.listTasks({ service: [id], 'desired-state': ['running'] })
  swarm.killContainer(victim?.ID ?? '')
  await until(() => HOSTS.every((host) => countServed(host, 'web') === 2))
  await until(() => HOSTS.every((host) => countServed(host, 'web') === 3))

  // Scaled down: out of the routes while the container still runs, untold.
  const read = await engine.inspectService(id)
  await engine.updateService(
    id,
    read.Version.Index,
    service('web', { Mode: { Replicated: { Replicas: 1 } } }),
  )
  const catalog = () => agentOf('w1').member?.catalog
  await until(() => catalog()?.leaving.size === 2)
  expect(catalog()?.endpoints.size).toBe(3)
  expect(countServed('w1', 'web')).toBe(1)
  await until(() => catalog()?.endpoints.size === 1 && catalog()?.leaving.size === 0)
})

test('an unhealthy container gets no traffic, and a starting one not yet', async () => {
  swarm.behave('web:1', {
    healthCheck: { Test: ['CMD', 'true'], Interval: 1e9, Timeout: 1e9, Retries: 1 },
  })
  await swarm.engine('m1').createService(service('web', { Mode: { Replicated: { Replicas: 2 } } }))
  await until(() => countServed('m2', 'web') === 2)
  const sick = [...(agentOf('m2').member?.catalog?.endpoints.keys() ?? [])][0] ?? ''
  swarm.setHealth(sick, false)
  await until(() => countServed('m2', 'web') === 1)
})

test('an agent that restarts takes nothing out of the routes', async () => {
  await swarm.engine('m1').createService(service('web', { Mode: { Global: {} } }))
  await until(() => HOSTS.every((host) => countServed(host, 'web') === 3))
  let least = 3
  const watch = setInterval(() => {
    least = Math.min(least, countServed('w1', 'web'), countServed('m1', 'web'))
  }, 2)
  await agentOf('m2')[Symbol.asyncDispose]()
  await until(() =>
    [...(agentOf('m1').member?.catalog?.hosts.values() ?? [])].some(
      ({ state }) => state === 'agentless',
    ),
  )
  await startAgent('m2')
  await until(() => countServed('m2', 'web') === 3)
  await until(() =>
    [...(agentOf('m1').member?.catalog?.hosts.values() ?? [])].every(
      ({ state }) => state === 'alive',
    ),
  )
  clearInterval(watch)
  expect(least).toBe(3)
})

test('when the engine goes away its endpoints are the last choice, and are in again when it is back', async () => {
  await swarm.engine('m1').createService(service('web', { Mode: { Global: {} } }))
  await until(() => countServed('m1', 'web') === 3)
  swarm.killEngine('w1')
  await until(() => countServed('m1', 'web') === 2)
  expect(served('m1', 'web')).not.toContain('w1')
  swarm.startEngine('w1')
  await until(() => countServed('m1', 'web') === 3, 15_000)
}, 30_000)

test('services that wait for others start when the leader sees that they may', async () => {
  const engine = swarm.engine('m1')
  const { ID: id } = await engine.createService(
    service('late', {
      Labels: {
        [LABEL.after]: JSON.stringify([
          { service: 'early', condition: 'service_healthy', required: true },
        ]),
        [LABEL.replicas]: '2',
      },
      Mode: { Replicated: { Replicas: 0 } },
    }),
  )
  await systemClock.sleep(300)
  expect((await engine.inspectService(id)).Spec.Mode?.Replicated?.Replicas).toBe(0)
  await engine.createService(service('early', { Mode: { Replicated: { Replicas: 1 } } }))
  await until(() => countServed('w1', 'late') === 2)
  expect((await engine.inspectService(id)).Spec.Labels).toEqual({})
})

test('commands run on any host from a manager, and from a worker only on itself', async () => {
  swarm.behave('web:1', {
    exec: (command, stdin) => ({
      code: 3,
      stdout: `${command.join(' ')} ${stdin}`,
      stderr: 'oops',
    }),
  })
  await swarm.engine('m1').createService(service('web', { Mode: { Global: {} } }))
  await until(() => countServed('m1', 'web') === 3)
  const catalog = await client('m1').catalog()
  const run = async (from: string, on: string) => {
    const endpoint = [...catalog.endpoints.values()].find(
      ({ host }) => catalog.hosts.get(host)?.name === on,
    )
    const session = await client(from).exec({
      host: endpoint?.host ?? '',
      container: endpoint?.container ?? '',
      command: ['echo', 'hello'],
      tty: false,
      stdin: true,
      env: [],
      user: null,
      workingDir: null,
    })
    session.stdin.end('typed')
    const [out, err] = await Promise.all([session.stdout.toArray(), session.stderr.toArray()])
    return [Buffer.concat(out).toString(), Buffer.concat(err).toString(), await session.exited]
  }
  for (const on of ['m1', 'w1']) {
    expect(await run('m1', on)).toEqual(['echo hello typed', 'oops', 3])
  }
  expect(await run('w1', 'w1')).toEqual(['echo hello typed', 'oops', 3])
  await expect(run('w1', 'm1')).rejects.toMatchObject({ code: 'AGENT_REFUSED' })
})

test('status, events and metrics tell what is going on', async () => {
  const stop = new AbortController()
  const news: string[] = []
  const reading = (async () => {
    for await (const event of client('w1').events(stop.signal)) {
      if (event.type === 'endpoint') news.push(`${event.service}.${event.slot} ${event.change}`)
    }
  })()
  await systemClock.sleep(50)
  await swarm.engine('m1').createService(service('web', { Mode: { Replicated: { Replicas: 1 } } }))
  await until(() => news.includes('web.1 ready'))
  stop.abort()
  await reading
  await until(async () => (await client('m1').status()).hosts.every(({ usage }) => usage !== null))
  const status = await client('m1').status()
  expect(status).toMatchObject({ waitingFor: null, catalog: { endpoints: 1, services: 1 } })
  expect(status.leader).toBe(status.host)
  expect(status.hosts.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
    'm1 alive',
    'm2 alive',
    'w1 alive',
  ])
  expect(await agentOf('m1').metrics.registry.metrics()).toContain(
    'muster_endpoints{state="ready"} 1',
  )
})

test('an agent waits for a swarm, joins in by itself, and stands down when its host leaves', async () => {
  const engine = swarm.engine('w1')
  await engine.leaveSwarm()
  await until(async () => (await client('w1').status()).waitingFor?.includes('swarm') === true)
  expect(agentOf('w1').member).toBeUndefined()
})

test('an agent that does not run is said so', async () => {
  await expect(connectAgent(join(folder, 'nobody.sock')).status()).rejects.toMatchObject({
    code: 'AGENT_UNREACHABLE',
  })
})
