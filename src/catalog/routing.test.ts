import { expect, test } from 'vitest'
import { emptyCatalog } from './changes.ts'
import type { Ledger } from './clusters.ts'
import type { Catalog } from './model.ts'
import { mayKeep, publisherOf, routed } from './routing.ts'
import { sampleEndpoint, sampleHost, sampleLedger, sampleService } from './samples.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))

/** A cluster of three: `db-3` is not ready. */
const catalog = (over: Partial<Ledger> = {}): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId([sampleHost('h1')]),
  services: byId([
    sampleService('head', {
      name: 'shop_db',
      ports: [{ published: 3306, target: 3306, mode: 'tcp', proxyProtocol: false }],
    }),
    ...[1, 2, 3].map((n) => sampleService(`s${n}`, { name: `shop_db-${n}` })),
    sampleService('web', { name: 'shop_web' }),
  ]),
  endpoints: byId([
    ...[1, 2].map((n) =>
      sampleEndpoint(`e${n}`, { service: `s${n}`, addresses: { net1: `10.0.1.${n}` } }),
    ),
    sampleEndpoint('e3', { service: 's3', state: 'starting' }),
    sampleEndpoint('e4', { service: 'web' }),
  ]),
  clusters: new Map([
    [
      'shop_db',
      {
        id: 'shop_db',
        ledger: sampleLedger({
          cluster: 'shop_db',
          members: Object.fromEntries(
            [1, 2, 3].map((n) => [
              `shop_db-${n}`,
              { host: 'h1', volume: null, admitted: null, discarded: null, leaving: false },
            ]),
          ),
          writer: 'shop_db-2',
          ...over,
        }),
        head: {
          cluster: 'shop_db',
          choice: {
            name: 'store',
            options: {},
            ports: [
              { port: 3306, to: 'writer' },
              { port: 3307, to: 'any' },
            ],
          },
          members: 3,
        },
      },
    ],
  ]),
})
const ids = (given: Catalog, service: string, port?: number | null) => {
  const found = given.services.get(service)
  if (!found) throw new Error(service)
  return routed(given, found, port === undefined ? {} : { port }).map(({ id }) => id)
}

test('a head leads to every ready member, a member to itself or to the others', () => {
  expect(ids(catalog(), 'head')).toEqual(['e1', 'e2'])
  expect(ids(catalog(), 's1')).toEqual(['e1'])
  expect(ids(catalog(), 's3')).toEqual(['e1', 'e2'])
  expect(ids(catalog(), 'web')).toEqual(['e4'])
})

test('a port for writes leads to the writer alone, by whatever name', () => {
  for (const service of ['head', 's1', 's2', 's3']) {
    expect(ids(catalog(), service, 3306)).toEqual(['e2'])
    expect(ids(catalog({ writer: 'shop_db-3' }), service, 3306)).toEqual([])
    expect(ids(catalog({ writer: null }), service, 3306)).toEqual([])
  }
  expect(ids(catalog(), 's1', 3307)).toEqual(['e1'])
  expect(ids(catalog(), 's3', 3307)).toEqual(['e1', 'e2'])
  expect(ids(catalog(), 'web', 3306)).toEqual(['e4'])
})

test('on any other port a member is reached itself, ready or not', () => {
  expect(ids(catalog(), 's3', 4567)).toEqual(['e3'])
  expect(ids(catalog(), 's3', null)).toEqual(['e3'])
  expect(ids(catalog(), 's1', null)).toEqual(['e1'])
  expect(ids(catalog(), 'head', null)).toEqual(['e1', 'e2'])
})

test('connections for writes stay at the writer while it is the writer, ready or not', () => {
  const kept = (given: Catalog, service: string, port: number) => {
    const found = given.services.get(service)
    const keeps = found && mayKeep(given, found, port)
    return keeps && [...keeps.keys()]
  }
  expect(kept(catalog(), 'head', 3306)).toEqual(['e2'])
  expect(kept(catalog({ writer: 'shop_db-3' }), 's1', 3306)).toEqual(['e3'])
  expect(kept(catalog({ writer: null }), 'head', 3306)).toEqual([])
  expect(kept(catalog(), 'head', 3307)).toBeNull()
  expect(kept(catalog(), 'web', 3306)).toBeNull()
})

test('what is published is written at the head', () => {
  const given = catalog()
  const [member, web] = ['s1', 'web'].map((id) => given.services.get(id))
  expect(member && publisherOf(given, member).id).toBe('head')
  expect(web && publisherOf(given, web).id).toBe('web')
})
