import { chmod, mkdir, rm } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { once } from 'node:events'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Registry } from 'prom-client'
import { MusterError, messageOf } from '../base/index.ts'
import {
  type Catalog,
  type ExecRequest,
  type HostId,
  type HostQuestion,
  decodeQuestion,
  decoders,
  fromJson,
  schema,
} from '../catalog/index.ts'
import { type CatalogEvent, eventsBetween } from './events.ts'
import { readExecRequest, refuseExec } from './exec.ts'
import { sendMetrics } from './metrics.ts'
import type { AgentStatus } from './status.ts'

export interface ApiOptions {
  /** Path of the unix socket. */
  socket: string
  registry: Registry
  status: () => AgentStatus
  /** The catalog that this host acts on. */
  catalog: () => Catalog
  /** Calls back at each new catalog until the returned function is called. */
  subscribe: (onCatalog: (catalog: Catalog) => void) => () => void
  /** Asks a host of the cluster. */
  ask: (host: HostId, question: HostQuestion) => Promise<unknown>
  /** Carries out a command; the connection is its own from here on. */
  exec: (connection: Duplex, request: ExecRequest) => Promise<void>
}

/** A line of `GET /v1/events`: when (ISO 8601), and what. */
export type EventLine = { time: string } & CatalogEvent

/** An events stream whose reader is this far behind is ended: it asks again. */
const EVENTS_BACKLOG_BYTES = 2 ** 20

/** A catalog as JSON. */
export const catalogToJson = (catalog: Catalog): object => ({
  version: catalog.version,
  origin: catalog.origin,
  hosts: [...catalog.hosts.values()],
  services: [...catalog.services.values()],
  endpoints: [...catalog.endpoints.values()],
  leaving: [...catalog.leaving],
  members: [...catalog.members.values()],
  clusters: [...catalog.clusters.values()],
  settings: catalog.settings,
})

/** Body of `POST /v1/ask`. */
const asked = decoders.object({ host: schema.name, question: decodeQuestion })

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** The agent's API on its host's socket. Who may open the socket may do anything: root only. */
export class Api implements AsyncDisposable {
  readonly #options: ApiOptions
  readonly #server: Server
  readonly #upgraded = new Set<Duplex>()

  constructor(options: ApiOptions) {
    this.#options = options
    const routes: Record<string, Handler> = {
      'GET /v1/status': (_, response) => sendJson(response, options.status()),
      'GET /v1/catalog': (_, response) => sendJson(response, catalogToJson(options.catalog())),
      'GET /v1/events': (_, response) => this.#events(response),
      'POST /v1/ask': (request, response) => void this.#ask(request, response),
      'GET /metrics': (_, response) => void sendMetrics(options.registry, response),
    }
    this.#server = createServer({ requestTimeout: 10_000 }, (request, response) => {
      const path = (request.url ?? '').split('?')[0]
      const handler = routes[`${request.method} ${path}`]
      if (handler) handler(request, response)
      else sendJson(response, { message: `no such thing: ${request.method} ${path}` }, 404)
    })
    this.#server.on('upgrade', (request, connection) => void this.#upgrade(request, connection))
  }

  async start(): Promise<void> {
    const { socket } = this.#options
    await mkdir(dirname(socket), { recursive: true })
    await rm(socket, { force: true })
    // Nobody else may connect in the moment before the mode is set.
    const mask = process.umask(0o177)
    try {
      this.#server.listen(socket)
      await once(this.#server, 'listening')
    } finally {
      process.umask(mask)
    }
    await chmod(socket, 0o600)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    for (const connection of this.#upgraded) connection.destroy()
    await closed
  }

  async #ask(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = Buffer.concat(await request.toArray()).toString()
      const { host, question } = fromJson(body, asked, 'question')
      sendJson(response, { value: await this.#options.ask(host, question) })
    } catch (error) {
      const { code, hint } =
        error instanceof MusterError ? error : { code: 'AGENT_REFUSED', hint: undefined }
      sendJson(response, { error: { code, message: messageOf(error), hint: hint ?? null } })
    }
  }

  #events(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
    response.flushHeaders()
    let last = this.#options.catalog()
    const stop = this.#options.subscribe((catalog) => {
      const time = new Date().toISOString()
      for (const event of eventsBetween(last, catalog)) {
        response.write(`${JSON.stringify({ time, ...event } satisfies EventLine)}\n`)
      }
      last = catalog
      if (response.writableLength > EVENTS_BACKLOG_BYTES) response.destroy()
    })
    response.once('close', stop)
  }

  async #upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    connection.on('error', () => connection.destroy())
    if (request.method !== 'POST' || request.url !== '/v1/exec') {
      connection.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      return
    }
    this.#upgraded.add(connection)
    connection.once('close', () => this.#upgraded.delete(connection))
    connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: muster-exec\r\n\r\n',
    )
    try {
      await this.#options.exec(connection, await readExecRequest(connection))
    } catch (error) {
      if (!connection.destroyed) refuseExec(connection, error)
    }
  }
}

const sendJson = (response: ServerResponse, value: object, status = 200): void => {
  const body = JSON.stringify(value)
  response
    .writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    })
    .end(body)
}
