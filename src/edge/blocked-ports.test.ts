import { expect, it } from 'vitest'
import { BlockedPorts, withoutPorts } from './blocked-ports.ts'
import { emptyEdgeConfig } from './config.ts'

it('blocks a port for a time, or until HAProxy turns out to have it', () => {
  let now = 0
  const blocked = new BlockedPorts({ now: () => now, sleep: () => Promise.resolve() })
  blocked.block([80, 443], 100)
  expect(blocked.ports).toEqual(new Set([80, 443]))
  blocked.unblock([443])
  expect(blocked.ports).toEqual(new Set([80]))
  now = 100
  expect(blocked.ports).toEqual(new Set())
})

it('takes listeners out of a configuration and says whose they are', () => {
  const backends = ['a', 'b'].map((name) => ({
    name,
    service: `shop_${name}`,
    mode: 'http' as const,
    proxyProtocol: false,
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
  const { config: left, conflicts } = withoutPorts(config, new Set([80, 99]))
  expect(left.listeners.map(({ port }) => port)).toEqual([81])
  expect(left.backends).toBe(backends)
  expect(conflicts).toEqual([
    {
      port: 80,
      service: 'shop_a',
      winner: null,
      reason: 'port 80 of this host is taken by another process',
    },
  ])
  expect(withoutPorts(config, new Set())).toEqual({ config, conflicts: [] })
})
