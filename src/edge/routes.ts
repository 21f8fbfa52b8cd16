import { isIPv4 } from 'node:net'
import type { EdgeSurroundings } from './transparency.ts'
import { AGENT_PORT, METRICS_PORT } from '../base/index.ts'
import {
  mayKeep,
  routed,
  type Catalog,
  type CatalogService,
  type NetworkId,
  type PortMode,
} from '../catalog/index.ts'
import type {
  EdgeBackend,
  EdgeConfig,
  EdgeConflict,
  EdgeListener,
  EdgeRoute,
  EdgeServer,
} from './config.ts'

/** Ports of Muster and of Swarm on every host: serving them would cut the cluster's own traffic. */
const RESERVED: ReadonlyMap<number, string> = new Map([
  [AGENT_PORT, 'agent'],
  [METRICS_PORT, 'metrics'],
  [2377, 'Swarm management'],
  [7946, 'Swarm gossip'],
])

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/
const ENDPOINT_ID = /^[A-Za-z0-9_-]{1,64}$/
const HOST =
  /^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*)$/
const PATH = /^\/[A-Za-z0-9\-._~%!&()*+,;=:@/]*$/

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_535

/** Lower case, no trailing dot; null when it is not a host name, `*.name` or `*`. */
export const normalHost = (host: string): string | null => {
  const normal = host.toLowerCase().replace(/(?<=.)\.$/, '')
  return normal.length <= 253 && HOST.test(normal) ? normal : null
}

/** No trailing slash but for `/` itself; null when it cannot be the path of a URL. */
export const normalPath = (path: string): string | null => {
  if (path.length > 1024 || !PATH.test(path)) return null
  const normal = path.replace(/\/+$/, '')
  return normal === '' ? '/' : normal
}

/**
 * How often each edge probes each server. An endpoint is probed by every edge, so the period grows
 * with the cluster: at most about 10 probes/s reach one endpoint. Powers of two, because a new
 * period is a reload.
 */
export const checkIntervalMs = (hosts: number): number => {
  let interval = 1000
  while (interval < 60_000 && hosts * 100 > interval) interval *= 2
  return interval
}

/** Most specific first: exact hosts, wildcards by length, any; then the longest path. */
const bySpecificity = (a: EdgeRoute, b: EdgeRoute): number =>
  rank(a.host) - rank(b.host) ||
  b.host.length - a.host.length ||
  compare(a.host, b.host) ||
  b.path.length - a.path.length ||
  compare(a.path, b.path)

const rank = (host: string): number => (host === '*' ? 2 : host.startsWith('*.') ? 1 : 0)
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

interface Claim {
  service: CatalogService
  port: number
  mode: PortMode
  target: number
  proxyProtocol: boolean
  host: string
  path: string
  /** Address of the host that it is bound to; undefined: every one. */
  address: string | undefined
}

const claimsOf = (service: CatalogService): Claim[] => [
  ...service.ports.map((port) => ({
    service,
    port: port.published,
    mode: port.mode,
    target: port.target,
    proxyProtocol: port.proxyProtocol,
    host: '*',
    path: '/',
    address: port.hostIp,
  })),
  ...service.http.map((route) => ({
    service,
    port: route.published,
    mode: 'http' as const,
    target: route.target,
    proxyProtocol: false,
    host: route.host,
    path: route.path,
    address: undefined,
  })),
]

/** The claim in normal form, or why it can never be served. */
const checked = (claim: Claim): Claim | string => {
  if (!isPort(claim.port) || !isPort(claim.target)) return 'a port is not between 1 and 65535'
  const owner = RESERVED.get(claim.port)
  if (owner !== undefined) return `port ${claim.port} is reserved (${owner})`
  const host = normalHost(claim.host)
  if (host === null) return `${JSON.stringify(claim.host)} is not a host name`
  const path = normalPath(claim.path)
  if (path === null) return `${JSON.stringify(claim.path)} is not a path prefix`
  return { ...claim, host, path }
}

/**
 * The overlay network on which the edge reaches a service: the lowest id of those on which it has an
 * endpoint that serves, else of all its networks, so that the edge joins before the first one starts.
 */
const networkOf = (catalog: Catalog, service: CatalogService): NetworkId | undefined => {
  const networks = service.networks.toSorted(compare)
  const endpoints = routed(catalog, service)
  return (
    networks.find((network) => endpoints.some((e) => e.addresses[network] !== undefined)) ??
    networks[0]
  )
}

/**
 * Everything that is published, and what could not be. Two services that want the same port (or the
 * same host and path of a port) are decided by the lower service id, on every host alike. A `tcp`
 * port and an HTTP listener cannot share; an `http` port is the route `*` `/` of its listener.
 *
 * Bytes are passed on under the client's own address on those networks on which the other hosts know
 * this edge: their containers then answer through it.
 */
export const edgeConfig = (
  catalog: Catalog,
  { self, local, addresses }: EdgeSurroundings = {
    self: undefined,
    local: [],
    addresses: new Set(),
  },
): {
  config: EdgeConfig
  conflicts: EdgeConflict[]
} => {
  const conflicts: EdgeConflict[] = []
  const listeners: { owner: string; listener: EdgeListener }[] = []
  const routeOwners = new Map<string, string>()
  const backends = new Backends(catalog, new Set(Object.keys(self?.edge ?? {})))

  for (const service of [...catalog.services.values()].sort((a, b) => compare(a.id, b.id))) {
    for (const raw of claimsOf(service)) {
      const claim = checked(raw)
      const refuse = (winner: string | null, reason: string) =>
        conflicts.push({ port: raw.port, service: service.name, winner, reason })
      if (typeof claim === 'string') {
        refuse(null, claim)
        continue
      }
      // Another host has that address.
      if (claim.address !== undefined && !addresses.has(claim.address)) continue
      const taken = listeners.find(({ listener }) => overlapping(listener, claim))
      if (taken === undefined) {
        listeners.push({ owner: service.name, listener: newListener(claim, backends) })
        if (claim.mode === 'http') routeOwners.set(routeKey(claim), service.name)
        continue
      }
      if (
        taken.listener.mode === 'tcp' ||
        claim.mode === 'tcp' ||
        taken.listener.address !== claim.address
      ) {
        refuse(taken.owner, `port ${claim.port} is already published by ${taken.owner}`)
        continue
      }
      const owner = routeOwners.get(routeKey(claim))
      if (owner !== undefined) {
        refuse(owner, `${claim.host}${claim.path} on port ${claim.port} is already ${owner}'s`)
        continue
      }
      routeOwners.set(routeKey(claim), service.name)
      taken.listener.routes.push(routeOf(claim, backends))
    }
  }

  for (const { listener } of listeners) {
    if (listener.mode === 'http') listener.routes.sort(bySpecificity)
  }
  return {
    config: {
      listeners: listeners
        .map(({ listener }) => listener)
        .sort((a, b) => a.port - b.port || compare(a.address ?? '', b.address ?? '')),
      backends: backends.sorted(),
      networks: backends.networks(),
      checkIntervalMs: checkIntervalMs(catalog.hosts.size),
      local: [
        ...new Set([...local, ...Object.values(self?.edge ?? {}).map(({ subnet }) => subnet)]),
      ].sort(compare),
    },
    conflicts,
  }
}

const overlapping = (listener: EdgeListener, { port, address }: Claim): boolean =>
  listener.port === port &&
  (listener.address === undefined || address === undefined || listener.address === address)

const routeKey = (claim: Claim): string =>
  `${claim.address ?? ''}:${claim.port} ${claim.host}${claim.path}`

const routeOf = (claim: Claim, backends: Backends): EdgeRoute => ({
  host: claim.host,
  path: claim.path,
  backend: backends.of(claim),
})

const newListener = (claim: Claim, backends: Backends): EdgeListener => ({
  port: claim.port,
  ...(claim.address === undefined ? {} : { address: claim.address }),
  ...(claim.mode === 'tcp'
    ? { mode: 'tcp', backend: backends.of(claim) }
    : { mode: 'http', routes: [routeOf(claim, backends)] }),
})

/** The backends that claims need, each made once. */
class Backends {
  readonly #catalog: Catalog
  /** Networks on which the other hosts know this edge. */
  readonly #known: ReadonlySet<NetworkId>
  readonly #byKey = new Map<string, EdgeBackend>()
  readonly #names = new Set<string>()
  readonly #networks = new Set<NetworkId>()

  constructor(catalog: Catalog, known: ReadonlySet<NetworkId>) {
    this.#catalog = catalog
    this.#known = known
  }

  of(claim: Claim): string {
    const { service, target, mode, proxyProtocol } = claim
    const kind = proxyProtocol ? `${mode}-pp` : mode
    const key = `${service.id} ${target} ${kind}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known.name

    const label = NAME.test(service.name) ? service.name : 'service'
    let name = `${label}.${target}.${kind}`
    for (let n = 2; this.#names.has(name); n++) name = `${label}.${target}.${kind}.${n}`
    this.#names.add(name)

    const network = networkOf(this.#catalog, service)
    if (network !== undefined) this.#networks.add(network)
    const servers = network === undefined ? [] : serversOf(this.#catalog, claim, { label, network })
    const keeps = mayKeep(this.#catalog, service, target)
    const transparent =
      mode === 'tcp' && !proxyProtocol && network !== undefined && this.#known.has(network)
    this.#byKey.set(key, {
      name,
      service: service.name,
      mode,
      proxyProtocol,
      network: network ?? null,
      transparent,
      servers,
      ...(keeps !== null && { keeps: [...keeps.keys()].sort(compare) }),
    })
    return name
  }

  sorted(): EdgeBackend[] {
    return [...this.#byKey.values()].sort((a, b) => compare(a.name, b.name))
  }

  networks(): NetworkId[] {
    return [...this.#networks].sort(compare)
  }
}

const serversOf = (
  catalog: Catalog,
  claim: Claim,
  { label, network }: { label: string; network: NetworkId },
): EdgeServer[] =>
  routed(catalog, claim.service, { network, port: claim.target })
    .filter(
      (endpoint) =>
        ENDPOINT_ID.test(endpoint.id) &&
        Number.isInteger(endpoint.slot) &&
        isIPv4(endpoint.addresses[network] ?? ''),
    )
    .map((endpoint) => ({
      name: `${label}.${endpoint.slot}.${endpoint.id}`,
      endpoint: endpoint.id,
      address: endpoint.addresses[network] ?? '',
      port: claim.target,
    }))
    .sort((a, b) => compare(a.name, b.name))
