import type { SeenServer, SeenService, View } from '../rendered/contract.ts'

/** What is balanced: `SERVICE_NAME` and `SERVICE_PORTS`. */
export interface Balanced {
  service: string
  ports: number[]
}

/** Beside a port for writes: reads and writes, and reads. */
const READ_WRITE_PORT = 4006
const READ_PORT = 4008

/** How long a client may leave what it was sent unanswered by its kernel. */
const UNANSWERED = '13s'

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/
/** In a line of the configuration nothing may stand that is not what it is taken for. */
const word = (value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw new Error(`not fit for a configuration: ${JSON.stringify(value)}`)
  return value
}

interface Leg {
  listen: number
  /** Port of the servers. */
  target: number
  /** Only to the member that takes the writes. */
  toWriter: boolean
}

/** A port leads to the same port, but for those that software with one writer is read at. */
const legOf = (listen: number, { writerPorts }: Pick<SeenService, 'writerPorts'>): Leg => {
  const [write] = writerPorts
  if (write === undefined) return { listen, target: listen, toWriter: false }
  if (listen === READ_WRITE_PORT) return { listen, target: write, toWriter: true }
  if (listen === READ_PORT || listen === write + 1)
    return { listen, target: write, toWriter: false }
  return { listen, target: listen, toWriter: writerPorts.includes(listen) }
}

const of = (leg: Leg, servers: SeenServer[]): SeenServer[] =>
  servers.filter(({ writer }) => !leg.toWriter || writer)

/** `listen` section of a port: one writer, or every server and donors only when nobody else is left. */
const section = (leg: Leg, seen: SeenService): string[] => [
  `listen ${sectionName(leg, seen)}`,
  `  bind :${leg.listen} tcp-ut ${UNANSWERED}`,
  `  balance ${leg.toWriter ? 'first' : 'leastconn'}`,
  ...of(leg, seen.servers).map(
    ({ name, address, backup }) =>
      `  server ${word(name, NAME)} ${word(address, IPV4)}:${leg.target}${backup && !leg.toWriter ? ' backup' : ''}`,
  ),
]

const sectionName = (leg: Leg, { name }: SeenService): string => `${word(name, NAME)}-${leg.listen}`

const NOBODY: Omit<SeenService, 'name'> = { servers: [], keeps: [], writerPorts: [] }

const seenOf = (view: View, { service }: Balanced): SeenService =>
  view.find(service) ?? { name: service, ...NOBODY }

/** Configuration of HAProxy 2.6 and newer, for `haproxy -W`. */
export const renderConfig = (view: View, balanced: Balanced): string => {
  const seen = seenOf(view, balanced)
  return `${[
    ['global', '  log stdout format raw local0 notice', '  no strict-limits', '  stats timeout 1m'],
    [
      'defaults',
      '  mode tcp',
      '  log global',
      '  option dontlognull',
      '  timeout connect 1s',
      // Silence is no reason to close a connection: databases are idle for hours.
      '  timeout client 24h',
      '  timeout server 24h',
      '  timeout client-fin 30s',
      '  timeout check 1s',
      '  retries 2',
      '  option redispatch 1',
      // Whose host is gone says no goodbye, and its transaction would keep its locks.
      '  option clitcpka',
      '  clitcpka-idle 5s',
      '  clitcpka-intvl 2s',
      '  clitcpka-cnt 3',
      '  option srvtcpka',
      '  srvtcpka-idle 1s',
      '  srvtcpka-intvl 1s',
      '  srvtcpka-cnt 2',
      // Who is here is known to be ready; the check finds out first when one is gone.
      '  default-server check inter 1s fastinter 300ms downinter 1s fall 2 rise 1 on-marked-down shutdown-sessions',
    ],
    ...balanced.ports.map((port) => section(legOf(port, seen), seen)),
  ]
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

/** `section/server at address`, a line each: who may keep its connections. */
export const renderServers = (view: View, balanced: Balanced): string => {
  const seen = seenOf(view, balanced)
  return balanced.ports
    .map((port) => legOf(port, seen))
    .flatMap((leg) =>
      of(leg, seen.keeps).map(
        ({ name, address }) => `${sectionName(leg, seen)}/${name} ${address}\n`,
      ),
    )
    .join('')
}
