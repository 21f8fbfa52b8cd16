import { expect, it } from 'vitest'
import { BlockedPorts, withoutPorts } from './blocked-ports.ts'
import { emptyEdgeConfig } from './config.ts'

it('blocks a port for a time, or until HAProxy turns out to have it', () => {
  let now = 0
  const blocked = new BlockedPorts({ now: () => now, sleep: () => Promise.resolve() })
  blocked.block([80, 443], 'taken', 100)
  blocked.block([443], 'refused', 100)
  expect(blocked.ports).toEqual(
    new Map([
      [80, 'taken'],
      [443, 'refused'],
    ]),
  )
  blocked.unblock([443])
  expect(blocked.ports).toEqual(new Map([[80, 'taken']]))
  now = 100
  expect(blocked.ports).toEqual(new Map())
})

it('takes listeners out of a configuration and says whose they are', () => {
  const backends = ['a', 'b'].map((name) => ({
    name,
    service: `shop_${name}`,
    mode: 'http' as const,
    proxyProtocol: false,
    network: 'net1',
    transparent: false,
    servers: [],
  }))
  const config = {
    ...emptyEdgeConfig,
    backends,
    listeners: [
      { port: 80, mode: 'http' as const, routes: [{ host: '*', path: '/', backend: 'a' }] },
      { port: 81, mode: 'tcp' as const, backend: 'b' },
    ],
  }
  const { config: left, conflicts } = withoutPorts(
    config,
    new Map([
      [80, 'taken'],
      [81, 'refused'],
      [99, 'taken'],
    ]),
  )
  expect(left.listeners).toEqual([])
  expect(left.backends).toBe(backends)
  expect(conflicts).toEqual([
    {
      port: 80,
      service: 'shop_a',
      winner: null,
      reason: 'port 80 of this host is taken by another process',
    },
    {
      port: 81,
      service: 'shop_b',
      winner: null,
      reason: 'HAProxy of this host has not taken port 81 yet',
    },
  ])
  expect(withoutPorts(config, new Map())).toEqual({ config, conflicts: [] })
})
