import { beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../catalog/index.ts'
import { sampleEndpoint } from '../catalog/samples.ts'
import { ReturnGate } from './return-gate.ts'

let now: number
let wanted: Set<string>
let ready: Set<string>
let late: string[]
let gate: ReturnGate
beforeEach(() => {
  now = 0
  wanted = new Set(['tcp'])
  ready = new Set()
  late = []
  gate = new ReturnGate({
    wants: (service) => wanted.has(service),
    ready: (container) => ready.has(container),
    now: () => now,
    onLate: ({ id }) => late.push(id),
  })
})

const endpoint = (id: string, service: string, over: Partial<Endpoint> = {}) =>
  sampleEndpoint(id, { service, container: `of-${id}`, ...over })
const world = (...endpoints: Endpoint[]) => new Map(endpoints.map((each) => [each.id, each]))
const states = (endpoints: ReadonlyMap<string, Endpoint>) =>
  [...gate.view(endpoints).values()].map(({ id, state }) => `${id} ${state}`)

test('an endpoint that needs a way back is ready once that is there; the others at once', () => {
  const endpoints = world(endpoint('a', 'tcp'), endpoint('b', 'http'))
  expect(states(endpoints)).toEqual(['a starting', 'b ready'])
  expect(gate.view(endpoints).get('b')).toBe(endpoints.get('b'))
  expect(gate.view(endpoints).get('a')).toBe(gate.view(endpoints).get('a'))
  ready.add('of-a')
  expect(gate.view(endpoints)).toBe(endpoints)
  expect(gate.nextAt).toBeNull()
})

test('what was announced before anything was known is never taken back', () => {
  wanted.clear()
  const endpoints = world(endpoint('a', 'tcp'))
  expect(states(endpoints)).toEqual(['a ready'])
  wanted.add('tcp')
  expect(states(endpoints)).toEqual(['a ready'])
  expect(states(world(endpoint('a', 'tcp', { state: 'unhealthy' })))).toEqual(['a unhealthy'])
  expect(states(endpoints)).toEqual(['a ready'])
})

test('rules that do not come are waited for 5 s, not for ever', () => {
  const endpoints = world(endpoint('a', 'tcp'))
  expect(states(endpoints)).toEqual(['a starting'])
  expect(gate.nextAt).toBe(5000)
  now = 5000
  expect(states(endpoints)).toEqual(['a ready'])
  expect(states(endpoints)).toEqual(['a ready'])
  expect(late).toEqual(['a'])
})

test('one that is gone is forgotten', () => {
  expect(states(world(endpoint('a', 'tcp')))).toEqual(['a starting'])
  expect(states(world())).toEqual([])
  expect(gate.nextAt).toBeNull()
})
