import { describe, expect, it } from 'vitest'
import { type Catalog, emptyCatalog } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../catalog/samples.ts'
import { renderVipScript, type VirtualService, vipTable } from './render.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const catalog = (over: Partial<Catalog>): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId([sampleHost('h1')]),
  ...over,
})

describe('vipTable', () => {
  it('has the virtual IPs of the networks of the container, each with its own addresses', () => {
    const table = vipTable(
      catalog({
        services: byId([
          sampleService('s1', { virtualIps: { net1: '10.0.1.2', net2: '10.0.2.2' } }),
          sampleService('s2', { virtualIps: { net1: '10.0.1.3' } }),
          sampleService('s3', { virtualIps: { net3: '10.0.3.2' } }),
          sampleService('s4', { virtualIps: {} }),
        ]),
        endpoints: byId([
          sampleEndpoint('t1', { addresses: { net1: '10.0.1.9', net2: '10.0.2.9' } }),
          sampleEndpoint('t2', { slot: 2, addresses: { net1: '10.0.1.8' } }),
          sampleEndpoint('t3', { slot: 3, addresses: { net1: '10.0.1.7' }, state: 'unhealthy' }),
          sampleEndpoint('t4', { slot: 4, addresses: { net1: 'fd00::1' } }),
        ]),
      }),
      ['net1', 'net2'],
    )
    expect(table.services).toEqual([
      { vip: '10.0.1.2', targets: ['10.0.1.8', '10.0.1.9'] },
      { vip: '10.0.1.3', targets: [] },
      { vip: '10.0.2.2', targets: ['10.0.2.9'] },
    ])
  })

  it('is the same in whatever order the catalog was told', () => {
    const services = ['s1', 's2', 's3'].map((id, index) =>
      sampleService(id, { virtualIps: { net1: `10.0.1.${9 - index}` } }),
    )
    const one = vipTable(catalog({ services: byId(services) }), ['net1'])
    expect(vipTable(catalog({ services: byId(services.toReversed()) }), ['net1'])).toEqual(one)
  })
})

describe('renderVipScript', () => {
  const render = (services: VirtualService[]) => renderVipScript({ services, returns: [] })
  it('replaces the whole table in one transaction', () => {
    const script = renderVipScript({ services: [], returns: [] })
    expect(script).toMatch(/^add table ip muster\ndelete table ip muster\ntable ip muster \{\n/)
    expect(script).not.toContain('vmap')
  })

  it('balances at random, and refuses new connections only where nobody serves', () => {
    const script = renderVipScript({
      services: [
        { vip: '10.0.1.2', targets: ['10.0.1.8', '10.0.1.9'] },
        { vip: '10.0.1.3', targets: [] },
        { vip: '10.0.1.4', targets: ['10.0.1.7'] },
      ],
      returns: [],
    })
    expect(script).toContain('dnat to numgen random mod 2 map { 0 : 10.0.1.8, 1 : 10.0.1.9 }')
    expect(script).toContain('dnat to 10.0.1.7\n')
    expect(script).toContain(
      'ip daddr vmap { 10.0.1.2 : goto service-0, 10.0.1.4 : goto service-1 }',
    )
    expect(script).toContain('ip daddr { 10.0.1.3 } ct state new goto refuse')
    expect(script).toContain('ip daddr { 10.0.1.2, 10.0.1.4 } meta mark set 0')
  })

  it('refuses dead addresses for whole seconds', () => {
    const script = renderVipScript({ services: [], returns: [] }, [
      { address: '10.0.1.9', seconds: 2.1 },
    ])
    expect(script).toContain('elements = { 10.0.1.9 timeout 3s }')
  })

  it('writes nothing but addresses', () => {
    for (const bad of ['10.0.1.2; flush ruleset', 'fd00::1', '', '10.0.1']) {
      expect(() => render([{ vip: bad, targets: ['10.0.0.1'] }])).toThrow()
      expect(() => render([{ vip: '10.0.0.1', targets: [bad] }])).toThrow()
      expect(() =>
        renderVipScript({ services: [], returns: [] }, [{ address: bad, seconds: 1 }]),
      ).toThrow()
    }
  })
})

describe('a port for writes', () => {
  const service = (targets: string[]): VirtualService => ({
    vip: '10.0.1.2',
    targets: ['10.0.1.8', '10.0.1.9'],
    ports: [{ port: 3306, targets, keeps: targets }],
  })
  const render = (services: VirtualService[]) => renderVipScript({ services, returns: [] })

  it('leads to one member before the others are chosen from', () => {
    expect(render([service(['10.0.1.9'])])).toMatch(
      /chain service-0 \{\n +tcp dport 3306 dnat to 10\.0\.1\.9\n +dnat to numgen/,
    )
  })

  it('is refused while nobody takes the writes, the other ports are not', () => {
    const script = render([service([])])
    expect(script).toContain('ip daddr 10.0.1.2 tcp dport 3306 ct state new goto refuse')
    expect(script).toMatch(/chain service-0 \{\n +dnat to numgen/)
  })

  it('leads on while the member itself is gone, and nothing else of it does', () => {
    const script = render([
      { vip: '10.0.1.2', targets: [], ports: [{ port: 3306, targets: ['10.0.1.9'] }] },
    ])
    expect(script).toMatch(/chain service-0 \{\n +tcp dport 3306 dnat to 10\.0\.1\.9\n +\}/)
    expect(script).toMatch(
      /ip daddr 10\.0\.1\.2 tcp dport \{ 3306 \} accept\n +ip daddr 10\.0\.1\.2 ct state new goto refuse/,
    )
  })
})
