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
  decodeChanges,
  decoders,
  reportId,
} from '../catalog/index.ts'
import type { ExecSession } from '../engine/index.ts'
import type { EventLine } from './api.ts'
import { execSession } from './exec-client.ts'
import { type AgentStatus, decodeStatus } from './status.ts'

/** What agents can be asked. Everything rejects with AGENT_UNREACHABLE while the agent is away. */
export interface AgentClient {
  status(): Promise<AgentStatus>
  /** The catalog that this host acts on. */
  catalog(): Promise<Catalog>
  /** What changes from now on, until the signal is aborted. */
  events(signal: AbortSignal): AsyncIterable<EventLine>
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
    if (error instanceof CorruptMessage) {
      throw new MusterError(
        'AGENT_REFUSED',
        `The agent's answer is not understood: ${error.message}.`,
        {
          cause: error,
          hint: 'Agent and command are probably of different versions: restart the agent.',
        },
      )
    }
    throw unreachable(socket, error)
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

const { anyText, integer, object } = decoders
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
