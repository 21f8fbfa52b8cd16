/** The command line's side of the agent's API. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { AGENT_SOCKET, MusterError, messageOf } from '../base/index.ts'
import {
  type Catalog,
  CorruptMessage,
  type ExecRequest,
  type HostId,
  type HostQuestion,
  decodeChanges,
  decoders,
  reportId,
  schema,
} from '../catalog/index.ts'
import type { EdgeReach } from '../edge/index.ts'
import type { ExecSession } from '../engine/index.ts'
import type { EventLine } from './api.ts'
import { execSession, remoteError } from './exec-client.ts'
import { type VolumeView, decodeVolumeViews } from './volume-view.ts'
import { type AgentStatus, decodeStatus } from './status.ts'

/** What agents can be asked. Everything rejects with AGENT_UNREACHABLE while the agent is away. */
export interface AgentClient {
  status(): Promise<AgentStatus>
  /** The catalog that this host acts on. */
  catalog(): Promise<Catalog>
  /** What changes from now on, until the signal is aborted. */
  events(signal: AbortSignal): AsyncIterable<EventLine>
  /** The volumes of a host; with `sizes` it looks at every file. Waits up to half a minute. */
  volumes(host: HostId, options: { sizes: boolean }): Promise<VolumeView[]>
  /** Removes a volume and its data from a host. CONFLICT while a container has it. */
  removeVolume(host: HostId, volume: { name: string; uid: string }): Promise<void>
  /** What the edge of a host does with some ports; null without an edge. */
  edge(host: HostId, ports: readonly number[]): Promise<EdgeReach | null>
  /** Runs a command in a task's container, on whichever host. */
  exec(what: ExecRequest): Promise<ExecSession>
}

const CALL_LIMIT_MS = 10_000
/** A far agent, its engine and the container's runtime have to answer. */
const EXEC_LIMIT_MS = 30_000

/** The agent of this host. Connects at each call. */
export const connectAgent = (socket: string = AGENT_SOCKET): AgentClient => ({
  status: () => getJson(socket, '/v1/status', (value) => decodeStatus(value, 'status')),
  catalog: () => getJson(socket, '/v1/catalog', decodeCatalog),
  events: (signal) => events(socket, signal),
  volumes: async (host, { sizes }) =>
    understood(
      await ask(socket, { host, question: { what: 'volumes', sizes } }),
      decodeVolumeViews,
    ),
  removeVolume: async (host, { name, uid }) => {
    await ask(socket, { host, question: { what: 'remove-volume', name, uid } })
  },
  edge: async (host, ports) =>
    understood(
      await ask(socket, { host, question: { what: 'edge', ports: [...ports] } }, EDGE_LIMIT_MS),
      (value) => decodeReach(value, 'edge'),
    ),
  exec: async (what) => {
    const asked = request({
      socketPath: socket,
      method: 'POST',
      path: '/v1/exec',
      headers: { Connection: 'Upgrade', Upgrade: 'muster-exec' },
      timeout: EXEC_LIMIT_MS,
    })
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.end()
    try {
      const [, connection, head] = (await once(asked, 'upgrade')) as Upgrade
      connection.setTimeout(0)
      if (head.length > 0) connection.unshift(head)
      return await execSession(connection, what, EXEC_LIMIT_MS)
    } catch (error) {
      throw unreachable(socket, error)
    }
  },
})

type Upgrade = [response: IncomingMessage, connection: Socket, head: Buffer]

const unreachable = (socket: string, cause: unknown): unknown => {
  if (cause instanceof MusterError) return cause
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EACCES') {
    return new MusterError('AGENT_UNREACHABLE', `${socket} belongs to root.`, {
      cause,
      hint: 'Run muster as root.',
    })
  }
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'it does not run' : messageOf(cause)
  return new MusterError('AGENT_UNREACHABLE', `The agent of this host does not answer: ${why}.`, {
    cause,
    hint: '`muster init` or `muster join` starts it. Its log: journalctl -u muster-agent, or /var/log/muster/agent.log.',
  })
}

const get = async (socket: string, path: string, signal: AbortSignal): Promise<IncomingMessage> => {
  const asked = request({ socketPath: socket, path, signal })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) {
    response.destroy()
    throw new MusterError(
      'AGENT_REFUSED',
      `The agent answered ${path} with ${response.statusCode}.`,
      {
        hint: 'Agent and command are probably of different versions: restart the agent.',
      },
    )
  }
  return response
}

const getJson = async <T>(
  socket: string,
  path: string,
  decode: (value: unknown) => T,
): Promise<T> => {
  try {
    const response = await get(socket, path, AbortSignal.timeout(CALL_LIMIT_MS))
    const text = Buffer.concat(await response.toArray()).toString()
    return decode(JSON.parse(text))
  } catch (error) {
    if (error instanceof CorruptMessage) throw notUnderstood(error)
    throw unreachable(socket, error)
  }
}

const notUnderstood = (cause: CorruptMessage): MusterError =>
  new MusterError('AGENT_REFUSED', `The agent's answer is not understood: ${cause.message}.`, {
    cause,
    hint: 'Agent and command are probably of different versions: restart the agent.',
  })

/** Another agent has to be reached, and files to be counted. */
const ASK_LIMIT_MS = 40_000
/** What an edge does its agent knows by heart. */
const EDGE_LIMIT_MS = 3000

const ask = async (
  socket: string,
  asking: { host: HostId; question: HostQuestion },
  limitMs = ASK_LIMIT_MS,
): Promise<unknown> => {
  const signal = AbortSignal.timeout(limitMs)
  let text: string
  try {
    const asked = request({ socketPath: socket, method: 'POST', path: '/v1/ask', signal })
    asked.end(JSON.stringify(asking))
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    text = Buffer.concat(await response.toArray()).toString()
  } catch (error) {
    if (!signal.aborted) throw unreachable(socket, error)
    throw new MusterError(
      'TIMEOUT',
      `The agent of that host gave no answer in ${limitMs / 1000} s.`,
      {
        cause: error,
      },
    )
  }
  const answer = understood(JSON.parse(text), (value) => answered(value, 'answer'))
  if (answer.error) throw remoteError(answer.error)
  return answer.value
}

const understood = <T>(value: unknown, decode: (value: unknown) => T): T => {
  try {
    return decode(value)
  } catch (error) {
    if (!(error instanceof CorruptMessage)) throw error
    throw notUnderstood(error)
  }
}

async function* events(socket: string, signal: AbortSignal): AsyncGenerator<EventLine> {
  try {
    const response = await get(socket, '/v1/events', signal)
    for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
      yield JSON.parse(line) as EventLine
    }
  } catch (error) {
    if (!signal.aborted) throw unreachable(socket, error)
    return
  }
  if (!signal.aborted) throw unreachable(socket, new Error('it ended the stream'))
}

const { anyText, fallback, integer, list, nullable, object } = decoders
const decodeReach = nullable(
  object({
    ports: list(integer(1, 65_535)),
    endpoints: list(schema.name),
    conflicts: list(anyText(4096)),
  }),
)
const anything = (value: unknown): unknown => value
const answered = object({
  value: anything,
  error: fallback(
    nullable(
      object({
        code: anyText(64),
        message: anyText(100_000),
        hint: nullable(anyText(100_000)),
      }),
    ),
    null,
  ),
})
const catalogHead = object({ version: integer(0), origin: anyText(1024) })

const decodeCatalog = (value: unknown): Catalog => {
  const { version, origin } = catalogHead(value, 'catalog')
  const { hosts, services, endpoints, leaving, members, clusters, settings } = decodeChanges(
    value,
    'catalog',
  )
  if (settings === null) throw new CorruptMessage('catalog.settings is missing')
  const byId = <T extends { id: string }>(values: T[]) =>
    new Map(values.map((each) => [each.id, each]))
  return {
    version,
    origin,
    hosts: byId(hosts),
    services: byId(services),
    endpoints: byId(endpoints),
    leaving: new Set(leaving),
    members: new Map(members.map((member) => [reportId(member), member])),
    clusters: byId(clusters),
    settings,
  }
}
