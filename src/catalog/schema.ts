/** What a valid part of the catalog looks like, field by field. */
import {
  type Decode,
  anyText,
  bool,
  fallback,
  integer,
  list,
  nullable,
  object,
  oneOf,
  record,
  text,
} from './decode.ts'
import {
  DATA_STATES,
  type DataSnapshot,
  type Ledger,
  MEMBER_ROLES,
  type MemberReport,
  PHASES,
  PROCESS_STATES,
  type Position,
} from './clusters.ts'
import type {
  CatalogHost,
  CatalogService,
  ClusterSettings,
  EdgePlace,
  Endpoint,
  HttpRoute,
  PublishedPort,
} from './model.ts'

/** Ids and names of Swarm objects: safe in file names and in the configuration of others. */
export const name = text(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/, 'a name or id')
const octet = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
export const ipv4 = text(new RegExp(`^${octet}(?:\\.${octet}){3}$`), 'an IPv4 address')
/** Address of a host: empty while nobody knows it. */
export const hostAddress = text(/^[0-9A-Fa-f.:]{0,64}$/, 'an IP address')
/** Name of a host, as it names itself. */
export const hostName = text(/^[\w.-]{0,255}$/, 'a host name')
const port = integer(1, 65_535)

const anyPublishedPort = object({
  published: port,
  target: port,
  mode: oneOf('tcp', 'http'),
  proxyProtocol: fallback(bool, false),
  hostIp: fallback(nullable(ipv4), null),
})

export const publishedPort: Decode<PublishedPort> = (value, at) => {
  const { hostIp, ...port } = anyPublishedPort(value, at)
  return hostIp === null ? port : { ...port, hostIp }
}

export const httpRoute: Decode<HttpRoute> = object({
  host: text(
    /^(?:\*|(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)$/,
    'a host name, *.name or *',
  ),
  path: text(/^\/[\w\-.~!$&()+,;=:@%/]{0,1023}$/, 'a path that begins with /'),
  published: port,
  target: port,
})

export const endpoint: Decode<Endpoint> = object({
  id: name,
  host: name,
  service: name,
  container: name,
  slot: integer(0),
  addresses: record(name, ipv4),
  state: oneOf('starting', 'ready', 'unhealthy'),
})

export const service: Decode<CatalogService> = object({
  id: name,
  name,
  stack: nullable(name),
  virtualIps: record(name, ipv4),
  networks: list(name, 1000),
  ports: list(publishedPort, 1000),
  http: list(httpRoute, 1000),
})

export const edge: Decode<Record<string, EdgePlace>> = record(
  name,
  object({
    address: ipv4,
    mac: text(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, 'a MAC address'),
    subnet: text(new RegExp(`^${octet}(?:\\.${octet}){3}/(?:3[0-2]|[12]?\\d)$`), 'an IPv4 subnet'),
  }),
)

export const host: Decode<CatalogHost> = object({
  id: name,
  name: hostName,
  address: hostAddress,
  manager: bool,
  leader: bool,
  state: oneOf('alive', 'agentless', 'suspected'),
  engineDown: bool,
  edge: fallback(edge, {}),
})

export const settings: Decode<ClusterSettings> = object({
  edgeImage: text(/^[\w.\-/:@]{1,512}$/, 'an image reference'),
  restartDelayMs: integer(0),
})

const inHistory = {
  history: text(/^[\w.:+-]{1,128}$/, 'the identity of a history'),
  sequence: text(/^(?:0|[1-9]\d{0,38})$/, 'a whole number'),
}
const position: Decode<Position> = object(inHistory)
/** Identity of a data folder. */
const volume = text(/^[\w-]{1,64}$/, 'the identity of a folder')
const sentence = anyText(4096)
/** Name of a file in one folder. */
const fileName = text(/^[\w-][\w.-]{0,254}$/, 'the name of a file')
const snapshot: Decode<DataSnapshot> = object({ name: fileName, position, at: integer(0) })

export const member: Decode<MemberReport> = object({
  id: name,
  cluster: name,
  host: name,
  volume: nullable(volume),
  data: oneOf(...DATA_STATES),
  process: oneOf(...PROCESS_STATES),
  epoch: integer(0),
  position: nullable(position),
  recovered: bool,
  clean: bool,
  founded: integer(0),
  snapshot: fallback(nullable(snapshot), null),
  restored: fallback(nullable(integer(0)), null),
  status: nullable(
    object({
      role: oneOf(...MEMBER_ROLES),
      size: integer(0),
      component: nullable(anyText(256)),
      leads: nullable(bool),
    }),
  ),
  ready: bool,
  container: nullable(name),
  addresses: record(name, ipv4),
  problem: nullable(sentence),
})

export const ledger: Decode<Ledger> = object({
  cluster: name,
  uid: name,
  recipe: name,
  phase: oneOf(...PHASES),
  epoch: integer(0),
  grant: nullable(
    object({ epoch: integer(0), members: record(name, volume), position: nullable(position) }),
  ),
  members: record(
    name,
    object({
      host: name,
      volume: nullable(volume),
      admitted: nullable(volume),
      discarded: nullable(volume),
      leaving: bool,
    }),
  ),
  next: integer(1),
  view: list(name, 1000),
  highWater: nullable(object({ ...inHistory, at: integer(0) })),
  writer: nullable(name),
  cleanStop: nullable(object({ at: integer(0), last: name })),
  held: nullable(
    object({
      at: integer(0),
      reason: sentence,
      copies: list(
        object({
          member: name,
          host: name,
          data: oneOf(...DATA_STATES, 'unheard'),
          position: nullable(position),
        }),
        1000,
      ),
    }),
  ),
  order: nullable(
    object({
      epoch: integer(0),
      from: name,
      snapshot: fallback(nullable(fileName), null),
      by: anyText(1024),
      at: integer(0),
    }),
  ),
  handover: fallback(
    nullable(
      object({
        epoch: integer(0),
        from: name,
        to: nullable(name),
        by: anyText(1024),
        at: integer(0),
      }),
    ),
    null,
  ),
})
