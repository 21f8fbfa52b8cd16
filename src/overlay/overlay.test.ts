import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Catalog, CorruptMessage, type Endpoint, emptyCatalog } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost } from '../catalog/samples.ts'
import { ManualClock } from '../engine/double/manual-clock.ts'
import type { NamespaceRequest } from '../vip/index.ts'
import { macOf, missingPeers, readTables, remotePeers, repairCommands } from './peers.ts'
import { OverlayRepair } from './repair.ts'
import { OVERLAY_TUNABLES as T } from './tunables.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const NET = 'net1abcdefghij'
const HOSTS = [1, 2, 3].map((n) => sampleHost(`h${n}`, { address: `192.0.2.${n}` }))
const at = (host: string, address: string): Endpoint =>
  sampleEndpoint(`${host} ${address}`, { host, addresses: { [NET]: address } })
const catalog = (endpoints: Endpoint[], hosts = HOSTS): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId(hosts),
  endpoints: byId(endpoints),
})
const peersOf = (given: Catalog) => remotePeers(given, 'h1', new Set([NET])).get(NET) ?? []

/** What the tools print for a kernel that knows these addresses. */
const printed = (known: string[]): string =>
  [
    JSON.stringify([{ ifname: 'vxlan0', link_index: 7 }]),
    JSON.stringify([
      ...known.map((dst) => ({ dst, dev: 'vxlan0', lladdr: macOf(dst), state: ['PERMANENT'] })),
      { dst: '10.0.1.77', dev: 'veth3', lladdr: macOf('10.0.1.77') },
      { dst: '10.0.1.78', dev: 'vxlan0', state: ['FAILED'] },
    ]),
    JSON.stringify([
      ...known.map((address) => {
        const dst = address === '10.0.1.7' ? '192.0.2.3' : '192.0.2.2'
        return { mac: macOf(address), ifname: 'vxlan0', dst }
      }),
      { mac: macOf('10.0.1.78'), ifname: 'vxlan0', flags: ['self'] },
      { mac: macOf('10.0.1.77'), ifname: 'veth3', dst: '192.0.2.9' },
    ]),
    '',
  ].join('\n')

describe('who is on other hosts', () => {
  const edge = { [NET]: { address: '10.0.1.9', mac: '02:42:0a:00:01:09', subnet: '10.0.1.0/24' } }

  it('is every container and edge of hosts that are heard', () => {
    const [one, two, three] = HOSTS as [(typeof HOSTS)[0], (typeof HOSTS)[0], (typeof HOSTS)[0]]
    const given = catalog(
      [at('h1', '10.0.1.5'), at('h2', '10.0.1.6'), at('h3', '10.0.1.7')],
      [one, { ...two, edge }, { ...three, state: 'suspected' }],
    )
    expect(peersOf(given)).toEqual([
      { address: '10.0.1.6', mac: '02:42:0a:00:01:06', host: '192.0.2.2' },
      { address: '10.0.1.9', mac: '02:42:0a:00:01:09', host: '192.0.2.2' },
    ])
    expect(remotePeers(given, 'h1', new Set(['other']))).toEqual(new Map())
  })

  it('is nobody with an address that two hosts claim', () => {
    const same = [at('h2', '10.0.1.6'), at('h3', '10.0.1.6')]
    expect(peersOf(catalog([...same, at('h2', '10.0.1.8')]))).toHaveLength(1)
    // Whoever comes third settles nothing.
    expect(peersOf(catalog([...same, sampleEndpoint('x', { ...same[0], id: 'x' })]))).toEqual([])
  })
})

describe('what the kernel knows', () => {
  it('is read of its one VXLAN device', () => {
    const tables = readTables(printed(['10.0.1.6']))
    expect(tables).toEqual({
      device: 'vxlan0',
      neighbors: new Set(['10.0.1.6']),
      forwarded: new Map([['02:42:0a:00:01:06', '192.0.2.2']]),
    })
    expect(readTables('[]\n[]\n[]\n')).toBeNull()
    expect(readTables('[{"ifname":"vxlan0"},{"ifname":"vxlan1"}]\n[]\n[]\n')).toBeNull()
    expect(() => readTables('[{"ifname":7}]\n[]\n[]\n')).toThrow(CorruptMessage)
    expect(() => readTables('')).toThrow(SyntaxError)
  })

  it('lacks whoever misses in either table', () => {
    const peers = peersOf(catalog([at('h2', '10.0.1.6'), at('h2', '10.0.1.7')]))
    const hosts = new Set(HOSTS.map(({ address }) => address))
    const lacking = (neighbors: string[], behind: Record<string, string>) =>
      missingPeers(
        peers,
        {
          device: 'vxlan0',
          neighbors: new Set(neighbors),
          forwarded: new Map(Object.entries(behind).map(([to, host]) => [macOf(to), host])),
        },
        hosts,
      ).map(({ address }) => address)
    const [six, seven] = ['10.0.1.6', '10.0.1.7']
    const [right, other, tunnel] = ['192.0.2.2', '192.0.2.3', '198.51.100.2']
    expect(lacking([six, seven], { [six]: right })).toEqual([seven])
    expect(lacking([six], { [six]: right, [seven]: right })).toEqual([seven])
    // Behind another host it was before; behind an address of nobody's, tunnels have their own.
    expect(lacking([six, seven], { [six]: right, [seven]: other })).toEqual([seven])
    expect(lacking([six, seven], { [six]: right, [seven]: tunnel })).toEqual([])
  })

  it('is told in commands that hold addresses and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (address, mac, host) => {
        const given = {
          device: 'vxlan0',
          neighbors: new Set<string>(),
          forwarded: new Map<string, string>(),
        }
        try {
          expect(repairCommands([{ address, mac, host }], given)).toMatch(/^[0-9a-z:. |\n]*$/)
        } catch (error) {
          expect(String(error)).toContain('not fit for a command')
        }
      }),
    )
  })
})

describe('the repair', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-overlay-'))
    mkdirSync(join(folder, '1-net1abcdef'))
    mkdirSync(join(folder, '2-net1abcdef'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const start = (options: Record<string, string> = {}) => {
    const clock = new ManualClock()
    const told: string[] = []
    const state = { known: ['10.0.1.6'], commands: [] as string[] }
    const repair = new OverlayRepair({
      engine: { inspectNetwork: async () => ({ Options: options }) as never },
      clock,
      namespace: {
        program: async (path: string, { routes }: NamespaceRequest) => {
          if (routes?.startsWith('ip -j') === true) return printed(state.known)
          state.commands.push(`${path.slice(folder.length + 1)}: ${routes}`)
          return ''
        },
      },
      onRepaired: (network, addresses) => told.push(`${network} ${addresses.join()}`),
      onProblem: (error) => told.push(String(error)),
    })
    /** Each look reads a real folder, for which no clock waits. */
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 500) {
        await clock.advance(500)
        await repair.settled()
      }
    }
    const local = [{ netns: join(folder, '0123456789ab'), networks: [NET] }]
    return {
      pass,
      told,
      state,
      repair,
      apply: (given: Catalog) => repair.apply(given, 'h1', local),
    }
  }
  const both = catalog([at('h2', '10.0.1.6'), at('h3', '10.0.1.7')])

  it('adds what is missing and stays so', async () => {
    const { pass, told, state, repair, apply } = start()
    apply(both)
    await pass(T.settle)
    expect(state.commands).toEqual([])
    await pass(T.confirm)
    expect(told).toEqual([`${NET} 10.0.1.7`])
    expect(state.commands).toEqual([
      '2-net1abcdef: ip neigh replace 10.0.1.7 lladdr 02:42:0a:00:01:07 dev vxlan0 nud permanent || exit 5\n' +
        'bridge fdb replace 02:42:0a:00:01:07 dev vxlan0 dst 192.0.2.3 self permanent || exit 5',
    ])
    await repair[Symbol.asyncDispose]()
  })

  it('leaves to the engine what it is about to do, and what is encrypted', async () => {
    for (const options of [{}, { encrypted: '' }]) {
      const { pass, told, state, repair, apply } = start(options)
      apply(both)
      await pass(T.settle)
      if (!('encrypted' in options)) state.known = ['10.0.1.6', '10.0.1.7']
      await pass(T.confirm + T.calm)
      expect([told, state.commands]).toEqual([[], []])
      await repair[Symbol.asyncDispose]()
    }
  })

  it('looks again for a while, and then seldom', async () => {
    const { pass, told, state, repair, apply } = start()
    state.known = ['10.0.1.6', '10.0.1.7']
    apply(both)
    await pass(T.settle)
    state.known = []
    await pass(T.watchful + T.confirm)
    expect(told).toEqual([`${NET} 10.0.1.6,10.0.1.7`])
    state.known = ['10.0.1.6', '10.0.1.7']
    await pass(T.watchfulFor + T.watchful)
    state.known = []
    await pass(T.watchful + T.confirm)
    expect(told).toHaveLength(1)
    await pass(T.calm)
    expect(told).toHaveLength(2)
    await repair[Symbol.asyncDispose]()
  })
})
