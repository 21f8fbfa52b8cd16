import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { type Catalog, emptyCatalog, type Endpoint } from '../src/catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../src/catalog/samples.ts'
import {
  type LocalContainer,
  renderVipScript,
  type VipEvent,
  VipProgrammer,
  VIP_TUNABLES,
} from '../src/vip/index.ts'
import type { HttpSummary } from './net/client.ts'
import { lonelyNet, type Net, Nets, patience } from './net/namespaces.ts'

const exec = promisify(execFile)
const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const VIP = '10.77.0.100'
const EMPTY_VIP = '10.77.0.101'

const world = (endpoints: Endpoint[], over: Partial<Catalog> = {}): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId(['b', 'c', 'd'].map((id) => sampleHost(id))),
  services: byId([
    sampleService('s1', { virtualIps: { net1: VIP } }),
    sampleService('s2', { virtualIps: { net1: EMPTY_VIP } }),
  ]),
  endpoints: byId(endpoints),
  ...over,
})

describe('any table', () => {
  const octet = fc.integer({ min: 0, max: 255 })
  const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'))
  const table = fc.record({
    services: fc.uniqueArray(
      fc.record({ vip: address, targets: fc.uniqueArray(address, { maxLength: 5 }) }),
      { maxLength: 8, selector: ({ vip }) => vip },
    ),
    returns: fc.uniqueArray(
      fc.record({
        address,
        mac: fc
          .integer({ min: 0, max: 2 ** 40 - 1 })
          .map((n) => `02${n.toString(16).padStart(10, '0').replace(/../g, ':$&')}`),
        subnet: fc.constantFrom('10.0.1.0/24', '10.0.2.0/24', '10.0.0.0/8'),
      }),
      { maxLength: 5, selector: ({ mac }) => mac, comparator: 'IsStrictlyEqual' },
    ),
  })
  const dead = fc.uniqueArray(
    fc.record({ address, seconds: fc.double({ min: 0.01, max: 100, noNaN: true }) }),
    { maxLength: 4, selector: ({ address }) => address },
  )

  it('becomes a script that nft accepts', async () => {
    await fc.assert(
      fc.asyncProperty(table, dead, async (services, gone) => {
        const child = exec('unshare', ['-n', 'nft', '-c', '-f', '-'])
        child.child.stdin?.end(renderVipScript(services, gone))
        await child
      }),
      { numRuns: 60 },
    )
  })
})

describe('virtual IPs in real network namespaces', () => {
  let nets: Nets
  let a: Net
  let b: Net
  let c: Net
  let events: VipEvent[]
  let vips: VipProgrammer

  beforeAll(async () => {
    nets = await Nets.create()
    a = await nets.add('a')
    b = await nets.add('b')
    c = await nets.add('c')
    await Promise.all([b.serve(), c.serve()])
  })
  afterAll(() => nets[Symbol.asyncDispose]())
  beforeEach(() => {
    events = []
    vips = new VipProgrammer({ onEvent: (event) => events.push(event) })
  })
  afterEach(async () => {
    await vips.stop()
    for (const net of [a, b]) {
      await net.run('nft', 'flush', 'ruleset')
      await net.run('conntrack', '-F')
    }
  })

  const endpoint = (net: Net, over: Partial<Endpoint> = {}) =>
    sampleEndpoint(`task${net.name}`, {
      host: net.name,
      addresses: { net1: net.address },
      ...over,
    })
  const local = (...containers: Net[]): LocalContainer[] =>
    containers.map((net) => ({ id: net.name, netns: net.path, networks: ['net1'] }))
  /** Applies and waits until it is in effect. */
  const apply = async (catalog: Catalog, containers = local(a)) => {
    vips.apply(catalog, containers)
    await until('the rules', () => vips.status.behind === 0, { timeoutMs: 20_000, intervalMs: 2 })
  }
  /** Until the first catalog's origin is trusted to be complete. */
  const trusted = () =>
    new Promise((resolve) => setTimeout(resolve, VIP_TUNABLES.originGrace + 100))
  const suspected = (...ids: string[]) =>
    byId(
      ['b', 'c'].map((id) => sampleHost(id, { state: ids.includes(id) ? 'suspected' : 'alive' })),
    )
  const names = async (from: Net, count = 12) => {
    const answers = await Promise.all(
      Array.from({ length: count }, () =>
        from.run('curl', '-sS', '-m', '5', `http://${VIP}:8080/`),
      ),
    )
    return new Set(answers.map((answer) => (JSON.parse(answer) as { name: string }).name))
  }
  const failures = () => events.filter(({ type }) => type === 'failed')

  it('lead to the ready endpoints, and to nobody else', async () => {
    await apply(world([endpoint(b), endpoint(c)]))
    expect(await names(a, 24)).toEqual(new Set(['b', 'c']))
    await apply(world([endpoint(b, { state: 'starting' }), endpoint(c)]))
    expect(await names(a)).toEqual(new Set(['c']))
    expect(failures()).toEqual([])
  })

  it('lead a container of the service to itself too', async () => {
    await apply(world([endpoint(b)]), local(b))
    expect(await names(b)).toEqual(new Set(['b']))
    await apply(world([endpoint(b), endpoint(c)]), local(b))
    expect(await names(b, 24)).toEqual(new Set(['b', 'c']))
  })

  it('refuse at once while nobody serves', async () => {
    await apply(world([endpoint(b)]))
    const started = Date.now()
    await expect(a.run('curl', '-sS', '-m', '5', `http://${EMPTY_VIP}:8080/`)).rejects.toThrow(
      /Failed to connect|refused/,
    )
    expect(Date.now() - started).toBeLessThan(500 * patience())
    await using udp = a.client('udp', EMPTY_VIP, '9091')
    expect(await udp.next()).toMatchObject({ name: 'ECONNREFUSED' })
    await apply(
      world([endpoint(b)], {
        services: byId([sampleService('s2', { virtualIps: { net1: EMPTY_VIP } })]),
      }),
    )
    expect(failures()).toEqual([])
  })

  it('keep open connections, TCP and UDP, through changes, a new agent and a leaving endpoint', async () => {
    await apply(world([endpoint(b)]))
    await using tcp = a.client('echo', VIP, '9090')
    await using udp = a.client('udp', VIP, '9091')
    expect(await tcp.next()).toMatchObject({ name: 'b' })
    expect(await udp.next()).toMatchObject({ name: 'b' })
    await apply(world([endpoint(b), endpoint(c)]))
    await apply(world([endpoint(b), endpoint(c)], { leaving: new Set(['taskb']) }))
    expect(await names(a)).toEqual(new Set(['c']))
    await vips.stop()
    vips = new VipProgrammer({ onEvent: (event) => events.push(event) })
    await apply(world([endpoint(c)]))
    await expect(tcp.next(500)).rejects.toThrow()
    expect(failures()).toEqual([])
  })

  it('lose no request while endpoints become ready and unready', async () => {
    const states = [
      [endpoint(b), endpoint(c)],
      [endpoint(b, { state: 'unhealthy' }), endpoint(c)],
      [endpoint(b), endpoint(c, { state: 'starting' })],
    ]
    await apply(world(states[0] ?? []))
    const load = a.client('http', `http://${VIP}:8080/?ms=5`, '100', '4').next<HttpSummary>()
    const end = Date.now() + 4200
    for (let changes = 0; Date.now() < end; changes++) {
      vips.apply(world(states[changes % states.length] ?? []), local(a))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(await load).toMatchObject({ failed: 0 })
    expect(failures()).toEqual([])
  })

  it('end what waits for a silent host, and redirect what still connects', async () => {
    await apply(world([endpoint(b)]))
    await using waiting = a.client('wait', VIP, '9090')
    await using udp = a.client('udp', VIP, '9091')
    expect(await waiting.next()).toMatchObject({ name: 'b' })
    expect(await udp.next()).toMatchObject({ name: 'b' })
    await nets.cut(b)
    try {
      await using connecting = a.client('wait', VIP, '9090')
      await new Promise((resolve) => setTimeout(resolve, 600))
      const at = Date.now()
      vips.apply(world([endpoint(b), endpoint(c)], { hosts: suspected('b') }), local(a))
      const ended = await waiting.next<{ event: string; error: string; at: number }>()
      expect(ended).toMatchObject({ event: 'ended', error: 'ECONNABORTED' })
      expect(ended.at - at).toBeLessThan(200 * patience())
      const moved = await udp.next<{ name: string; at: number }>()
      expect(moved).toMatchObject({ event: 'answer', name: 'c' })
      expect(moved.at - at).toBeLessThan(200 * patience())
      const connected = await connecting.next<{ name: string; ms: number }>()
      expect(connected).toMatchObject({ event: 'connected', name: 'c' })
      // TCP sends its SYN again after one second, not sooner.
      expect(connected.ms).toBeLessThan(1500 * patience())
      expect(events).toContainEqual({ type: 'cut', container: 'a', connections: 1 })
    } finally {
      await nets.heal(b)
    }
  })

  it('let a SYN that nobody answers find another endpoint before anybody is suspected', async () => {
    await apply(world([endpoint(b), endpoint(c)]))
    await nets.cut(b)
    try {
      // Each try finds the live one of two by chance, at 0, 1, 3, 7 and 15 s: 1 in 32 never does.
      const load = await a
        .client('http', `http://${VIP}:8080/`, '30', '1')
        .next<HttpSummary>(60_000)
      expect(load.over500).toBeGreaterThan(5)
      expect(load.names['c']).toBeGreaterThanOrEqual(24)
    } finally {
      await nets.heal(b)
    }
  })

  it('end connections to a container that is gone, also those that went to its own address', async () => {
    await apply(world([endpoint(b), endpoint(c)]))
    await trusted()
    await using direct = a.client('wait', b.address, '9090')
    expect(await direct.next()).toMatchObject({ name: 'b' })
    const started = Date.now()
    await apply(world([endpoint(c)]))
    expect(await direct.next()).toMatchObject({ event: 'ended' })
    await expect(a.run('curl', '-sS', '-m', '5', `http://${b.address}:8080/`)).rejects.toThrow(
      /Failed to connect|refused/,
    )
    expect(Date.now() - started).toBeLessThan(1000 * patience())
    // The next container gets the address: it must be reached.
    await apply(world([sampleEndpoint('taskn', { host: 'b', addresses: { net1: b.address } })]))
    expect(await names(a)).toEqual(new Set(['b']))
  })

  it('do not cut direct connections on a mere suspicion', async () => {
    await apply(world([endpoint(b), endpoint(c)]))
    await using direct = a.client('echo', b.address, '9090')
    expect(await direct.next()).toMatchObject({ name: 'b' })
    await apply(world([endpoint(b), endpoint(c)], { hosts: suspected('b') }))
    await expect(direct.next(500)).rejects.toThrow()
    expect(await names(a)).toEqual(new Set(['c']))
  })

  it('take over what was sent to a virtual IP before it had rules', async () => {
    await a.run(
      'nft',
      'add table ip early; add chain ip early out { type nat hook output priority -100; }',
    )
    // As in a cluster, where Swarm answers for the address on the network: nobody finds out that it is
    // nobody's, and what is sent to it gets no answer.
    const nobody = ['lladdr', '02:00:00:00:00:01', 'nud', 'permanent']
    await a.run('ip', 'neigh', 'replace', VIP, 'dev', 'eth0', ...nobody)
    await using udp = a.client('udp', VIP, '9091')
    await using tcp = a.client('wait', VIP, '9090')
    await new Promise((resolve) => setTimeout(resolve, 200))
    await apply(world([endpoint(c)]))
    const at = Date.now()
    const answers: { name: string; at: number }[] = []
    while (!answers.some(({ name }) => name === 'c')) answers.push(await udp.next())
    expect((answers.at(-1)?.at ?? 0) - at).toBeLessThan(1500 * patience())
    // The SYN that got no answer is sent again after 1 s, or 3 s, and then finds the rules.
    expect(await tcp.next(5000 * patience())).toMatchObject({ event: 'connected' })
    await a.run('ip', 'neigh', 'del', VIP, 'dev', 'eth0')
  })

  it('take over a SYN that still waits to learn whose address that is', async () => {
    await a.run(
      'nft',
      'add table ip early; add chain ip early out { type nat hook output priority -100; }',
    )
    await a.run('ip', 'neigh', 'flush', 'to', VIP)
    await using tcp = a.client('wait', VIP, '9090')
    await new Promise((resolve) => setTimeout(resolve, 200))
    await apply(world([endpoint(c)]))
    // Alone, it would be refused after 3 s: no route to host.
    expect(await tcp.next(5000 * patience())).toMatchObject({ event: 'connected' })
    await a.run('ip', 'neigh', 'flush', 'to', VIP)
  })

  it('survive a container that ends meanwhile, and find one that starts', async () => {
    const gone = { id: 'x', netns: '/proc/999999/ns/net', networks: ['net1'] }
    vips.apply(world([endpoint(b)]), [...local(a), gone])
    await vips.settled()
    expect(await names(a)).toEqual(new Set(['b']))
    expect(failures()).toEqual([])
  })

  it('never touch the namespace of the host itself', async () => {
    const host = { id: 'x', netns: '/proc/self/ns/net', networks: ['net1'] }
    vips.apply(world([endpoint(b)]), [host])
    await until('the refusal', () => failures().length > 0, { timeoutMs: 2000 })
    const { stdout } = await exec('nft', ['list', 'tables'])
    expect(stdout).not.toContain('table ip muster\n')
  })

  it('keep up with many containers and changes', async () => {
    const many = await Promise.all(Array.from({ length: 30 }, () => lonelyNet()))
    try {
      const containers = many.map(({ path }, index) => ({
        id: `m${index}`,
        netns: path,
        networks: ['net1'],
      }))
      const endpoints = Array.from({ length: 30 }, (_, index) =>
        sampleEndpoint(`t${index}`, { addresses: { net1: `10.77.1.${index}` } }),
      )
      await apply(world(endpoints), containers)
      const end = Date.now() + 3000
      let version = 0
      while (Date.now() < end) {
        version += 1
        const kept = endpoints.filter((_, index) => index !== version % 30)
        vips.apply(world(kept, { version }), containers)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await apply(world(endpoints, { version }), containers)
      const latencies = events.flatMap((event) =>
        event.type === 'applied' ? [event.latencyMs] : [],
      )
      expect(failures()).toEqual([])
      expect(Math.max(...latencies)).toBeLessThan(1500 * patience())
    } finally {
      await Promise.all(many.map((net) => net.end()))
    }
  }, 60_000)
})
