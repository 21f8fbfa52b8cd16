/** The questions that are put to pure functions: at the gate, and about what runs. */
import { type Catalog, type MemberReport, reportsOf } from '../../catalog/index.ts'
import { type Recipe, topologyOf } from '../../recipes/index.ts'
import { foundersOf } from '../founders.ts'
import type { Permission, Sighting, Standing, View } from '../facts.ts'

export type Permit = (view: View) => Permission
export type Stand = (view: View, claimed: number) => Standing

/** What this host knows when it decides about a member of its own. */
export const viewOf = (catalog: Catalog, own: MemberReport, recipe: Recipe): View => {
  const cluster = catalog.clusters.get(own.cluster)
  const head = cluster?.head ?? null
  return {
    ledger: cluster?.ledger ?? null,
    topology: topologyOf(recipe, head?.choice.options),
    founders: foundersOf(recipe, head?.choice.options ?? {}, head?.members ?? null),
    own,
    others: reportsOf(catalog, own.cluster)
      .filter(({ id, host }) => id !== own.id || host !== own.host)
      .map((report) => ({ report, sight: sightOf(catalog, report.host) })),
  }
}

const sightOf = (catalog: Catalog, host: string): Sighting['sight'] => {
  const state = catalog.hosts.get(host)?.state
  if (state === 'alive') return 'heard'
  return state === 'agentless' ? 'agentless' : 'silent'
}
