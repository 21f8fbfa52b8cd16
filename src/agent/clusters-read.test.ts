import { expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import type { Ledger } from '../catalog/index.ts'
import type { Config, Service } from '../engine/index.ts'
import { ClustersRead } from './clusters-read.ts'

const ledger: Ledger = {
  cluster: 'shop_db',
  uid: 'uid1',
  recipe: 'galera',
  phase: 'recovering',
  epoch: 3,
  grant: { epoch: 3, members: { 'shop_db-1': 'v1' }, position: { history: 'h', sequence: '12' } },
  members: {
    'shop_db-1': { host: 'h1', volume: 'v1', admitted: null, discarded: null, leaving: false },
  },
  next: 2,
  view: ['shop_db-1'],
  highWater: { history: 'h', sequence: '12', at: 1 },
  writer: 'shop_db-1',
  cleanStop: { at: 2, last: 'shop_db-1' },
  held: {
    at: 3,
    reason: 'two histories',
    copies: [{ member: 'shop_db-1', host: 'h1', data: 'unheard', position: null }],
  },
  order: { epoch: 2, from: 'shop_db-1', snapshot: null, by: 'root', at: 4 },
  handover: { epoch: 3, from: 'shop_db-1', to: null, by: 'root', at: 5 },
}
const config = (label: string) =>
  ({ ID: 'c1', Spec: { Name: 'ledger', Labels: { [LABEL.ledger]: label } } }) as unknown as Config
const head = (members: string) =>
  ({
    ID: 's1',
    Spec: {
      Name: 'shop_db',
      Labels: {
        [LABEL.recipe]: JSON.stringify({
          name: 'galera',
          options: { tls: true },
          ports: [{ port: 3306, to: 'writer' as const }],
        }),
        [LABEL.members]: members,
      },
    },
  }) as unknown as Service

test('a ledger and its head are one cluster, and the ledger alone stays when the stack is down', () => {
  const read = new ClustersRead()
  expect(read.setConfigs([config(JSON.stringify(ledger))])).toEqual([])
  expect(read.setServices([head('3')])).toEqual([])
  const choice = {
    name: 'galera',
    options: { tls: true },
    ports: [{ port: 3306, to: 'writer' as const }],
  }
  expect(read.clusters).toEqual([
    { id: 'shop_db', ledger, head: { cluster: 'shop_db', choice, members: 3 } },
  ])
  read.setServices([], new Set(['s1']))
  expect(read.clusters).toEqual([{ id: 'shop_db', ledger, head: null }])
})

test.each([
  ['not JSON', '{'],
  ['another phase', JSON.stringify({ ...ledger, phase: 'asleep' })],
  [
    'a folder outside',
    JSON.stringify({ ...ledger, grant: { epoch: 3, members: { a: '../b' }, position: null } }),
  ],
])('a ledger that cannot be read is named and left out: %s', (_, label) => {
  const read = new ClustersRead()
  expect(read.setConfigs([config(label)])).toEqual([expect.stringContaining('muster.ledger')])
  expect(read.clusters).toEqual([])
})

test('a head that cannot be read is named', () => {
  expect(new ClustersRead().setServices([head('many')])).toEqual([
    expect.stringContaining('service shop_db: label muster.members'),
  ])
})
