import { expect, test } from 'vitest'
import { type Ledger, newLedger } from '../../catalog/index.ts'
import { BLANK_MARKER, type Marker, type VolumeRecord } from '../../volumes/index.ts'
import { type Memory, memoryOf } from './memory.ts'

const record = (marker: Partial<Marker>): VolumeRecord => ({
  name: 'db-1',
  uid: 'folder1',
  type: 'local',
  stack: 'shop',
  perSlot: false,
  member: { id: 'db-1', cluster: 'db' },
  created: 0,
  lastUse: null,
  marker: { ...BLANK_MARKER, ...marker },
})
const claim = (kind: 'form' | 'first' | 'join', epoch: number) => ({ ledger: 'l1', kind, epoch })
const granted = (uid: string): Ledger => ({
  ...newLedger('db', 'galera', 'l1'),
  phase: 'recovering',
  epoch: 4,
  grant: { epoch: 4, members: { 'db-1': uid }, position: null },
})
const ready = { role: 'ready' as const, component: 'c1', size: 1, leads: null }

test.each<[string, Partial<Marker>, Ledger | undefined, Memory | null]>([
  [
    'the epoch in which it was let in as the first',
    { claim: claim('first', 4) },
    undefined,
    { founded: 4, joined: 'l1', clean: false },
  ],
  [
    'the epoch of a grant that was meant for this folder, however it was let in',
    { claim: claim('join', 3) },
    granted('folder1'),
    { founded: 4, joined: 'l1', clean: false },
  ],
  [
    'no epoch of a grant for the folder that was here before',
    { claim: claim('join', 3) },
    granted('folder0'),
    { founded: 0, joined: 'l1', clean: false },
  ],
  [
    'that it has come back from an orderly leave',
    { claim: claim('join', 3), joined: 'l1', clean: true, founded: 2 },
    undefined,
    { founded: 2, joined: 'l1', clean: false },
  ],
  ['nothing that it knows', { claim: claim('join', 3), joined: 'l1' }, undefined, null],
])('a primary member remembers %s', (...[, marker, ledger, memory]) => {
  expect(memoryOf({ status: ready }, record(marker), ledger)).toEqual(memory)
})

test('who is not primary has nothing to remember', () => {
  for (const status of [
    { ...ready, component: null },
    { ...ready, role: 'joining' as const },
    { ...ready, role: 'outside' as const },
  ]) {
    expect(memoryOf({ status }, record({ claim: claim('first', 4) }), undefined)).toBeNull()
  }
})
