/**
 * What one host's edge serves, as a plain value: a pure function of the catalog (routes.ts), input
 * of the renderer (haproxy-config.ts) and of the reconciler (reconcile.ts). Arrays are sorted, so
 * equal catalogs give equal values.
 */
import type { EndpointId, NetworkId, PortMode } from '../catalog/index.ts'

/** One endpoint that takes new connections. */
export interface EdgeServer {
  /** Unique in its backend and stable for the endpoint's life: `hello_front.1.<task id>`. */
  name: string
  endpoint: EndpointId
  /** IPv4. */
  address: string
  port: number
}

/** The endpoints of one service on one target port. */
export interface EdgeBackend {
  /** Unique and safe to write into a configuration: `hello_front.8080.http`. */
  name: string
  /** Full Swarm name of the service, for people. */
  service: string
  mode: PortMode
  /** Send a PROXY protocol header, version 2. */
  proxyProtocol: boolean
  /** On which it reaches its servers; null: the service is in none. */
  network: NetworkId | null
  /** Servers see the client's address as that of the peer. */
  transparent: boolean
  servers: EdgeServer[]
  /** Endpoints at which open connections may stay; absent: at any. Others' are closed at once. */
  keeps?: EndpointId[]
}

/** One rule of an HTTP listener. Rules are in the order in which they are to be tried. */
export interface EdgeRoute {
  /** Lower-case host name, `*.example.com`, or `*`. */
  host: string
  /** Prefix of whole segments: `/api` matches `/api` and `/api/x`, not `/apis`. */
  path: string
  backend: string
}

/** A port that the edge listens on, in the host's network namespace. */
export type EdgeListener = {
  port: number
  /** IPv4 address of the host; absent: every one. */
  address?: string
} & ({ mode: 'tcp'; backend: string } | { mode: 'http'; routes: EdgeRoute[] })

export interface EdgeConfig {
  listeners: EdgeListener[]
  backends: EdgeBackend[]
  /** Overlay networks that the edge must be in to reach its servers. */
  networks: NetworkId[]
  /** Period of the active check of each server by each edge. */
  checkIntervalMs: number
  /** Clients whom the edge never speaks for, as CIDR: their answers would not come back. Sorted. */
  local: string[]
}

/** Something a service asks to publish and does not get. */
export interface EdgeConflict {
  port: number
  /** Service that does not get it. */
  service: string
  /** Service that has it, null when it is nobody's to have. */
  winner: string | null
  /** One clause: `port 80 is already published by shop_web`. */
  reason: string
}

/** A configuration that serves nothing. */
export const emptyEdgeConfig: EdgeConfig = {
  listeners: [],
  backends: [],
  networks: [],
  checkIntervalMs: 1000,
  local: [],
}
