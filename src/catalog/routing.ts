/**
 * Where the traffic of a service goes, clustered services included: a head and each of its members
 * lead to ready members only, and a port for writes to the one member that takes them.
 */
import { endpointsOf } from './by-service.ts'
import type { MemberId } from './clusters.ts'
import type { ClientPort, Cluster } from './heads.ts'
import type { Catalog, CatalogService, Endpoint, EndpointId, NetworkId } from './model.ts'
import { serving } from './serving.ts'

/** Which part of a clustered service a Swarm service is. */
export interface Part {
  cluster: Cluster
  /** Null: the head. */
  member: MemberId | null
}

type Clusters = Catalog['clusters']
type Services = Catalog['services']

/** Catalogs are values that never change, so an index belongs to the map it was made from. */
const partsOf = new WeakMap<Clusters, ReadonlyMap<string, Part>>()
const idsOf = new WeakMap<Services, ReadonlyMap<string, CatalogService>>()

const parts = (clusters: Clusters): ReadonlyMap<string, Part> => {
  const known = partsOf.get(clusters)
  if (known) return known
  const index = new Map<string, Part>()
  for (const cluster of clusters.values()) {
    index.set(cluster.id, { cluster, member: null })
    for (const member of Object.keys(cluster.ledger.members)) {
      index.set(member, { cluster, member })
    }
  }
  partsOf.set(clusters, index)
  return index
}

const byName = (services: Services): ReadonlyMap<string, CatalogService> => {
  const known = idsOf.get(services)
  if (known) return known
  const index = new Map([...services.values()].map((each) => [each.name, each]))
  idsOf.set(services, index)
  return index
}

/** The clustered service that a service is a part of; undefined for an ordinary one. */
export const partOf = (
  catalog: Pick<Catalog, 'clusters'>,
  service: Pick<CatalogService, 'name'>,
): Part | undefined =>
  catalog.clusters.size === 0 ? undefined : parts(catalog.clusters).get(service.name)

/** The service that publishes for this one: its head, or itself. */
export const publisherOf = (catalog: Catalog, service: CatalogService): CatalogService => {
  const part = partOf(catalog, service)
  return part === undefined ? service : (byName(catalog.services).get(part.cluster.id) ?? service)
}

/** Ports that lead elsewhere than the others of the service. */
export const clientPorts = (catalog: Catalog, service: CatalogService): readonly ClientPort[] =>
  partOf(catalog, service)?.cluster.head?.choice.ports ?? []

/**
 * The endpoints of a service whatever they say of themselves, but on hosts that answer. Members find
 * each other so: one that is still to join must be reached to join.
 */
export const running = (
  catalog: Catalog,
  service: CatalogService,
  network?: NetworkId,
): Endpoint[] =>
  endpointsOf(catalog.endpoints, service.id).filter(
    (each) =>
      catalog.hosts.get(each.host)?.state !== 'suspected' &&
      (network === undefined || each.addresses[network] !== undefined),
  )

/** The network and port of the connections that are asked about. */
export interface Aim {
  network?: NetworkId
  /** Absent: any port for clients. Null: one that is not for clients. */
  port?: number | null
}

/** Who gets new connections: like `serving`, for every kind of service. Sorted. */
export const routed = (catalog: Catalog, service: CatalogService, aim: Aim = {}): Endpoint[] => {
  const part = partOf(catalog, service)
  if (part === undefined) return serving(catalog, service.id, aim.network)
  const { cluster, member } = part
  const of = (id: MemberId): Endpoint[] => {
    const own = byName(catalog.services).get(id)
    return own === undefined ? [] : serving(catalog, own.id, aim.network)
  }
  const rule = aim.port == null ? undefined : ruleOf(cluster, aim.port)
  const own = member === null ? [] : of(member)
  if (aim.port !== undefined && rule === undefined && member !== null) {
    return running(catalog, service, aim.network).sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  if (rule === 'writer') {
    const { writer } = cluster.ledger
    return writer === null ? [] : of(writer)
  }
  if (own.length > 0) return own
  return Object.keys(cluster.ledger.members)
    .flatMap(of)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * The endpoints at which connections to a port may stay open: for a port for writes those of the
 * writer, ready or not; null where any may.
 */
export const mayKeep = (
  catalog: Catalog,
  service: CatalogService,
  port: number,
): ReadonlyMap<EndpointId, Endpoint> | null => {
  const cluster = partOf(catalog, service)?.cluster
  if (cluster === undefined || ruleOf(cluster, port) !== 'writer') return null
  const { writer } = cluster.ledger
  const own = writer === null ? undefined : byName(catalog.services).get(writer)
  const endpoints = own === undefined ? [] : endpointsOf(catalog.endpoints, own.id)
  return new Map(endpoints.map((each) => [each.id, each]))
}

const ruleOf = ({ head }: Cluster, port: number): ClientPort['to'] | undefined =>
  head?.choice.ports.find((each) => each.port === port)?.to
