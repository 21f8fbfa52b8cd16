import { randomBytes } from 'node:crypto'
import type { ClusterName, Ledger } from '../catalog/index.ts'

/** The ledger of a cluster that has never been. */
export const firstLedger = (cluster: ClusterName, recipe: string): Ledger => ({
  cluster,
  uid: randomBytes(8).toString('hex'),
  recipe,
  phase: 'new',
  epoch: 0,
  grant: null,
  members: {},
  next: 1,
  view: [],
  highWater: null,
  writer: null,
  cleanStop: null,
  held: null,
  order: null,
})
