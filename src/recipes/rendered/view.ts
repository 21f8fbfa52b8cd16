import {
  type Catalog,
  type CatalogService,
  type Cluster,
  type Endpoint,
  type HostId,
  isHeard,
  memberReport,
  type NetworkId,
  partOf,
  running,
  serving,
} from '../../catalog/index.ts'
import type { SeenServer, SeenService, View } from './contract.ts'

/** A container of a service, as Swarm names it. */
export interface OwnTask {
  /** Its id. */
  id: string
  slot: number
  host: HostId
}

/**
 * What the containers of a service may see of the others; null if the catalog does not know it. `task`:
 * the one that looks.
 */
export const viewFrom = (
  catalog: Catalog,
  service: string,
  task: OwnTask | null = null,
): View | null => {
  const named = new Map([...catalog.services.values()].map((each) => [each.name, each]))
  const self = named.get(service)
  if (!self) return null
  const find = (name: string): SeenService | null => {
    const other = named.get(self.stack === null ? name : `${self.stack}_${name}`) ?? named.get(name)
    const network = other?.networks.find((each) => self.networks.includes(each))
    if (!other || network === undefined) return null
    const part = partOf(catalog, other)
    const seen =
      part?.member === null
        ? membersOf(catalog, part.cluster, { named, network })
        : replicasOf(catalog, other, network)
    return {
      name,
      servers: seen.servers.sort(byName),
      keeps: seen.keeps.sort(byName),
      writerPorts: (part?.cluster.head?.choice.ports ?? [])
        .filter(({ to }) => to === 'writer')
        .map(({ port }) => port),
    }
  }
  return {
    service,
    self: task && {
      name: nameOf(self, task),
      slot: task.slot,
      host: catalog.hosts.get(task.host)?.name ?? task.host,
    },
    find,
  }
}

type Seen = Pick<SeenService, 'servers' | 'keeps'>

const byName = (a: SeenServer, b: SeenServer): number => (a.name < b.name ? -1 : 1)

const nameOf = (service: CatalogService, { id, slot }: { id: string; slot: number }): string =>
  `${shortName(service.name, service.stack)}.${slot}.${id.slice(0, 8)}`

const replicasOf = (catalog: Catalog, service: CatalogService, network: NetworkId): Seen => {
  const server = (endpoint: Endpoint): SeenServer => ({
    name: nameOf(service, endpoint),
    address: endpoint.addresses[network] ?? '',
    host: catalog.hosts.get(endpoint.host)?.name ?? endpoint.host,
    writer: false,
    backup: false,
  })
  return {
    servers: serving(catalog, service.id, network).map(server),
    keeps: running(catalog, service, network).map(server),
  }
}

const membersOf = (
  catalog: Catalog,
  { ledger }: Cluster,
  { named, network }: { named: ReadonlyMap<string, CatalogService>; network: NetworkId },
): Seen => {
  const servers: SeenServer[] = []
  const keeps: SeenServer[] = []
  for (const [id, { host }] of Object.entries(ledger.members)) {
    const service = named.get(id)
    if (!service) continue
    const report = memberReport(catalog, { host, id })
    const donor =
      report !== undefined && isHeard(catalog, report) && report.status?.role === 'donor'
    const server = (address: string): SeenServer => ({
      name: shortName(id, service.stack),
      address,
      host: catalog.hosts.get(host)?.name ?? host,
      writer: ledger.writer === id,
      backup: donor,
    })
    const [endpoint] = serving(catalog, service.id, network)
    const address = endpoint?.addresses[network] ?? (donor ? report.addresses[network] : undefined)
    if (address !== undefined) servers.push(server(address))
    const open = running(catalog, service, network)
    keeps.push(...open.map(({ addresses }) => server(addresses[network] ?? '')))
  }
  return { servers, keeps }
}

const shortName = (name: string, stack: string | null): string =>
  stack !== null && name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name
