import { expect, test } from 'vitest'
import { emptyCatalog, reportId } from '../catalog/index.ts'
import { sampleCluster, sampleHost, sampleLedger, sampleMember } from '../catalog/samples.ts'
import { eventsBetween } from './events.ts'

test('what becomes of a clustered service is news: its phase, its writer, its members', () => {
  const catalog = (writer: string | null, role: 'joining' | 'ready' | null) => {
    const member = sampleMember('shop_db-1', {
      process: role === null ? 'gate' : 'running',
      status: role === null ? null : { role, size: 1, component: null, leads: null },
    })
    const phase = role === 'ready' ? 'formed' : 'forming'
    return {
      ...emptyCatalog('test'),
      hosts: new Map([['h1', sampleHost('h1')]]),
      members: new Map([[reportId(member), member]]),
      clusters: new Map([
        [
          'shop_db',
          { ...sampleCluster('shop_db'), ledger: sampleLedger({ writer, phase, epoch: 1 }) },
        ],
      ]),
    }
  }
  expect(eventsBetween(catalog(null, null), catalog(null, null))).toEqual([])
  expect(eventsBetween(catalog(null, null), catalog(null, 'joining'))).toEqual([
    { type: 'member', member: 'shop_db-1', host: 'host-h1', change: 'joining' },
  ])
  expect(eventsBetween(catalog(null, 'joining'), catalog('shop_db-1', 'ready'))).toEqual([
    { type: 'cluster', cluster: 'shop_db', phase: 'formed', epoch: 1 },
    { type: 'writer', cluster: 'shop_db', member: 'shop_db-1' },
    { type: 'member', member: 'shop_db-1', host: 'host-h1', change: 'ready' },
  ])
  const gone = { ...catalog('shop_db-1', 'ready'), members: new Map() }
  expect(eventsBetween(catalog('shop_db-1', 'ready'), gone)).toEqual([
    { type: 'member', member: 'shop_db-1', host: 'host-h1', change: 'gone' },
  ])
})
