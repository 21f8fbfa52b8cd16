/** What this host knows of one of its members now, from its catalog and beside the data. */
import type { Cluster } from '../../catalog/index.ts'
import type { Recipe } from '../../recipes/index.ts'
import type { VolumeRecord } from '../../volumes/index.ts'
import type { KeeperContext } from './context.ts'
import { serviceNamed } from './situation.ts'

export interface Known {
  /** Undefined if there is none, or none that can be read. */
  record: () => VolumeRecord | undefined
  cluster: () => Cluster | null
  recipe: () => Recipe | undefined
  /** Nobody wants its members to run. A head that this version cannot read is no such word. */
  isStopped: () => boolean
  /** The epoch in which its process was started as the first; 0 if it was not. */
  claimed: () => number
  /** Promises, for good, to act on no older epoch than the one that is known. */
  obey: () => Promise<void>
}

export const knownOf = (
  member: { id: string; cluster: string },
  { catalog, store, recipe: find }: KeeperContext,
): Known => {
  const record = () => store.list().find(({ name }) => name === member.id)
  const cluster = () => catalog()?.clusters.get(member.cluster) ?? null
  return {
    record,
    cluster,
    recipe: () => {
      const known = cluster()
      const name = known?.ledger.recipe ?? record()?.marker.recipe
      return name === undefined || name === null
        ? undefined
        : find({ cluster: member.cluster, name, choice: known?.head?.choice ?? null })
    },
    isStopped: () => {
      const all = catalog()
      const head = cluster()?.head
      if (head) return head.members === 0
      return all !== null && serviceNamed(all, member.cluster) === undefined
    },
    claimed: () => {
      const claim = record()?.marker.claim
      return claim?.kind === 'form' || claim?.kind === 'first' ? claim.epoch : 0
    },
    obey: async () => {
      const ledger = cluster()?.ledger
      const own = record()
      if (!ledger || !own || ledger.epoch <= own.marker.epoch) return
      await store.mark(own.name, { epoch: ledger.epoch })
    },
  }
}
