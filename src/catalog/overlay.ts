import { applyChanges, noChanges } from './changes.ts'
import { reportId } from './clusters.ts'
import type { Catalog, CatalogHost, HostId } from './model.ts'
import type { Reported } from './reports.ts'
import { same } from './same.ts'

/** What a host knows of itself, before and better than any manager. */
export interface OwnKnowledge extends Pick<
  Reported,
  'endpoints' | 'leaving' | 'engineDown' | 'edge' | 'members'
> {
  host: HostId
  name: string
  address: string
}

/**
 * The catalog that a host acts on: the followed manager's, with the host's own endpoints as the host
 * sees them. So a local change takes effect at once, and also while no manager answers.
 */
export const overlay = (catalog: Catalog, own: OwnKnowledge): Catalog => {
  const changes = noChanges()
  for (const endpoint of catalog.endpoints.values()) {
    if (endpoint.host === own.host && !own.endpoints.has(endpoint.id)) {
      changes.endpointsGone.push(endpoint.id)
    }
  }
  for (const endpoint of own.endpoints.values()) {
    if (!same(catalog.endpoints.get(endpoint.id), endpoint)) changes.endpoints.push(endpoint)
  }
  for (const [id, { host, id: member }] of catalog.members) {
    if (host === own.host && !own.members.has(member)) changes.membersGone.push(id)
  }
  for (const member of own.members.values()) {
    if (!same(catalog.members.get(reportId(member)), member)) changes.members.push(member)
  }
  for (const id of own.leaving) if (!catalog.leaving.has(id)) changes.leaving.push(id)
  const said = catalog.hosts.get(own.host)
  const self: CatalogHost = {
    id: own.host,
    name: said?.name ?? own.name,
    address: said?.address ?? own.address,
    manager: said?.manager ?? false,
    leader: said?.leader ?? false,
    state: 'alive',
    engineDown: own.engineDown,
    // What the manager has not told the other hosts yet, they do not know how to answer.
    edge: Object.fromEntries(
      Object.entries(own.edge).filter(([network, place]) => same(said?.edge[network], place)),
    ),
  }
  if (!same(said, self)) changes.hosts.push(self)
  return applyChanges(catalog, changes, catalog.version)
}
