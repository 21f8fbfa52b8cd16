import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Catalog, emptyCatalog, type CatalogService } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../catalog/samples.ts'
import { checkIntervalMs, edgeConfig, normalHost, normalPath } from './routes.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const tcp = (published: number, target = 3306) => ({
  published,
  target,
  mode: 'tcp' as const,
  proxyProtocol: false,
})
const route = (host: string, path: string, published = 80) => ({
  host,
  path,
  published,
  target: 8080,
})
const catalog = (services: CatalogService[], over: Partial<Catalog> = {}): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId([sampleHost('h1')]),
  services: byId(services),
  ...over,
})

describe('edgeConfig', () => {
  it('gives a published port the serving endpoints, at their address on the overlay network', () => {
    const { config, conflicts } = edgeConfig(
      catalog([sampleService('s1', { name: 'shop_db', ports: [tcp(3306)] })], {
        endpoints: byId([
          sampleEndpoint('t2', { slot: 2, addresses: { net1: '10.0.1.6' } }),
          sampleEndpoint('t1', { slot: 1, addresses: { net1: '10.0.1.5', other: '10.9.9.9' } }),
          sampleEndpoint('t3', { slot: 3, state: 'starting' }),
          sampleEndpoint('t4', { slot: 4, service: 's2' }),
        ]),
      }),
    )
    expect(conflicts).toEqual([])
    expect(config.listeners).toEqual([{ port: 3306, mode: 'tcp', backend: 'shop_db.3306.tcp' }])
    expect(config.backends).toEqual([
      {
        name: 'shop_db.3306.tcp',
        service: 'shop_db',
        mode: 'tcp',
        proxyProtocol: false,
        network: 'net1',
        transparent: false,
        servers: [
          { name: 'shop_db.1.t1', endpoint: 't1', address: '10.0.1.5', port: 3306 },
          { name: 'shop_db.2.t2', endpoint: 't2', address: '10.0.1.6', port: 3306 },
        ],
      },
    ])
    expect(config.networks).toEqual(['net1'])
  })

  it('listens on one address where the host has it, beside others on the same port', () => {
    const published = (hostIp: string) => ({ ...tcp(53), hostIp })
    const all = catalog([
      sampleService('s1', { name: 'a', ports: [published('10.9.0.1')] }),
      sampleService('s2', { name: 'b', ports: [published('127.0.0.1')] }),
      sampleService('s3', { name: 'c', ports: [published('10.9.0.1'), published('10.9.0.2')] }),
      sampleService('s4', { name: 'd', ports: [tcp(53)] }),
    ])
    const { config, conflicts } = edgeConfig(all, {
      self: undefined,
      local: [],
      addresses: new Set(['127.0.0.1', '10.9.0.1']),
    })
    expect(config.listeners).toEqual([
      { port: 53, address: '10.9.0.1', mode: 'tcp', backend: 'a.3306.tcp' },
      { port: 53, address: '127.0.0.1', mode: 'tcp', backend: 'b.3306.tcp' },
    ])
    expect(conflicts.map(({ service, winner }) => [service, winner])).toEqual([
      ['c', 'a'],
      ['d', 'a'],
    ])
  })

  it('joins the network of a service that has no endpoint yet', () => {
    const service = sampleService('s1', { ports: [tcp(80)], networks: ['net2', 'net1'] })
    expect(edgeConfig(catalog([service])).config.networks).toEqual(['net1'])
  })

  it('takes a network on which the service really has addresses', () => {
    const service = sampleService('s1', { ports: [tcp(80)], networks: ['net1', 'net2'] })
    const endpoints = byId([sampleEndpoint('t1', { addresses: { net2: '10.0.2.2' } })])
    const { config } = edgeConfig(catalog([service], { endpoints }))
    expect(config.networks).toEqual(['net2'])
    expect(config.backends[0]?.servers).toMatchObject([{ address: '10.0.2.2' }])
  })

  it('shares an HTTP port by host and path, the most specific first', () => {
    const { config, conflicts } = edgeConfig(
      catalog([
        sampleService('s1', { name: 'a', http: [route('*', '/'), route('*.example.com', '/')] }),
        sampleService('s2', {
          name: 'b',
          http: [
            route('www.example.com', '/'),
            route('WWW.Example.com.', '/api/v1/'),
            route('www.example.com', '/api'),
            route('*.www.example.com', '/'),
          ],
        }),
      ]),
    )
    expect(conflicts).toEqual([])
    expect(config.listeners).toEqual([
      {
        port: 80,
        mode: 'http',
        routes: [
          { host: 'www.example.com', path: '/api/v1', backend: 'b.8080.http' },
          { host: 'www.example.com', path: '/api', backend: 'b.8080.http' },
          { host: 'www.example.com', path: '/', backend: 'b.8080.http' },
          { host: '*.www.example.com', path: '/', backend: 'b.8080.http' },
          { host: '*.example.com', path: '/', backend: 'a.8080.http' },
          { host: '*', path: '/', backend: 'a.8080.http' },
        ],
      },
    ])
  })

  it('takes a port of mode http for the route of any host and path', () => {
    const { config } = edgeConfig(
      catalog([
        sampleService('s1', { name: 'a', ports: [{ ...tcp(80, 8080), mode: 'http' }] }),
        sampleService('s2', { name: 'b', http: [route('b.test', '/')] }),
      ]),
    )
    expect(config.listeners).toMatchObject([
      { mode: 'http', routes: [{ host: 'b.test' }, { host: '*', backend: 'a.8080.http' }] },
    ])
  })

  it('gives what two services want to the lower id, and says so', () => {
    const services = [
      sampleService('s3', { name: 'late', ports: [tcp(80)], http: [route('x.test', '/', 81)] }),
      sampleService('s1', { name: 'first', ports: [tcp(80)], http: [route('x.test', '/', 81)] }),
      sampleService('s2', { name: 'web', http: [route('web.test', '/')] }),
    ]
    for (const order of [services, services.toReversed()]) {
      const { config, conflicts } = edgeConfig(catalog(order))
      expect(config.listeners).toMatchObject([
        { port: 80, backend: 'first.3306.tcp' },
        { port: 81, routes: [{ backend: 'first.8080.http' }] },
      ])
      expect(conflicts).toEqual([
        {
          port: 80,
          service: 'web',
          winner: 'first',
          reason: 'port 80 is already published by first',
        },
        {
          port: 80,
          service: 'late',
          winner: 'first',
          reason: 'port 80 is already published by first',
        },
        {
          port: 81,
          service: 'late',
          winner: 'first',
          reason: "x.test/ on port 81 is already first's",
        },
      ])
    }
  })

  it("refuses Muster's own ports, and what is no host, path or port", () => {
    const { config, conflicts } = edgeConfig(
      catalog([
        sampleService('s1', {
          ports: [tcp(8377), tcp(0), tcp(80, 70_000)],
          http: [route('a b', '/'), route('a.test', 'x'), route('a.test', '/a b')],
        }),
      ]),
    )
    expect(config.listeners).toEqual([])
    expect(conflicts.map(({ reason }) => reason)).toEqual([
      'port 8377 is reserved (agent)',
      'a port is not between 1 and 65535',
      'a port is not between 1 and 65535',
      '"a b" is not a host name',
      '"x" is not a path prefix',
      '"/a b" is not a path prefix',
    ])
  })

  it('keeps backends apart whose services have the same name or a hostile one', () => {
    const { config } = edgeConfig(
      catalog([
        sampleService('s1', { name: 'x\n bind', ports: [tcp(81)] }),
        sampleService('s2', { name: 'service', ports: [tcp(82)] }),
        sampleService('s3', { name: 'service', ports: [{ ...tcp(83), proxyProtocol: true }] }),
      ]),
    )
    expect(config.backends.map(({ name }) => name)).toEqual([
      'service.3306.tcp',
      'service.3306.tcp-pp',
      'service.3306.tcp.2',
    ])
  })

  it('speaks for clients where the other hosts know this edge, and only in bytes', () => {
    const published = { published: 3306, target: 3306, mode: 'tcp' as const, proxyProtocol: false }
    const ports = [
      published,
      { ...published, published: 3307, proxyProtocol: true },
      { ...published, published: 80, mode: 'http' as const },
    ]
    const all = catalog([sampleService('s1', { ports, networks: ['net1'] })])
    const place = { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' }
    const transparent = (network: string) =>
      edgeConfig(all, {
        self: sampleHost('h1', { edge: { [network]: place } }),
        local: [],
        addresses: new Set(),
      })
        .config.backends.filter((backend) => backend.transparent)
        .map(({ name }) => name)
    expect(transparent('net1')).toEqual(['stack_s1.3306.tcp'])
    expect(transparent('net2')).toEqual([])
  })

  it('is the same for the same catalog, in whatever order it is told', () => {
    const services = fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('s1', 's2', 's3', 's4'),
        ports: fc.array(fc.constantFrom(tcp(80), tcp(81), { ...tcp(80), mode: 'http' as const })),
        http: fc.array(fc.constantFrom(route('a', '/'), route('*', '/'), route('a', '/x', 81))),
      }),
      { selector: ({ id }) => id },
    )
    const endpoints = fc.uniqueArray(
      fc.record({ id: fc.constantFrom('t1', 't2', 't3'), slot: fc.nat(2) }),
      { selector: ({ id }) => id },
    )
    fc.assert(
      fc.property(services, endpoints, (s, e) => {
        const all = s.map((one) => sampleService(one.id, one))
        const ends = e.map((one) => sampleEndpoint(one.id, one))
        const one = edgeConfig(catalog(all, { endpoints: byId(ends) }))
        const other = edgeConfig(catalog(all.toReversed(), { endpoints: byId(ends.toReversed()) }))
        expect(other.config).toEqual(one.config)
        const ports = one.config.listeners.map(({ port }) => port)
        expect(new Set(ports).size).toBe(ports.length)
        const backends = new Set(one.config.backends.map(({ name }) => name))
        expect(backends.size).toBe(one.config.backends.length)
        for (const listener of one.config.listeners) {
          const used =
            listener.mode === 'tcp' ? [listener.backend] : listener.routes.map((r) => r.backend)
          for (const name of used) expect(backends).toContain(name)
        }
      }),
    )
  })
})

describe('normal forms', () => {
  it('of hosts', () => {
    expect(normalHost('Example.COM.')).toBe('example.com')
    expect(normalHost('*')).toBe('*')
    expect(normalHost('*.a-b.c')).toBe('*.a-b.c')
    for (const bad of ['', '.', '-a', 'a..b', 'a.*', '**', 'a b', 'a/b', 'a:80', "a'", 'é.com']) {
      expect(normalHost(bad)).toBeNull()
    }
  })

  it('of paths', () => {
    expect(normalPath('/')).toBe('/')
    expect(normalPath('/api/')).toBe('/api')
    for (const bad of ['', 'api', '/a b', '/a\n', "/'", '/"', '/\\', '/#', '/$', '/{', '/?x']) {
      expect(normalPath(bad)).toBeNull()
    }
  })
})

describe('checkIntervalMs', () => {
  it('keeps the probes of one endpoint by all edges near ten a second', () => {
    expect(checkIntervalMs(1)).toBe(1000)
    expect(checkIntervalMs(10)).toBe(1000)
    expect(checkIntervalMs(11)).toBe(2000)
    expect(checkIntervalMs(1000)).toBe(64_000)
  })
})
