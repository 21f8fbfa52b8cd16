/**
 * The catalog: every endpoint of every service, who may receive traffic, and what is published.
 * Plain values; agents exchange them, routes and virtual IPs are pure functions of them.
 */

import type { ClusterSettings } from '../base/index.ts'
import type { ClusterName, MemberReport, ReportId } from './clusters.ts'
import type { Cluster } from './heads.ts'

/** Swarm's node id. */
export type HostId = string
/** Swarm's service id. */
export type ServiceId = string
/** Swarm's network id. */
export type NetworkId = string
/** Swarm's task id: one life of one replica. */
export type EndpointId = string

/**
 * What a host's agent sees of one local container.
 * - `starting`: running, but its health check has not passed yet
 * - `ready`: running, and healthy if it has a health check
 * - `unhealthy`: its health check fails
 */
export type EndpointState = 'starting' | 'ready' | 'unhealthy'

/** One reachable container of a service. Written only by the agent of its host. */
export interface Endpoint {
  id: EndpointId
  host: HostId
  service: ServiceId
  container: string
  /** Stable number of the replica; 0 in a global service. */
  slot: number
  /** IPv4 address on each overlay network, by network id. */
  addresses: Record<NetworkId, string>
  state: EndpointState
}

/** `tcp`: bytes are passed through. `http`: requests are balanced and retried one by one. */
export type PortMode = 'tcp' | 'http'

/** A TCP port that every edge listens on for a service. */
export interface PublishedPort {
  published: number
  target: number
  mode: PortMode
  /** Send the client's address to the service in a PROXY protocol header (version 2). */
  proxyProtocol: boolean
  /** IPv4. Only hosts that have this address listen, and on it alone; absent: all, on every one. */
  hostIp?: string
}

/** HTTP requests for a host name and path prefix, on a shared port. */
export interface HttpRoute {
  /** Host name, `*.example.com`, or `*` for any. */
  host: string
  /** Path prefix, begins with `/`. */
  path: string
  /** Port the edges listen on. */
  published: number
  /** Port of the container. */
  target: number
}

/** What managers know of a service and workers cannot ask Docker for. */
export interface CatalogService {
  id: ServiceId
  /** Full Swarm name, `hello_front`. */
  name: string
  /** Stack it belongs to, null for a service that no stack made. */
  stack: string | null
  /** Its virtual IP (no prefix length) on each network; empty with `endpoint_mode: dnsrr`. */
  virtualIps: Record<NetworkId, string>
  /** Overlay networks it is attached to. */
  networks: NetworkId[]
  ports: PublishedPort[]
  http: HttpRoute[]
}

/**
 * - `alive`: its agent answers
 * - `agentless`: the host answers, its agent does not (it restarts, or is stuck)
 * - `suspected`: nothing of the host answers; its endpoints get no traffic
 */
export type HostState = 'alive' | 'agentless' | 'suspected'

/** Where the edge of a host is in one overlay network. */
export interface EdgePlace {
  /** IPv4. */
  address: string
  /** `02:42:0a:00:01:07`. */
  mac: string
  /** Of the network: `10.0.1.0/24`. */
  subnet: string
}

export interface CatalogHost {
  id: HostId
  name: string
  /** Address that other hosts reach it at. */
  address: string
  manager: boolean
  leader: boolean
  state: HostState
  /** Its Docker Engine does not answer: when it returns it will stop every container. */
  engineDown: boolean
  /** Where its edge may send from in the name of clients. */
  edge: Record<NetworkId, EdgePlace>
}

/** Everything, at one version. Maps are by id. */
export interface Catalog {
  /** Counts changes of the manager that made it; comparable only with the same `origin`. */
  version: number
  /** Host id and start time of the manager's agent that counts the versions. */
  origin: string
  hosts: ReadonlyMap<HostId, CatalogHost>
  services: ReadonlyMap<ServiceId, CatalogService>
  endpoints: ReadonlyMap<EndpointId, Endpoint>
  /** Endpoints that Swarm has decided to stop: no new connections, open ones may finish. */
  leaving: ReadonlySet<EndpointId>
  /**
   * What the agents say of the members of clustered services, by `reportId`. A report of a host that
   * is not `alive` is the last that was heard of it, and no present observation.
   */
  members: ReadonlyMap<ReportId, MemberReport>
  /** Clustered services, by name. */
  clusters: ReadonlyMap<ClusterName, Cluster>
  settings: ClusterSettings
}

export type { ClusterSettings }
