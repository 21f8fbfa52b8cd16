import { expect, test } from 'vitest'
import { applyChanges, emptyCatalog, noChanges } from './changes.ts'
import { hasEnded, isLeaving, isMoving } from './leaving.ts'
import { overlay } from './overlay.ts'
import { sampleEndpoint, sampleHost, sampleMember } from './samples.ts'

const here = { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' }
const before = { ...here, address: '10.0.1.8' }

test('a host trusts its own eyes for its own endpoints, and the manager for all others', () => {
  const catalog = applyChanges(
    emptyCatalog('m', 7),
    {
      ...noChanges(),
      hosts: [
        sampleHost('h1', { state: 'suspected', edge: { net1: here, net2: before } }),
        sampleHost('h2'),
      ],
      members: [sampleMember('db-1'), sampleMember('db-0'), sampleMember('db-1', { host: 'h2' })],
      endpoints: [
        sampleEndpoint('dead'),
        sampleEndpoint('sick'),
        sampleEndpoint('far', { host: 'h2' }),
      ],
    },
    7,
  )
  const seen = overlay(catalog, {
    host: 'h1',
    name: 'host-h1',
    address: '10.0.0.1',
    endpoints: new Map([
      ['sick', sampleEndpoint('sick', { state: 'unhealthy' })],
      ['new', sampleEndpoint('new')],
    ]),
    leaving: new Set(['new']),
    engineDown: true,
    edge: { net1: here, net2: here },
    members: new Map([['db-1', sampleMember('db-1', { epoch: 2 })]]),
  })
  expect([...seen.members.values()].map(({ host, epoch }) => [host, epoch])).toEqual([
    ['h1', 2],
    ['h2', 1],
  ])
  expect([...seen.endpoints.values()].map(({ id, state }) => `${id} ${state}`).sort()).toEqual([
    'far ready',
    'new ready',
    'sick unhealthy',
  ])
  expect([...seen.leaving]).toEqual(['new'])
  expect(seen.hosts.get('h1')).toMatchObject({
    state: 'alive',
    engineDown: true,
    // Of its edge, only what all others have been told too.
    edge: { net1: here },
  })
  expect(seen.version).toBe(7)
})

test.each([
  ['running', 'running', { leaving: false, ended: false, moving: false }],
  ['running', 'starting', { leaving: false, ended: false, moving: true }],
  ['shutdown', 'running', { leaving: true, ended: false, moving: true }],
  ['shutdown', 'shutdown', { leaving: true, ended: true, moving: false }],
  ['remove', 'running', { leaving: true, ended: false, moving: true }],
  ['complete', 'running', { leaving: false, ended: false, moving: false }],
  ['running', 'failed', { leaving: false, ended: true, moving: false }],
])('a task that should be %s and is %s', (desired, state, expected) => {
  const task = { id: 't', desired, state }
  expect({ leaving: isLeaving(task), ended: hasEnded(task), moving: isMoving(task) }).toEqual(
    expected,
  )
})
