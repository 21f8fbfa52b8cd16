import * as fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { isHeard, reportsOf } from './member-sight.ts'
import type { Endpoint } from './model.ts'
import { type Reported, nothingReported } from './reports.ts'
import { sampleCluster, sampleEndpoint, sampleMember, sampleService } from './samples.ts'
import { CatalogSources, type SwarmHost, type SwarmTask } from './sources.ts'
import { CatalogTable } from './table.ts'

let table: CatalogTable
let sources: CatalogSources

const host = (id: string, over: Partial<SwarmHost> = {}): SwarmHost => ({
  id,
  name: id,
  address: '10.0.0.1',
  manager: false,
  leader: false,
  down: false,
  ...over,
})
const task = (id: string, over: Partial<SwarmTask> = {}): SwarmTask => ({
  id,
  desired: 'running',
  state: 'running',
  endpoint: sampleEndpoint(id),
  ...over,
})
const reported = (...endpoints: Endpoint[]): Reported => ({
  ...nothingReported,
  seq: 1,
  complete: true,
  endpoints: new Map(endpoints.map((each) => [each.id, each])),
})
const shown = () => [...table.endpoints.keys()].sort().join()
const leaving = () => [...table.leaving].sort().join()

beforeEach(() => {
  table = new CatalogTable(() => undefined)
  sources = new CatalogSources(table)
  sources.setHosts([host('h1'), host('h2')])
})

test('before a host has reported, the tasks that Swarm calls running stand in for it', () => {
  sources.setTasks([task('a'), task('b', { state: 'starting' }), task('c', { state: 'failed' })])
  expect(shown()).toBe('a')
  sources.setReported('h1', reported(sampleEndpoint('b', { state: 'starting' })), true)
  expect(shown()).toBe('b')
})

test('a host that reports is believed, whatever Swarm says', () => {
  sources.setTasks([task('a')])
  sources.setReported('h1', reported(), true)
  expect(shown()).toBe('')
})

test('when an agent ends its last report stands, until Swarm knows better', () => {
  sources.setTasks([task('a'), task('b')])
  const report = reported(sampleEndpoint('a'), sampleEndpoint('b'), sampleEndpoint('new'))
  sources.setReported('h1', report, true)
  sources.setReported('h1', report, false)
  expect(shown()).toBe('a,b,new')
  sources.setTasks([task('a'), task('b', { state: 'failed' }), task('c')])
  expect(shown()).toBe('a,c')
})

test('a manager that is cut off adds nothing that Swarm said long ago', () => {
  // The task of a life before the last: Swarm had not been asked since.
  sources.setTasks([task('old')])
  sources.setReported('h1', reported(sampleEndpoint('new')), true)
  sources.setReported('h1', reported(sampleEndpoint('new')), false)
  expect(shown()).toBe('new')
})

test('what Swarm has decided to stop is leaving, and so is what its host saw signalled', () => {
  sources.setReported(
    'h1',
    { ...reported(sampleEndpoint('a'), sampleEndpoint('b')), leaving: new Set(['b']) },
    true,
  )
  sources.setTasks([task('a', { desired: 'shutdown' }), task('b')])
  expect(leaving()).toBe('a,b')
  sources.setReported('h1', reported(sampleEndpoint('b')), true)
  expect(leaving()).toBe('')
})

test('a host cannot take over the task of another', () => {
  sources.setReported('h1', reported(sampleEndpoint('a')), true)
  sources.setReported('h2', reported(sampleEndpoint('a', { host: 'h2' })), true)
  expect(table.endpoints.get('a')?.host).toBe('h1')
  sources.setReported('h2', reported(), true)
  expect(shown()).toBe('a')
})

test('a look at some tasks says nothing about the others', () => {
  sources.setReported(
    'h1',
    reported(sampleEndpoint('a'), sampleEndpoint('b', { service: 's2' })),
    true,
  )
  sources.setTasks([
    task('a', { desired: 'shutdown' }),
    task('b', { desired: 'shutdown', endpoint: sampleEndpoint('b', { service: 's2' }) }),
  ])
  sources.setTasks([task('a')], ({ endpoint }) => endpoint.service === 's1')
  expect(leaving()).toBe('b')
})

test('a host that is lost for long, or removed, takes its endpoints along', () => {
  sources.setReported('h1', reported(sampleEndpoint('a')), true)
  sources.setReported('h1', reported(sampleEndpoint('a')), false)
  sources.setHostState('h1', 'suspected')
  expect(shown()).toBe('a')
  sources.setHostState('h1', 'suspected', true)
  expect(shown()).toBe('')
  sources.setHostState('h1', 'agentless')
  expect(shown()).toBe('a')
  sources.setHosts([host('h2')])
  expect([shown(), [...table.hosts.keys()].join()]).toEqual(['', 'h2'])
})

test('the members of a host that is silent stay known, unheard, until the host is removed', () => {
  const member = sampleMember('db-1')
  const state = { ...reported(), members: new Map([[member.id, member]]) }
  sources.setReported('h1', state, true)
  sources.setHostState('h1', 'alive')
  // The same name on another host is another copy, and hides nothing.
  const copy = sampleMember('db-1', { host: 'h2', volume: 'other' })
  sources.setReported('h2', { ...state, members: new Map([[copy.id, copy]]) }, true)
  const sight = () => {
    const catalog = table.catalog('m1', 1)
    return reportsOf(catalog, 'shop_db').map((each) => [each.host, isHeard(catalog, each)])
  }
  expect(sight()).toEqual([
    ['h1', true],
    ['h2', false],
  ])
  sources.setReported('h1', state, false)
  sources.setHostState('h1', 'suspected', true)
  expect(sight()).toEqual([
    ['h1', false],
    ['h2', false],
  ])
  sources.setHosts([host('h2')])
  expect(sight()).toEqual([['h2', false]])
})

test('clusters are all that there are', () => {
  sources.setClusters([sampleCluster('a_db'), sampleCluster('b_db')])
  sources.setClusters([sampleCluster('b_db', { epoch: 4 })])
  expect([...table.clusters.values()].map(({ id, ledger }) => [id, ledger.epoch])).toEqual([
    ['b_db', 4],
  ])
})

test('reading some services leaves the others', () => {
  sources.setServices([sampleService('s1'), sampleService('s2'), sampleService('s3')])
  sources.setServices([sampleService('s2', { name: 'renamed' })], new Set(['s1', 's2']))
  expect([...table.services.values()].map(({ name }) => name)).toEqual(['renamed', 'stack_s3'])
})

/** A task never changes its host. */
const homeOf = (id: string) => (id === 'a' || id === 'b' ? 'h1' : 'h2')

const doing = fc.oneof(
  fc.record({
    do: fc.constantFrom('report' as const, 'end' as const),
    host: fc.constantFrom('h1', 'h2'),
    ids: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')),
  }),
  fc.record({
    do: fc.constant('tasks' as const),
    tasks: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('a', 'b', 'c', 'd'),
        desired: fc.constantFrom('running', 'shutdown'),
        state: fc.constantFrom('running', 'starting', 'failed'),
      }),
      { selector: ({ id }) => id },
    ),
  }),
  fc.record({ do: fc.constant('hosts' as const), both: fc.boolean() }),
)

test('whatever happened before, hosts that report now show exactly what they report', () => {
  fc.assert(
    fc.property(fc.array(doing, { maxLength: 25 }), (history) => {
      table = new CatalogTable(() => undefined)
      sources = new CatalogSources(table)
      sources.setHosts([host('h1'), host('h2')])
      for (const each of history) {
        if (each.do === 'hosts')
          sources.setHosts(each.both ? [host('h1'), host('h2')] : [host('h1')])
        else if (each.do === 'tasks') {
          sources.setTasks(
            each.tasks.map(({ id, desired, state }) =>
              task(id, { desired, state, endpoint: sampleEndpoint(id, { host: homeOf(id) }) }),
            ),
          )
        } else {
          const mine = each.ids.filter((id) => homeOf(id) === each.host)
          const endpoints = mine.map((id) => sampleEndpoint(id, { host: each.host }))
          sources.setReported(each.host, reported(...endpoints), each.do === 'report')
        }
      }
      sources.setHosts([host('h1'), host('h2')])
      sources.setReported('h1', reported(sampleEndpoint('a')), true)
      sources.setReported('h2', reported(sampleEndpoint('d', { host: 'h2' })), true)
      expect(shown()).toBe('a,d')
      expect([...table.leaving].every((id) => table.endpoints.has(id))).toBe(true)
    }),
  )
})

test("where a host's edge is stands while its agent is away, because the edge goes on", () => {
  const edge = { net1: { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' } }
  expect(table.hosts.get('h1')?.edge).toEqual({})
  sources.setReported('h1', { ...reported(), edge }, true)
  expect(table.hosts.get('h1')?.edge).toEqual(edge)
  sources.setReported('h1', { ...reported(), edge }, false)
  expect(table.hosts.get('h1')?.edge).toEqual(edge)
  sources.setReported('h1', reported(), true)
  expect(table.hosts.get('h1')?.edge).toEqual({})
})
