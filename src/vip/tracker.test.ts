import { expect, it } from 'vitest'
import { type Catalog, emptyCatalog, type Endpoint } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../catalog/samples.ts'
import { EndpointTracker } from './tracker.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const catalog = (endpoints: Endpoint[], suspected: string[] = []): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId(
    ['h1', 'h2'].map((id) =>
      sampleHost(id, { state: suspected.includes(id) ? 'suspected' : 'alive' }),
    ),
  ),
  services: byId([sampleService('s1')]),
  endpoints: byId(endpoints),
})
const one = sampleEndpoint('t1', { host: 'h1', addresses: { net1: '10.0.1.5', far: '10.0.9.5' } })
const two = sampleEndpoint('t2', { host: 'h2', addresses: { net1: '10.0.1.6' } })
const networks = new Set(['net1'])
const complete = { complete: true }

it('tells of an endpoint that is gone, on the networks asked for', () => {
  const tracker = new EndpointTracker()
  expect(tracker.update(catalog([one, two]), networks, complete)).toEqual([])
  expect(tracker.update(catalog([two]), networks, complete)).toEqual([
    { network: 'net1', address: '10.0.1.5', reason: 'gone' },
  ])
  expect(tracker.update(catalog([two]), networks, complete)).toEqual([])
})

it('tells of a suspected host once, and again when it was taken back in between', () => {
  const tracker = new EndpointTracker()
  const cut = [{ network: 'net1', address: '10.0.1.6', reason: 'suspected' }]
  tracker.update(catalog([one, two]), networks, complete)
  expect(tracker.update(catalog([one, two], ['h2']), networks, complete)).toEqual(cut)
  expect(tracker.update(catalog([one, two], ['h2']), networks, complete)).toEqual([])
  tracker.update(catalog([one, two]), networks, complete)
  expect(tracker.update(catalog([one, two], ['h2']), networks, complete)).toEqual(cut)
})

it('takes nothing for dead because an incomplete catalog lacks it, and asks again', () => {
  const tracker = new EndpointTracker()
  tracker.update(catalog([one, two]), networks, complete)
  expect(tracker.update(catalog([two]), networks, { complete: false })).toEqual([])
  expect(tracker.update(catalog([two]), networks, complete)).toHaveLength(1)
})

it('never cuts an address that somebody else has by now', () => {
  const tracker = new EndpointTracker()
  tracker.update(catalog([one]), networks, complete)
  const heir = sampleEndpoint('t3', { host: 'h2', addresses: { net1: '10.0.1.5' } })
  expect(tracker.update(catalog([heir]), networks, complete)).toEqual([])
})

it('knows nothing to cut in the first catalog it sees', () => {
  const tracker = new EndpointTracker()
  expect(tracker.update(catalog([one, two], ['h1', 'h2']), networks, complete)).toEqual([])
})
