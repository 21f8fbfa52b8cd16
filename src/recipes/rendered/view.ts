import {
  type Catalog,
  type CatalogService,
  type Cluster,
  isHeard,
  memberReport,
  type NetworkId,
  partOf,
  serving,
} from '../../catalog/index.ts'
import type { SeenServer, SeenService, View } from './contract.ts'

/** What the containers of a service may see of the others; null if the catalog does not know it. */
export const viewFrom = (catalog: Catalog, service: string): View | null => {
  const named = new Map([...catalog.services.values()].map((each) => [each.name, each]))
  const self = named.get(service)
  if (!self) return null
  const find = (name: string): SeenService | null => {
    const other = named.get(self.stack === null ? name : `${self.stack}_${name}`) ?? named.get(name)
    const network = other?.networks.find((each) => self.networks.includes(each))
    if (!other || network === undefined) return null
    const part = partOf(catalog, other)
    const servers =
      part?.member === null
        ? membersOf(catalog, part.cluster, { named, network })
        : replicasOf(catalog, other, network)
    return {
      name,
      servers: servers.sort((a, b) => (a.name < b.name ? -1 : 1)),
      writerPorts: (part?.cluster.head?.choice.ports ?? [])
        .filter(({ to }) => to === 'writer')
        .map(({ port }) => port),
    }
  }
  return { service, find }
}

const replicasOf = (catalog: Catalog, service: CatalogService, network: NetworkId): SeenServer[] =>
  serving(catalog, service.id, network).map((endpoint) => ({
    name: `${shortName(service.name, service.stack)}.${endpoint.slot}.${endpoint.id.slice(0, 8)}`,
    address: endpoint.addresses[network] ?? '',
    host: catalog.hosts.get(endpoint.host)?.name ?? endpoint.host,
    writer: false,
    backup: false,
  }))

const membersOf = (
  catalog: Catalog,
  { ledger }: Cluster,
  { named, network }: { named: ReadonlyMap<string, CatalogService>; network: NetworkId },
): SeenServer[] =>
  Object.entries(ledger.members).flatMap(([id, { host }]) => {
    const service = named.get(id)
    if (!service) return []
    const server = (address: string, backup: boolean): SeenServer => ({
      name: shortName(id, service.stack),
      address,
      host: catalog.hosts.get(host)?.name ?? host,
      writer: ledger.writer === id,
      backup,
    })
    const [endpoint] = serving(catalog, service.id, network)
    const report = memberReport(catalog, { host, id })
    const donor =
      report !== undefined && isHeard(catalog, report) && report.status?.role === 'donor'
    const address = endpoint?.addresses[network] ?? (donor ? report.addresses[network] : undefined)
    return address === undefined ? [] : [server(address, donor)]
  })

const shortName = (name: string, stack: string | null): string =>
  stack !== null && name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name
