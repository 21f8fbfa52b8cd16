import { describe, expect, it, test } from 'vitest'
import { MusterError } from '../base/index.ts'
import { type Catalog, emptyCatalog } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../catalog/samples.ts'
import type { EdgeReach } from '../edge/index.ts'
import { edgesServe, lookAtEdges, publishedPorts, takenWords } from './edges.ts'

const usage = (taken: number[]) => ({
  cpu: 0,
  memory: { used: 0, total: 1 },
  tasks: 0,
  taken,
  uptime: 1,
  version: '1',
})

test('ports that others have are named with their hosts; silent hosts say nothing', () => {
  const hosts = [
    { name: 'host-1', usage: usage([22, 80]) },
    { name: 'host-2', usage: usage([80, 8080]) },
    { name: 'host-3', usage: null },
  ]
  expect(takenWords(hosts, [80, 80, 8080, 443])).toEqual([
    'port 80 of host-1, host-2 is taken by another process',
    'port 8080 of host-2 is taken by another process',
  ])
})

describe('waiting for edges', () => {
  const byId = <T extends { id: string }>(items: T[]) =>
    new Map(items.map((item) => [item.id, item]))
  const place = { address: '10.0.1.9', mac: '02:00:00:00:00:09', subnet: '10.0.1.0/24' }
  const hosts = ['h1', 'h2', 'h3'].map((id) => sampleHost(id, { name: id, edge: { net1: place } }))
  const catalog = (over: Partial<Catalog> = {}): Catalog => ({
    ...emptyCatalog('test'),
    hosts: byId(hosts),
    services: byId([
      sampleService('s1', {
        name: 'shop_web',
        ports: [{ published: 80, target: 8080, mode: 'http', proxyProtocol: false }],
      }),
    ]),
    endpoints: byId([sampleEndpoint('t1', { addresses: { net1: '10.0.1.5' } })]),
    ...over,
  })
  const served: EdgeReach = { ports: [80], endpoints: ['t1'], conflicts: [] }
  const serves = async (
    reach: (host: string, look: number) => EdgeReach | null,
    seen: Catalog = catalog(),
  ) => {
    let now = 0
    const looks = new Map<string, number>()
    const said: string[] = []
    const verdict = await edgesServe([80], {
      agent: {
        catalog: async () => seen,
        edge: async (host) => {
          const count = (looks.get(host) ?? 0) + 1
          looks.set(host, count)
          return reach(host, count)
        },
      },
      clock: {
        now: () => now,
        sleep: async (ms) => {
          now += ms
        },
      },
      onWait: (text) => said.push(text),
    })
    return { verdict, said, looks: Object.fromEntries(looks) }
  }

  it('ends when every edge listens and leads to all', async () => {
    const { verdict, said, looks } = await serves((host, look) =>
      host === 'h2' && look < 3 ? { ...served, ports: [] } : served,
    )
    expect(verdict).toEqual({ blocked: [], late: [] })
    expect(said).toEqual([])
    expect(looks.h2).toBe(3)
  })

  it.each([
    [{ ...served, ports: [] }, 'it does not listen on port 80 yet'],
    [{ ...served, endpoints: [] }, 'it does not know 1 of shop_web yet'],
  ])('says who does not serve, and what is missing', async (reach, reason) => {
    const { verdict, said } = await serves((host) => (host === 'h2' ? reach : served))
    expect(verdict).toEqual({ blocked: [], late: [{ host: 'h2', reason }] })
    expect(said).toEqual([`waiting for h2: ${reason}`])
  })

  it('waits for an edge that is not in the network, and for none of a silent host', async () => {
    const outside = catalog({
      hosts: byId(
        hosts.map((host) =>
          host.id === 'h3'
            ? { ...host, edge: {} }
            : { ...host, state: host.id === 'h1' ? 'alive' : 'suspected' },
        ),
      ),
    })
    const { verdict, looks } = await serves(() => served, outside)
    expect(verdict.late).toEqual([
      { host: 'h3', reason: 'it is not in the network of shop_web yet' },
    ])
    expect(looks.h2).toBeUndefined()
  })

  it('ends at once when an edge cannot have a port, and names the host', async () => {
    const reason = 'port 80 of this host is taken by another process'
    const { verdict, looks } = await serves((host) =>
      host === 'h2' ? { ports: [], endpoints: [], conflicts: [reason] } : served,
    )
    expect(verdict.blocked).toEqual(['port 80 of h2 is taken by another process'])
    expect(looks.h2).toBe(1)
  })

  it('does not wait for ever for an agent that fails', async () => {
    const refused = await serves((host) => {
      if (host === 'h2') throw new MusterError('AGENT_UNREACHABLE', 'It is away.')
      return served
    })
    expect(refused.verdict.late).toEqual([{ host: 'h2', reason: 'It is away.' }])
  })

  it('looks once at all that is published', async () => {
    const asked: (readonly number[])[] = []
    const agent = {
      catalog: async () =>
        catalog({
          services: byId([
            sampleService('s1', {
              name: 'shop_web',
              ports: [
                { published: 80, target: 8080, mode: 'http', proxyProtocol: false },
                { published: 81, target: 1, mode: 'tcp', proxyProtocol: false, hostIp: '10.0.0.1' },
              ],
              http: [{ published: 443, target: 8080, host: 'a.test', path: '/' }],
            }),
          ]),
        }),
      edge: async (_: string, ports: readonly number[]) => {
        asked.push(ports)
        return served
      },
    }
    const reason = 'it does not listen on port 443 yet'
    expect((await lookAtEdges(publishedPorts, agent)).late).toEqual(
      ['h1', 'h2', 'h3'].map((host) => ({ host, reason })),
    )
    expect(asked).toEqual([
      [80, 443],
      [80, 443],
      [80, 443],
    ])
  })

  it('asks nobody when nothing is published, or no agent answers', async () => {
    expect(await edgesServe([])).toEqual({ blocked: [], late: [] })
    const agent = {
      catalog: () => Promise.reject(new MusterError('AGENT_UNREACHABLE', 'It does not run.')),
      edge: () => Promise.reject(new Error('asked')),
    }
    expect(await edgesServe([80], { agent })).toEqual({ blocked: [], late: [] })
  })
})
