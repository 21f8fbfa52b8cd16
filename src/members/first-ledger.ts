import { randomBytes } from 'node:crypto'
import { type ClusterName, type Ledger, newLedger } from '../catalog/index.ts'

/** The ledger of a cluster that has never been, with a uid that no other has. */
export const firstLedger = (cluster: ClusterName, recipe: string): Ledger =>
  newLedger(cluster, recipe, randomBytes(8).toString('hex'))
