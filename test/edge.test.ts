import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { type Catalog, emptyCatalog, type Endpoint } from '../src/catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../src/catalog/samples.ts'
import {
  Edge,
  edgeConfig,
  type EdgeEvent,
  localRanges,
  renderHaproxyConfig,
} from '../src/edge/index.ts'
import { parseListening } from '../src/edge/listening.ts'
import { EdgeWorker } from '../src/edge/worker.ts'
import { HaproxyProcess } from './net/haproxy.ts'
import type { HttpSummary } from './net/client.ts'
import { type Net, Nets, patience } from './net/namespaces.ts'

const exec = promisify(execFile)
/** How many of the load's requests may be slow: nobody can say on a machine that is overloaded. */
const quiet = (requests: number) => (patience() > 2 ? Number.POSITIVE_INFINITY : requests)
const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))

const SERVER_B = 'shop_web.8080.http/shop_web.1.taskb'

/** A catalog of service `web` (http :80, tcp :90) with these endpoints. */
const world = (endpoints: Endpoint[], over: Partial<Catalog> = {}): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId(['b', 'c', 'd'].map((id) => sampleHost(id))),
  services: byId([
    sampleService('s1', {
      name: 'shop_web',
      ports: [{ published: 90, target: 9090, mode: 'tcp', proxyProtocol: false }],
      http: [{ host: '*', path: '/', published: 80, target: 8080 }],
    }),
  ]),
  endpoints: byId(endpoints),
  ...over,
})

describe('any catalog', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-config-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('a.example.com', '*.example.com', '*', '/', '/api', '/a b', "x' }\n  bind :1"),
    fc.constantFrom('shop_web', 'a.b', 'x y', '"', '\\', '%[src]', '${HOME}', '#', '~'),
  )
  const port = fc.oneof(fc.integer({ min: -1, max: 70_000 }), fc.constantFrom(80, 443, 8377))
  const service = fc.record({
    id: fc.string({ minLength: 1, maxLength: 4 }),
    name: text,
    ports: fc.array(
      fc.record({
        published: port,
        target: port,
        mode: fc.constantFrom('tcp' as const, 'http' as const),
        proxyProtocol: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    http: fc.array(fc.record({ host: text, path: text, published: port, target: port }), {
      maxLength: 3,
    }),
  })
  const catalogs = fc
    .record({
      services: fc.array(service, { maxLength: 5 }),
      ids: fc.array(text, { maxLength: 5 }),
    })
    .map(({ services, ids }) =>
      world(
        ids.map((id, index) =>
          sampleEndpoint(id, {
            service: services[index % Math.max(1, services.length)]?.id ?? 's1',
            addresses: { net1: index === 3 ? 'not an address' : `10.0.1.${index}` },
          }),
        ),
        { services: byId(services.map((one) => sampleService(one.id, one))) },
      ),
    )

  it('becomes a configuration that HAProxy accepts, without a warning', async () => {
    await fc.assert(
      fc.asyncProperty(catalogs, fc.boolean(), async (catalog, known) => {
        const place = { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' }
        const { config } = edgeConfig(catalog, {
          self: sampleHost('b', known ? { edge: { net1: place } } : {}),
          local: localRanges(),
          addresses: new Set(['127.0.0.1']),
        })
        const file = join(folder, 'haproxy.cfg')
        const options = { adminSocket: join(folder, 'admin.sock'), namespace: 'host' }
        await writeFile(file, renderHaproxyConfig(config, options).text)
        const { stdout, stderr } = await exec('unshare', [
          '-m',
          'sh',
          '-c',
          `mkdir -p /run/netns && mount -t tmpfs none /run/netns && touch /run/netns/host &&
           mount --bind /proc/self/ns/net /run/netns/host && exec haproxy -c -V -f ${file}`,
        ])
        expect(stdout + stderr).not.toMatch(/WARNING|ALERT/)
      }),
      { numRuns: 60 },
    )
  })
})

describe('an edge with a real HAProxy', () => {
  let nets: Nets
  let host: Net
  let client: Net
  let inside: Net
  let b: Net
  let c: Net
  let haproxy: HaproxyProcess
  let edge: Edge
  let events: EdgeEvent[]

  beforeAll(async () => {
    nets = await Nets.create()
    host = await nets.add('host')
    client = await nets.add('client')
    inside = await nets.add('edge')
    b = await nets.add('b')
    c = await nets.add('c')
    await Promise.all([b.serve(), c.serve()])
  })
  afterAll(() => nets[Symbol.asyncDispose]())

  beforeEach(async () => {
    haproxy = await HaproxyProcess.create({ inside, host })
    edge = newEdge()
  })
  afterEach(async () => {
    await edge.stop()
    await haproxy[Symbol.asyncDispose]()
  })

  const newEdge = () => {
    events = []
    return new Edge({
      process: haproxy,
      onEvent: (event) => events.push(event),
      listening: async () => parseListening(await host.run('cat', '/proc/net/tcp'), ''),
    })
  }
  const endpoint = (net: Net, over: Partial<Endpoint> = {}) =>
    sampleEndpoint(`task${net.name}`, {
      host: net.name,
      slot: net.name === 'b' ? 1 : 2,
      addresses: { net1: net.address },
      ...over,
    })
  const lost = (id: string) =>
    byId(['b', 'c'].map((host) => sampleHost(host, host === id ? { state: 'suspected' } : {})))
  const both = () => [endpoint(b), endpoint(c)]
  /** Applies and waits until it is in effect. */
  const apply = async (catalog: Catalog) => {
    edge.apply(catalog)
    await until('the edge to serve', () => edge.status.serving, {
      timeoutMs: 15_000,
      intervalMs: 5,
    })
  }
  /** What HAProxy itself says: open sessions by server. */
  const sessions = async () => {
    await using worker = await EdgeWorker.connect(haproxy.render.adminSocket)
    return await worker.sessions()
  }
  const inFlight = (count: number) =>
    until(
      'the requests to be with the servers',
      async () => {
        const all = [...(await sessions()).values()]
        return all.reduce((sum, one) => sum + one, 0) === count
      },
      { timeoutMs: 10_000, intervalMs: 10 },
    )
  const url = (path = '/', port = 80) => `http://${host.address}:${port}${path}`
  const curl = (...args: string[]) => client.run('curl', '-sS', '-m', '20', ...args)
  const load = (path: string, rate: number, seconds: number) =>
    client.client('http', url(path), String(rate), String(seconds)).next<HttpSummary>()

  it('serves a service, and takes endpoints in and out without a reload', async () => {
    await apply(world([endpoint(b)]))
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'b' })
    expect(haproxy.networks).toEqual(['net1'])
    expect(edge.reach([80, 81])).toEqual({ ports: [80], endpoints: ['taskb'], conflicts: [] })
    await apply(world([endpoint(c)]))
    expect(edge.reach([80]).endpoints).toEqual(['taskc'])
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    await apply(world([endpoint(b, { state: 'unhealthy' }), endpoint(c)]))
    for (let n = 0; n < 5; n++) expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    expect(haproxy.reloads).toBe(0)
    // Nor has it taken its own listeners for somebody else's while it started.
    expect(events.filter(({ type }) => /failed|conflicts/.test(type))).toEqual([])
    const last = events.findLast((event) => event.type === 'applied')
    expect(last?.latencyMs).toBeLessThan(100 * patience())
  })

  it('tells applications who the client is, whatever the client says itself', async () => {
    await apply(world(both()))
    const { headers } = JSON.parse(
      await curl('-H', 'X-Forwarded-For: 1.2.3.4', '-H', 'Forwarded: for=1.2.3.4', url()),
    ) as { headers: Record<string, string> }
    expect(headers['x-forwarded-for']).toBe(client.address)
    expect(headers['x-real-ip']).toBe(client.address)
    expect(headers['x-forwarded-proto']).toBe('http')
    expect(headers['x-forwarded-host']).toBe(host.address)
    expect(headers['forwarded']).toBeUndefined()
  })

  it('says which service has no endpoint, and when nothing is published there', async () => {
    await apply(world([]))
    expect(await curl('-w', ' %{http_code}', url())).toBe('shop_web: no endpoint answers 503')
    const { services } = world([])
    const named = [...services.values()].map((service) => ({
      ...service,
      http: [{ host: 'shop.test', path: '/api', published: 80, target: 8080 }],
    }))
    await apply(world(both(), { services: byId(named) }))
    expect(await curl('-w', ' %{http_code}', url())).toMatch(/^no service is published .* 404$/)
    const at = ['-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: SHOP.test.:80']
    expect(await curl(...at, url('/api'))).toBe('200')
    expect(await curl(...at, url('/api/x?y'))).toBe('200')
    expect(await curl(...at, url('/apis'))).toBe('404')
  })

  it('passes TCP through, with checks that the application never sees', async () => {
    await apply(world([endpoint(b)]))
    const accepted = async () =>
      (JSON.parse(await curl(url('/', 80))) as { accepted: number }).accepted
    const before = await accepted()
    await new Promise((resolve) => setTimeout(resolve, 2500))
    expect(await accepted()).toBe(before)
    await using tcp = client.client('echo', host.address, '90')
    expect(await tcp.next()).toMatchObject({ event: 'connected', name: 'b' })
    expect(await accepted()).toBe(before + 1)
  })

  it('announces the client by the PROXY protocol where asked', async () => {
    const { services } = world([])
    const ports = [{ published: 91, target: 9099, mode: 'tcp' as const, proxyProtocol: true }]
    const proxied = byId([...services.values()].map((service) => ({ ...service, ports })))
    const listener = b.spawn(
      process.execPath,
      '-e',
      `let all = ''; require('net').createServer((s) => s.on('error', () => s.destroy())
         .on('data', (d) => { all = d.toString('hex'); if (all.startsWith('0d0a0d0a000d0a515549540a21')) console.log(all) })
       ).listen(9099)`,
    )
    const seen = new Promise<string>((resolve) =>
      listener.stdout?.once('data', (data: Buffer) => resolve(data.toString())),
    )
    await apply(world([endpoint(b)], { services: proxied }))
    await using _tcp = client.client('wait', host.address, '91')
    const bytes = client.address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
    expect(await seen).toContain(bytes.join(''))
    listener.kill()
  })

  it('loses no request while endpoints come and go', async () => {
    await apply(world(both()))
    const running = load('/?ms=20', 100, 4)
    for (let n = 0; n < 20; n++) {
      await apply(world(n % 2 === 0 ? [endpoint(n % 4 === 0 ? b : c)] : both()))
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    const result = await running
    expect(result).toMatchObject({ failed: 0 })
    expect(result.over500).toBeLessThanOrEqual(quiet(0))
    expect(haproxy.reloads).toBe(0)
  })

  it('loses no request while ports come and go', async () => {
    await apply(world(both()))
    const running = load('/?ms=20', 100, 4)
    for (let n = 0; n < 8; n++) {
      const extra = sampleService('s2', {
        ports: [{ published: 100 + n, target: 8080, mode: 'http', proxyProtocol: false }],
      })
      const services = byId([...world([]).services.values(), extra])
      await apply(world(both(), { services }))
      expect(edge.status.ports).toContain(100 + n)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    const result = await running
    expect(result).toMatchObject({ failed: 0 })
    expect(result.over500).toBeLessThanOrEqual(quiet(0))
    // A HAProxy that is slow to answer is told twice of one change.
    expect(events.filter(({ type }) => type === 'reloaded')).toHaveLength(8)
  })

  it('lets an endpoint that leaves finish, and forgets it then', async () => {
    await apply(world(both()))
    const slow = Array.from({ length: 6 }, () => curl(url('/?ms=3000')))
    const posts = Array.from({ length: 4 }, () => curl('-d', 'x', url('/?ms=3000')))
    await inFlight(10)
    await apply(world(both(), { leaving: new Set(['taskb']) }))
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    const names = (await Promise.all([...slow, ...posts])).map(
      (answer) => (JSON.parse(answer) as { name: string }).name,
    )
    expect(names).toContain('b')
    await apply(world([endpoint(c)], { version: 2 }))
    await until('the server to be deleted', async () => !(await sessions()).has(SERVER_B), {
      timeoutMs: 10_000,
    })
  })

  it('sends requests that a lost host had to another one, but never replays a POST', async () => {
    await apply(world(both()))
    const gets = Array.from({ length: 6 }, () => curl(url('/?ms=3000')))
    const posts = Array.from({ length: 4 }, () =>
      curl('-d', 'x', '-w', ' %{http_code}', url('/?ms=3000')),
    )
    await inFlight(10)
    await apply(world(both(), { hosts: lost('b') }))
    for (const answer of await Promise.all(gets)) {
      expect(JSON.parse(answer)).toMatchObject({ name: 'c' })
    }
    const outcomes = (await Promise.all(posts)).map((answer) => answer.slice(-3))
    expect(outcomes.filter((status) => status === '502').length).toBeGreaterThan(0)
    expect(new Set(outcomes)).toEqual(new Set(['200', '502']))
  })

  it('hides a host that falls silent, before the catalog says anything', async () => {
    await apply(world(both()))
    const inFlight = Array.from({ length: 4 }, () => curl('-w', ' %{time_total}', url('/?ms=1500')))
    const running = load('/?ms=5', 100, 5)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await nets.cut(b)
    try {
      const result = await running
      expect(result).toMatchObject({ failed: 0 })
      expect(result.over500).toBeLessThanOrEqual(quiet(2))
      for (const answer of await Promise.all(inFlight))
        expect(answer).toMatch(/"name":"c"|"name":"b"/)
      const times = (await Promise.all(inFlight)).map((answer) => Number(answer.split(' ').at(-1)))
      expect(Math.max(...times)).toBeLessThan(6 * patience())
    } finally {
      await nets.heal(b)
    }
  })

  it('ends TCP connections to a suspected host at once, and takes it back', async () => {
    await apply(world(both()))
    const clients = Array.from({ length: 4 }, () => client.client('wait', host.address, '90'))
    const names = await Promise.all(clients.map((one) => one.next<{ name: string }>()))
    expect(new Set(names.map(({ name }) => name))).toEqual(new Set(['b', 'c']))
    const at = Date.now()
    await apply(world(both(), { hosts: lost('b') }))
    for (const [index, one] of clients.entries()) {
      if (names[index]?.name !== 'b') continue
      const ended = await one.next<{ event: string; at: number }>()
      expect(ended.event).toBe('ended')
      expect(ended.at - at).toBeLessThan(200 * patience())
    }
    await apply(world(both()))
    const again = await Promise.all(
      Array.from({ length: 6 }, async () => JSON.parse(await curl(url())) as { name: string }),
    )
    expect(again.map(({ name }) => name)).toContain('b')
    for (const one of clients) await one[Symbol.asyncDispose]()
  })

  it('is back within a second when HAProxy dies, with what changed meanwhile', async () => {
    await apply(world([endpoint(b)]))
    await apply(world([endpoint(c)]))
    const pid = await haproxy.master()
    process.kill(pid, 'SIGKILL')
    const died = Date.now()
    await until('another HAProxy to answer', () => curl('-m', '1', url()).catch(() => false), {
      timeoutMs: 5000,
      intervalMs: 20,
    })
    expect(Date.now() - died).toBeLessThan(1000 * patience())
    expect(await haproxy.master()).not.toBe(pid)
    expect(haproxy.starts).toBe(1)
    await until('the edge to notice', () => edge.status.serving, { timeoutMs: 5000 })
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    expect(events.map(({ type }) => type)).toContain('disconnected')
  })

  it('goes on with the HAProxy that an agent before it has left', async () => {
    await apply(world([endpoint(b)]))
    await edge.stop()
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'b' })
    edge = newEdge()
    await apply(world(both()))
    expect(haproxy.starts).toBe(1)
    expect(haproxy.reloads).toBe(0)
    expect(events.filter(({ type }) => type === 'reloaded')).toEqual([])
  })

  it('serves everything else when a port of the host is taken, and takes it when it is free', async () => {
    const squatter = host.spawn(
      process.execPath,
      '-e',
      "require('net').createServer().listen(90, '0.0.0.0', () => console.log('up'))",
    )
    await new Promise((resolve) => squatter.stdout?.once('data', resolve))
    await apply(world(both()))
    // The first start is HAProxy's alone; it is a reload that must not be lost to a taken port.
    const extra = sampleService('s2', {
      ports: [{ published: 8088, target: 8080, mode: 'http', proxyProtocol: false }],
    })
    await until('port 80', () => edge.status.ports.includes(80), { timeoutMs: 20_000 })
    await apply(world(both(), { services: byId([...world([]).services.values(), extra]) }))
    expect(edge.status.ports).toEqual([80, 8088])
    expect(edge.status.conflicts).toMatchObject([{ port: 90, service: 'shop_web', winner: null }])
    squatter.kill()
    await until('port 90', () => edge.status.ports.includes(90), { timeoutMs: 30_000 })
    expect(edge.status.conflicts).toEqual([])
  }, 90_000)

  it('keeps changing endpoints while its folder cannot be written, and writes later', async () => {
    await apply(world([endpoint(b)]))
    await edge.settled()
    // A folder where the temporary file goes: every write fails, as on a full disk.
    const obstacle = join(haproxy.dir, `.${process.pid}.tmp`)
    await mkdir(obstacle)
    await apply(world([endpoint(c)]))
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    await until(
      'the failure to be told',
      () => events.some(({ type }) => type === 'write-failed'),
      {
        timeoutMs: 5000,
      },
    )
    const file = () => readFile(join(haproxy.dir, 'haproxy.cfg'), 'utf8')
    expect(await file()).toContain('taskb')
    await rm(obstacle, { recursive: true })
    await until('the file to be written', async () => (await file()).includes('taskc'), {
      timeoutMs: 20_000,
    })
  })

  it('goes over to a worker that comes too late', async () => {
    await apply(world(both()))
    const master = await haproxy.master()
    const extra = sampleService('s2', {
      ports: [{ published: 8099, target: 8080, mode: 'http', proxyProtocol: false }],
    })
    const services = byId([...world([]).services.values(), extra])
    const failures = () => events.filter(({ type }) => type === 'reload-failed').length
    process.kill(master, 'SIGSTOP')
    try {
      edge.apply(world(both(), { services }))
      // With the port, and without it.
      await until('two reloads to fail', () => failures() === 2, { timeoutMs: 15_000 })
      expect(edge.reach([80, 8099])).toMatchObject({ ports: [80], conflicts: [] })
    } finally {
      process.kill(master, 'SIGCONT')
    }
    // Long before it would be told again.
    await until('the new worker', () => edge.status.serving, {
      timeoutMs: 4000 * patience(),
    })
    expect(failures()).toBe(2)
    await apply(world([endpoint(c)], { services }))
    for (let n = 0; n < 5; n++) expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    await until('port 8099', () => edge.status.ports.includes(8099), { timeoutMs: 15_000 })
    expect(edge.status.conflicts).toEqual([])
  })

  it('keeps what runs when HAProxy does not take a configuration', async () => {
    await apply(world(both()))
    // Taken, but invisible to the edge: only HAProxy finds out.
    const squatter = host.spawn(
      process.execPath,
      '-e',
      "require('net').createServer().listen(8099, '0.0.0.0', () => console.log('up'))",
    )
    await new Promise((resolve) => squatter.stdout?.once('data', resolve))
    await edge.stop()
    events = []
    edge = new Edge({
      process: haproxy,
      onEvent: (event) => events.push(event),
      listening: async () => new Set(),
    })
    const extra = sampleService('s2', {
      ports: [{ published: 8099, target: 8080, mode: 'http', proxyProtocol: false }],
    })
    const services = byId([...world([]).services.values(), extra])
    await apply(world(both(), { services }))
    expect(events.map(({ type }) => type)).toContain('reload-failed')
    expect(edge.status.conflicts).toMatchObject([{ port: 8099 }])
    await apply(world([endpoint(c)], { services }))
    expect(JSON.parse(await curl(url()))).toMatchObject({ name: 'c' })
    expect(await readFile(join(haproxy.dir, 'haproxy.cfg'), 'utf8')).not.toContain('8099')
    squatter.kill()
  })

  it('passes WebSockets through a reload', async () => {
    await apply(world(both()))
    const socket = client.spawn(
      process.execPath,
      '-e',
      `const s = require('net').connect(80, '${host.address}', () => s.write(
         'GET /ws HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: test\\r\\n\\r\\n'))
       let n = 0; s.on('data', (d) => { if (n++ === 0) setInterval(() => s.write('ping'), 50)
         if (n % 20 === 0) console.log(n) }); s.on('close', () => process.exit(1))`,
    )
    const extra = sampleService('s2', {
      ports: [{ published: 8097, target: 8080, mode: 'http', proxyProtocol: false }],
    })
    await apply(world(both(), { services: byId([...world([]).services.values(), extra]) }))
    const counts: number[] = []
    socket.stdout?.on('data', (data: Buffer) => counts.push(Number(data)))
    await until('messages after the reload', () => counts.length > 1, { timeoutMs: 10_000 })
    expect(socket.exitCode).toBeNull()
    socket.kill()
  })
})
