import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { dirname } from 'node:path'
import { MusterError } from '../base/index.ts'
import { type Operation, refusalText } from './driver.ts'

export interface PluginServerOptions {
  /** Path of the socket where Docker looks for the plugin. */
  socket: string
  operations: Record<string, Operation>
  onError: (failure: { operation: string; volume: string; error: unknown }) => void
}

const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.1+json'
const MAX_BODY_BYTES = 2 ** 20
/** Docker gives a plugin two minutes; the gate ends well before. */
const LIMITS_MS: Record<string, number> = { '/VolumeDriver.Mount': 115_000 }
const LIMIT_MS = 10_000

/** Serves a Docker plugin on a unix socket. Docker connects anew whenever it likes. */
export class PluginServer implements AsyncDisposable {
  readonly #options: PluginServerOptions
  readonly #server: Server

  constructor(options: PluginServerOptions) {
    this.#options = options
    // A connection that we close is one that Docker may be about to use: it then asks again, but
    // without saying what.
    this.#server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
      void this.#serve(request, response)
    })
  }

  async start(): Promise<void> {
    const { socket } = this.#options
    await mkdir(dirname(socket), { recursive: true })
    await rm(socket, { force: true })
    // Root only, from its first moment.
    const mask = process.umask(0o177)
    try {
      this.#server.listen(socket)
      await once(this.#server, 'listening')
    } finally {
      process.umask(mask)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const away = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) away.abort(new Error('Docker does not wait any more'))
    })
    let volume = ''
    let answer: object
    try {
      const operation = this.#options.operations[path]
      if (!operation) throw new MusterError('USAGE', `the volume driver muster has no ${path}.`)
      const body = await readBody(request)
      if (typeof body['Name'] === 'string') volume = body['Name']
      const limit = AbortSignal.timeout(LIMITS_MS[path] ?? LIMIT_MS)
      const signal = AbortSignal.any([away.signal, limit])
      answer = { ...(await before(operation(body, signal), signal)), Err: '' }
    } catch (error) {
      this.#options.onError({ operation: path, volume, error })
      answer = { Err: refusalText(error) }
    }
    if (response.destroyed) return
    response.writeHead(200, { 'Content-Type': CONTENT_TYPE }).end(JSON.stringify(answer))
  }
}

/** What is done, unless the signal comes first: its reason then. */
const before = async <T>(done: Promise<T>, signal: AbortSignal): Promise<T> => {
  const listening = new AbortController()
  const aborted = once(signal, 'abort', { signal: listening.signal }).then(() => {
    throw signal.reason
  })
  // Whichever loses the race has nobody who waits for it.
  aborted.catch(() => undefined)
  done.catch(() => undefined)
  try {
    return await Promise.race([done, aborted])
  } finally {
    listening.abort()
  }
}

const readBody = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    text += chunk as string
    if (text.length > MAX_BODY_BYTES) throw new MusterError('USAGE', 'the request is too long.')
  }
  const value: unknown = text.trim() === '' ? {} : JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MusterError('USAGE', 'the request is no object.')
  }
  return value as Record<string, unknown>
}
