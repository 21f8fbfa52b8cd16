import { createHash } from 'node:crypto'
import type { EdgeBackend, EdgeConfig, EdgeListener, EdgeRoute, EdgeServer } from './config.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'

/** Files as the HAProxy process sees them. */
export interface RenderOptions {
  /** Path of the admin socket. */
  adminSocket: string
  /** Name under /var/run/netns of the network namespace to listen in. */
  namespace: string
}

export interface RenderedConfig {
  /** The whole file; made when it is asked for, because most changes need no file. */
  readonly text: string
  /**
   * Hash of everything but the servers, in `description` of `show info`: tells which configuration a
   * running process was started with. The same revision needs runtime commands only, no reload.
   */
  revision: string
}

const WORD = /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/
const PATTERN = /^[A-Za-z0-9\-._~%!&()*+,;=:@/]+$/
const FILE = /^\/[A-Za-z0-9_./-]+$/
const CIDR = /^\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}$/
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/

/**
 * The last line of defence against configuration injection: what is not plainly harmless is never
 * written. routes.ts has already refused it with a reason; arriving here is a defect.
 */
const safe = (value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw new Error(`not fit for a configuration: ${JSON.stringify(value)}`)
  return value
}
const word = (value: string): string => safe(value, WORD)
const port = (value: number): string => {
  if (!Number.isInteger(value) || value < 1 || value > 65_535) {
    throw new Error(`not a port: ${value}`)
  }
  return String(value)
}
/** Free text for people, inside single quotes. */
const prose = (value: string): string => `'${value.replace(/[^A-Za-z0-9 _.,:;/*-]/g, '_')}'`
const ms = (value: number): string => `${Math.round(value)}ms`

/** `address:port`. */
export const serverAddress = (server: EdgeServer): string =>
  `${safe(server.address, IPV4)}:${port(server.port)}`

/**
 * All options of a server, written out on every line: `add server` inherits nothing from
 * `default-server`.
 *
 * A check is a bare SYN: HAProxy answers the SYN-ACK with a reset, so the application's accept() never
 * sees it. One failed connection makes the server suspect (`sudden-death`) and one more takes it out;
 * going down never ends open connections here, because an application whose backlog is full looks
 * the same: only the catalog ends them.
 */
export const serverOptions = (backend: EdgeBackend, checkIntervalMs: number): string =>
  [
    `check inter ${ms(checkIntervalMs)} fastinter ${ms(T.fastCheck)}`,
    `downinter ${ms(Math.max(T.downCheck, checkIntervalMs / 20))} fall 2 rise 1`,
    'observe layer4 error-limit 1 on-error sudden-death',
    // Applications close idle connections after seconds; reuse is only safe well before that.
    'pool-purge-delay 1s',
    ...(backend.proxyProtocol ? ['send-proxy-v2 check-send-proxy'] : []),
  ].join(' ')

/**
 * As whom HAProxy goes on once it listens. Binding foreign addresses (`usesrc`) takes CAP_NET_ADMIN.
 * From 2.9 on HAProxy can keep that one (`setcap`) and give up root; up to 2.8 it would lose it and
 * refuses `uid` beside `usesrc`: there it stays root where it is needed, with the few capabilities of
 * its container, no way to more, and a file system it cannot write to. HAProxy itself chooses, so
 * that the file is right for whatever version the image has in it.
 */
const identity = (config: EdgeConfig): string[] => {
  const user = [`  uid ${T.uid}`, `  gid ${T.uid}`]
  if (!config.backends.some(({ transparent }) => transparent)) return user
  return [
    '.if version_atleast(2.9) && feature(LINUX_CAP)',
    ...user,
    '  setcap cap_net_admin',
    '.endif',
  ]
}

const globalSection = (config: EdgeConfig, options: RenderOptions, revision: string): string[] => [
  'global',
  `  description ${word(revision)}`,
  '  log stdout format raw local0 notice',
  `  stats socket ${safe(options.adminSocket, FILE)} mode 600 level admin expose-fd listeners`,
  '  stats timeout 1m',
  '  no strict-limits',
  `  fd-hard-limit ${T.fdHardLimit}`,
  `  hard-stop-after ${ms(T.hardStop)}`,
  `  mworker-max-reloads ${T.maxReloads}`,
  ...identity(config),
]

const defaultsSection = (): string[] => [
  'defaults',
  '  mode http',
  '  log global',
  '  option dontlognull',
  `  timeout connect ${ms(T.connect)}`,
  // Without this a check would wait for its whole period instead of the connect time limit.
  '  timeout check 1s',
  `  timeout http-request ${ms(T.requestHeaders)}`,
  `  timeout http-keep-alive ${ms(T.httpClient)}`,
  `  timeout client ${ms(T.httpClient)}`,
  `  timeout server ${ms(T.httpServer)}`,
  '  timeout client-fin 30s',
  `  timeout tunnel ${ms(T.tunnel)}`,
  `  retries ${T.retries}`,
  '  option redispatch 1',
  // Counts connections that are still being made, so a silent server is steered around at once.
  '  balance leastconn',
  '  http-reuse safe',
  '  option srvtcpka',
  '  srvtcpka-idle 1s',
  '  srvtcpka-intvl 1s',
  '  srvtcpka-cnt 2',
  '  option clitcpka',
  '  clitcpka-idle 60s',
  '  clitcpka-intvl 10s',
  '  clitcpka-cnt 6',
]

const tcpTimeouts = (side: 'client' | 'server'): string[] => [
  `  timeout ${side} ${ms(T.tunnel)}`,
  ...(side === 'client' ? [`  timeout client-fin ${ms(T.tunnel)}`] : []),
]

/** Where requests go that no route matches. */
const NO_ROUTE = 'muster-no-route'

const noRouteSection = (): string[] => [
  `backend ${NO_ROUTE}`,
  '  http-request return status 404 content-type text/plain string ' +
    prose('no service is published for this host name and path'),
]

/**
 * A client whose answers would not come back to the edge loses its address: then HAProxy connects from
 * its own.
 */
const localClients = (config: EdgeConfig, name: string): string[] =>
  config.local.length > 0 &&
  config.backends.some((backend) => backend.name === name && backend.transparent)
    ? [
        `  tcp-request connection set-src str(0.0.0.0) if { src ${config.local
          .map((range) => safe(range, CIDR))
          .join(' ')} }`,
      ]
    : []

const frontendSection = (
  listener: EdgeListener,
  { config, options }: { config: EdgeConfig; options: RenderOptions },
): string[] => {
  const address = listener.address === undefined ? '' : safe(listener.address, IPV4)
  const name = `port-${port(listener.port)}${address === '' ? '' : `-${address}`}`
  const head = [`frontend ${name}`, `  mode ${listener.mode}`]
  const bind = `  bind ${address}:${port(listener.port)} namespace ${word(options.namespace)}`
  if (listener.mode === 'tcp') {
    return [
      ...head,
      bind,
      ...localClients(config, listener.backend),
      ...tcpTimeouts('client'),
      `  default_backend ${word(listener.backend)}`,
    ]
  }
  return [
    ...head,
    bind,
    // RFC 9110, 9.2.2: only these may be sent again when it is unknown whether they were processed.
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }',
    // The edge is the first hop: whatever a client claims about earlier ones is not to be trusted.
    '  http-request del-header Forwarded',
    '  http-request set-header X-Forwarded-For %[src]',
    '  http-request set-header X-Real-IP %[src]',
    '  http-request set-header X-Forwarded-Proto http',
    `  http-request set-header X-Forwarded-Port ${port(listener.port)}`,
    '  http-request set-header X-Forwarded-Host %[req.hdr(host)]',
    '  http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)',
    ...listener.routes.filter((route) => !matchesAll(route)).map(useBackend),
    `  default_backend ${word(listener.routes.find(matchesAll)?.backend ?? NO_ROUTE)}`,
  ]
}

const matchesAll = (route: EdgeRoute): boolean => route.host === '*' && route.path === '/'

const useBackend = (route: EdgeRoute): string => {
  const host = hostCondition(route.host)
  const alternatives =
    route.path === '/'
      ? [host]
      : [
          `${host}{ path -m str ${safe(route.path, PATTERN)} }`,
          `${host}{ path -m beg ${safe(route.path, PATTERN)}/ }`,
        ]
  return `  use_backend ${word(route.backend)} if ${alternatives.map((a) => a.trim()).join(' or ')}`
}

const hostCondition = (host: string): string => {
  if (host === '*') return ''
  return host.startsWith('*.')
    ? `{ var(txn.host) -m end ${safe(host.slice(1), PATTERN)} } `
    : `{ var(txn.host) -m str ${safe(host, PATTERN)} } `
}

/** The head of a backend, without its servers. */
const backendSection = (backend: EdgeBackend): string[] => [
  `backend ${word(backend.name)}`,
  `  mode ${backend.mode}`,
  // Also for servers that are added later; checks have no client and use the edge's own address.
  ...(backend.transparent ? ['  source 0.0.0.0 usesrc clientip'] : []),
  ...(backend.mode === 'tcp'
    ? tcpTimeouts('server')
    : [
        // Not 500 and 504: an application's own failures would be multiplied, not hidden.
        '  retry-on conn-failure empty-response junk-response 502 503',
        `  http-error status 503 content-type text/plain string ${prose(
          `${backend.service}: no endpoint answers`,
        )} hdr Retry-After 1`,
      ]),
]

const serverLines = (backend: EdgeBackend, options: string): string[] =>
  backend.servers.map(
    (server) => `  server ${word(server.name)} ${serverAddress(server)} ${options}`,
  )

/**
 * HAProxy 2.6 to 3.x configuration of an edge, for `haproxy -W`. Throws on values that routes.ts would
 * not have let through.
 */
export const renderHaproxyConfig = (config: EdgeConfig, options: RenderOptions): RenderedConfig => {
  const structure = (revision: string): string[][] => [
    globalSection(config, options, revision),
    defaultsSection(),
    ...config.listeners.map((listener) => frontendSection(listener, { config, options })),
    noRouteSection(),
  ]
  const backends = config.backends.map((backend) => ({
    backend,
    head: backendSection(backend),
    options: serverOptions(backend, config.checkIntervalMs),
  }))
  const revision = `muster-${hash([
    structure('muster'),
    backends.map(({ head, options }) => [head, options]),
  ])}`
  let text: string | undefined
  return {
    revision,
    get text() {
      text ??= `${[
        ...structure(revision),
        ...backends.map(({ backend, head, options }) => [
          ...head,
          ...serverLines(backend, options),
        ]),
      ]
        .map((lines) => lines.join('\n'))
        .join('\n\n')}\n`
      return text
    },
  }
}

const hash = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
