import { DEFAULT_SETTINGS } from '../base/index.ts'
import { carryIndex } from './by-service.ts'
import { type ClusterName, type MemberReport, type ReportId, reportId } from './clusters.ts'
import { type Decode, fallback, list, object } from './decode.ts'
import { type Cluster, cluster } from './heads.ts'
import type {
  Catalog,
  CatalogHost,
  CatalogService,
  ClusterSettings,
  Endpoint,
  EndpointId,
  HostId,
  ServiceId,
} from './model.ts'
import * as schema from './schema.ts'

/** Differences between two versions of a catalog. A value that is set replaces the old one whole. */
export interface Changes {
  hosts: CatalogHost[]
  hostsGone: HostId[]
  services: CatalogService[]
  servicesGone: ServiceId[]
  endpoints: Endpoint[]
  endpointsGone: EndpointId[]
  leaving: EndpointId[]
  /** Endpoints that are not leaving any more. */
  staying: EndpointId[]
  members: MemberReport[]
  membersGone: ReportId[]
  clusters: Cluster[]
  clustersGone: ClusterName[]
  settings: ClusterSettings | null
}

export const noChanges = (): Changes => ({
  hosts: [],
  hostsGone: [],
  services: [],
  servicesGone: [],
  endpoints: [],
  endpointsGone: [],
  leaving: [],
  staying: [],
  members: [],
  membersGone: [],
  clusters: [],
  clustersGone: [],
  settings: null,
})

/** Number of single changes. */
export const countChanges = (changes: Changes): number =>
  changes.hosts.length +
  changes.hostsGone.length +
  changes.services.length +
  changes.servicesGone.length +
  changes.endpoints.length +
  changes.endpointsGone.length +
  changes.leaving.length +
  changes.staying.length +
  changes.members.length +
  changes.membersGone.length +
  changes.clusters.length +
  changes.clustersGone.length +
  (changes.settings === null ? 0 : 1)

/** For the wire: without the empty lists. */
export const compact = (changes: Changes): Partial<Changes> =>
  Object.fromEntries(
    Object.entries(changes).filter(([, value]) =>
      Array.isArray(value) ? value.length > 0 : value !== null,
    ),
  )

const names = fallback(list(schema.name), [])

/** Reads what `compact` made. */
export const decodeChanges: Decode<Changes> = object({
  hosts: fallback(list(schema.host), []),
  hostsGone: names,
  services: fallback(list(schema.service), []),
  servicesGone: names,
  endpoints: fallback(list(schema.endpoint), []),
  endpointsGone: names,
  leaving: names,
  staying: names,
  members: fallback(list(schema.member), []),
  membersGone: names,
  clusters: fallback(list(cluster), []),
  clustersGone: names,
  settings: fallback<ClusterSettings | null>(schema.settings, null),
})

export const emptyCatalog = (origin = '', version = 0): Catalog => ({
  version,
  origin,
  hosts: new Map(),
  services: new Map(),
  endpoints: new Map(),
  leaving: new Set(),
  members: new Map(),
  clusters: new Map(),
  settings: DEFAULT_SETTINGS,
})

/** The catalog after the changes; what did not change is shared with the old one. */
export const applyChanges = (catalog: Catalog, changes: Changes, version: number): Catalog => {
  const endpoints = applyTo(catalog.endpoints, changes.endpoints, {
    gone: changes.endpointsGone,
    idOf,
  })
  if (endpoints !== catalog.endpoints) {
    carryIndex(catalog.endpoints, endpoints, [
      ...changes.endpoints.map(({ id }) => id),
      ...changes.endpointsGone,
    ])
  }
  return {
    version,
    origin: catalog.origin,
    hosts: applyTo(catalog.hosts, changes.hosts, { gone: changes.hostsGone, idOf }),
    services: applyTo(catalog.services, changes.services, { gone: changes.servicesGone, idOf }),
    endpoints,
    leaving: applyToSet(catalog.leaving, changes.leaving, changes.staying),
    members: applyTo(catalog.members, changes.members, {
      gone: changes.membersGone,
      idOf: reportId,
    }),
    clusters: applyTo(catalog.clusters, changes.clusters, { gone: changes.clustersGone, idOf }),
    settings: changes.settings ?? catalog.settings,
  }
}

const idOf = ({ id }: { id: string }): string => id

const applyTo = <T>(
  old: ReadonlyMap<string, T>,
  set: readonly T[],
  { gone, idOf }: { gone: readonly string[]; idOf: (value: T) => string },
): ReadonlyMap<string, T> => {
  if (set.length === 0 && gone.length === 0) return old
  const result = new Map(old)
  for (const id of gone) result.delete(id)
  for (const value of set) result.set(idOf(value), value)
  return result
}

const applyToSet = (
  old: ReadonlySet<string>,
  added: readonly string[],
  removed: readonly string[],
): ReadonlySet<string> => {
  if (added.length === 0 && removed.length === 0) return old
  const result = new Set(old)
  for (const id of removed) result.delete(id)
  for (const id of added) result.add(id)
  return result
}
