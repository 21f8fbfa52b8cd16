import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sampleLedger } from '../../catalog/samples.ts'
import { recipeNamed } from '../../recipes/index.ts'
import { VolumeStore, type VolumeRecord } from '../../volumes/index.ts'
import { dueSnapshot } from '../order.ts'
import { newestSnapshot } from './snapshots.ts'

const NAME = 'cdf8-812-1763740000.db'
const MEMBER = { id: 'shop_kv-1', cluster: 'shop_kv' }

let folder: string
let store: VolumeStore
let record: VolumeRecord

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshots-'))
  store = new VolumeStore({ folder: join(folder, 'volumes'), runFolder: join(folder, 'run') })
  await store.load()
  record = await store.create(MEMBER.id, {
    type: 'local',
    stack: 'shop',
    perSlot: false,
    member: MEMBER,
  })
})
afterEach(() => rm(folder, { recursive: true }))

describe('the newest snapshot', () => {
  it('is the last whole one beside the data', async () => {
    const etcd = recipeNamed('etcd')
    expect(await newestSnapshot(store, record, etcd)).toBe(null)
    const place = join(store.path(record), 'snapshots')
    await mkdir(place)
    for (const name of [NAME, 'cdf8-9-1763730000.db', 'new', `cdf8-900-1763750000.db.damaged`]) {
      await writeFile(join(place, name), '')
    }
    expect(await newestSnapshot(store, record, etcd)).toEqual({
      name: NAME,
      position: { history: 'cdf8', sequence: '812' },
      at: 1_763_740_000_000,
    })
    expect(await newestSnapshot(store, record, recipeNamed('galera'))).toBe(null)
    expect(await newestSnapshot(store, undefined, etcd)).toBe(null)
  })
})

describe('a snapshot that is to become the data', () => {
  const order = { epoch: 3, from: MEMBER.id, snapshot: NAME, by: 'root', at: 77 }
  const ledger = sampleLedger({ phase: 'recovering', epoch: 3, order })

  it('is due once, for whom it was decided, in the epoch that it was decided in', async () => {
    record = await store.mark(MEMBER.id, { epoch: 3 })
    expect(dueSnapshot(ledger, record)).toEqual(order)
    expect(dueSnapshot(null, record)).toBe(null)
    expect(dueSnapshot({ ...ledger, phase: 'formed' }, record)).toBe(null)
    expect(dueSnapshot({ ...ledger, order: { ...order, epoch: 2 } }, record)).toBe(null)
    expect(dueSnapshot({ ...ledger, order: { ...order, from: 'shop_kv-2' } }, record)).toBe(null)
    expect(dueSnapshot({ ...ledger, order: { ...order, snapshot: null } }, record)).toBe(null)
    // Not before its host has promised to obey this very decision.
    expect(dueSnapshot({ ...ledger, epoch: 4, order: { ...order, epoch: 4 } }, record)).toBe(null)
    record = await store.mark(MEMBER.id, { restored: 77 })
    expect(dueSnapshot(ledger, record)).toBe(null)
    expect(dueSnapshot({ ...ledger, order: { ...order, at: 78 } }, record)).not.toBe(null)
  })
})
