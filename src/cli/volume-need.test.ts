import { expect, it } from 'vitest'
import { firstLedger } from '../members/index.ts'
import { needOf, wantsOf } from './volume-need.ts'

const ledger = {
  ...firstLedger('shop_db', 'galera'),
  members: {
    'shop_db-1': { host: 'h1', volume: 'u', admitted: null, discarded: null, leaving: false },
  },
}
const wants = {
  sources: ['shop_data', 'shop_each.{{.Task.Slot}}', 'x.{{.Node.Hostname}}.y'],
  ledgers: [ledger],
  unclear: new Set(['shop_kv']),
}
const plain = { type: 'local', users: [], cluster: null, member: null }
const data = { ...plain, cluster: 'shop_db', member: 'shop_db-1', name: 'shop_db-1' }

it.each([
  [{ ...plain, name: 'shop_data' }, 'needed'],
  [{ ...plain, name: 'shop_data', users: ['shop_web'] }, 'used'],
  [{ ...plain, name: 'shop_each.3' }, 'needed'],
  [{ ...plain, name: 'shop_each' }, 'orphan'],
  [{ ...plain, name: 'x.host-1.y' }, 'needed'],
  [{ ...plain, name: 'xohost-1oy' }, 'orphan'],
  [data, 'needed'],
  [{ ...data, member: 'shop_db-2', name: 'shop_db-2' }, 'orphan'],
  [{ ...data, cluster: 'shop_kv' }, 'needed'],
  [{ ...data, cluster: 'gone' }, 'orphan'],
] as const)('%o is %s', (volume, need) => {
  expect(needOf({ ...volume, users: [...volume.users] }, 'h1', wants)).toBe(need)
})

it('the data of a member that is elsewhere now are an orphan', () => {
  expect(needOf({ ...data, users: [] }, 'h2', wants)).toBe('orphan')
})

it('a ledger that cannot be read makes nothing an orphan', () => {
  expect(wantsOf([], [], ['shop_db']).unclear).toEqual(new Set(['shop_db']))
})
