import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import type { Service } from '../engine/index.ts'
import { desiredFrom } from './fixtures.ts'
import { type Claim, conflicting, settlePorts } from './published.ts'

const other = (labels: Record<string, string>, ports: object[] = []): Service => ({
  ID: 'o',
  Version: { Index: 1 },
  Spec: { Name: 'blog_front', Labels: labels, EndpointSpec: { Ports: ports } },
})

const edge = (published: number) => ({
  [LABEL.ports]: JSON.stringify([{ published, target: 1, mode: 'tcp', proxyProtocol: false }]),
})

const route = (host: string, path = '/') => ({
  [LABEL.http]: JSON.stringify([{ host, path, published: 80, target: 1 }]),
})

const conflictsOf = async (yaml: string, others: Service[]) => {
  const desired = await desiredFrom(yaml)
  return settlePorts(desired.services, others, new Map()).conflicts
}

const WEB = 'services: { web: { image: w, ports: ["80:8080"] } }'
const ROUTED =
  'services: { web: { image: w, expose: ["1"], x-muster: { http: [{ host: a.example, path: /x }] } } }'

describe('two who want one port', () => {
  test.each([
    ['the edge port of another stack', WEB, other(edge(80))],
    ['an HTTP route on that port', WEB, other(route('a.example'))],
    [
      'a port that Swarm publishes',
      WEB,
      other({}, [{ Protocol: 'tcp', PublishedPort: 80, PublishMode: 'ingress' }]),
    ],
    [
      'a port of mode host',
      WEB,
      other({}, [{ Protocol: 'tcp', PublishedPort: 80, PublishMode: 'host' }]),
    ],
    ['the same host and path', ROUTED, other(route('a.example', '/x'))],
  ])('%s', async (_, yaml, holder) => {
    const conflicts = await conflictsOf(yaml, [holder])
    expect(conflicts).toHaveLength(1)
    expect(conflicts[0]?.message).toContain('shop_web')
    expect(conflicts[0]?.message).toContain('blog_front')
  })

  test.each([
    ['another port', WEB, other(edge(81))],
    ['another protocol', WEB, other({}, [{ Protocol: 'udp', PublishedPort: 80 }])],
    [
      'a route of its own beside a port in http mode',
      ROUTED,
      other({
        [LABEL.ports]: JSON.stringify([
          { published: 80, target: 1, mode: 'http', proxyProtocol: false },
        ]),
      }),
    ],
    ['another path of the same host', ROUTED, other(route('a.example', '/y'))],
    ['another host on the same port', ROUTED, other(route('b.example', '/x'))],
    ['labels that nobody can read', WEB, other({ [LABEL.ports]: 'none', [LABEL.http]: '7' })],
  ])('no conflict: %s', async (_, yaml, holder) => {
    expect(await conflictsOf(yaml, [holder])).toEqual([])
  })

  test('addresses of a host keep ports apart, any address does not', () => {
    const claim = (service: string, hostIp?: string): Claim => ({
      service,
      port: 80,
      protocol: 'tcp',
      by: 'edge',
      ...(hostIp === undefined ? {} : { hostIp }),
    })
    expect(conflicting(claim('a', '10.0.0.1'), claim('b', '10.0.0.2'))).toBe(false)
    expect(conflicting(claim('a', '10.0.0.1'), claim('b', '10.0.0.1'))).toBe(true)
    expect(conflicting(claim('a', '10.0.0.1'), claim('b'))).toBe(true)
  })

  test('two services of one file, and the ports of the hosts themselves', async () => {
    const twice = 'services: { a: { image: w, ports: ["80:1"] }, b: { image: w, ports: ["80:2"] } }'
    expect(await conflictsOf(twice, [])).toHaveLength(1)
    const [conflict] = await conflictsOf('services: { a: { image: w, ports: ["8377:1"] } }', [])
    expect(conflict?.message).toContain("Muster's agent")
  })
})

describe('ports that the file leaves open', () => {
  const OPEN = 'services: { web: { image: w, ports: ["8080"] } }'

  test('stay what they were, and are the same on every try', async () => {
    const { services } = await desiredFrom(OPEN)
    const first = settlePorts(services, [], new Map()).ports.get('shop_web')
    const again = settlePorts(services, [], new Map()).ports.get('shop_web')
    expect(again).toEqual(first)
    const kept = {
      ...other({}),
      Spec: {
        Name: 'shop_web',
        Labels: {
          [LABEL.ports]: JSON.stringify([
            { published: 31999, target: 8080, mode: 'tcp', proxyProtocol: false },
          ]),
        },
      },
    } as Service
    const settled = settlePorts(services, [], new Map([['shop_web', kept]]))
    expect(settled.ports.get('shop_web')?.[0]?.published).toBe(31999)
  })

  test('are never taken from anybody', async () => {
    const { services } = await desiredFrom(
      'services: { a: { image: w, ports: ["8000-8003:1"] }, b: { image: w, ports: ["8000-8003:1"] } }',
    )
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 8000, max: 8003 }), { maxLength: 4 }),
        (held) => {
          const { ports, conflicts } = settlePorts(
            services,
            held.map((port) => other(edge(port))),
            new Map(),
          )
          const given = [...ports.values()].flat().map((each) => each.published)
          const real = given.filter((port) => port !== 0)
          expect(new Set(real).size).toBe(real.length)
          expect(real.filter((port) => held.includes(port))).toEqual([])
          expect(conflicts).toHaveLength(Math.max(0, 2 - (4 - held.length)))
        },
      ),
    )
  })
})

test('a conflict is one from both sides', () => {
  const claim: fc.Arbitrary<Claim> = fc.record({
    service: fc.constantFrom('a', 'b'),
    port: fc.constantFrom(80, 81),
    protocol: fc.constantFrom('tcp', 'udp'),
    by: fc.constantFrom('edge', 'route', 'ingress', 'host'),
    route: fc.record({ host: fc.constantFrom('x', 'y'), path: fc.constantFrom('/', '/z') }),
  })
  fc.assert(fc.property(claim, claim, (a, b) => conflicting(a, b) === conflicting(b, a)))
})
