/** Requests to one engine: time limits, the API version, errors that a person can read. */
import { IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import Modem from 'docker-modem'
import modemHttp from 'docker-modem/lib/http.js'
import { messageOf, MusterError } from '../base/index.ts'
import { addressText, type EngineAddress } from './address.ts'
import { EngineAgent } from './agent.ts'
import { API_MAX, compareVersions, negotiate } from './api-version.ts'
import { clusterSilent, isSwarmPath, refusal, tooSlow, unreachable } from './failure.ts'

type Query = Record<string, string | number | boolean | object | undefined>

export interface Call {
  method: 'GET' | 'POST' | 'DELETE' | 'PUT'
  /** Without the version: `/services/create`. */
  path: string
  /** Reads well after "Cannot": `create service web`. */
  doing: string
  /** Values that are undefined are left out, objects are sent as JSON. */
  query?: Query
  body?: object
  headers?: OutgoingHttpHeaders
  /** Time allowed until the answer is complete (for a stream: until it begins). */
  limitMs?: number
  /** Ends a stream. */
  signal?: AbortSignal
}

/** Whether an engine that did not answer a cluster call in time is alive is asked for this long. */
const PING_LIMIT_MS = 2_000

// docker-modem must hand over every answer as it is: when an answer breaks off half-way, its own
// reading of bodies never calls back.
const EVERY_STATUS = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [100 + index, true]),
)

// The engine answers an odd path with a redirect, and following one throws where nobody can catch
// it. At the limit docker-modem reports an ordinary error instead.
modemHttp.maxRedirects = 0

/** The query as docker-modem takes it; undefined values would be sent as empty ones. */
const present = (query: Query): Query =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))

/**
 * Sets every field that docker-modem would otherwise take from the environment. The agent connects;
 * a socket path only keeps docker-modem from building a URL.
 */
const makeModem = (agent: EngineAgent): Modem => {
  const nothing = undefined
  const tls = { ca: nothing, cert: nothing, key: nothing }
  const where = { socketPath: 'agent', host: nothing, port: nothing, timeout: nothing }
  try {
    return new Modem({ agent, protocol: 'http', ...where, ...tls })
  } catch (cause) {
    // It reads the environment all the same, and stumbles over what it does not like.
    throw new MusterError('USAGE', `The engine's address is no good: ${messageOf(cause)}`, {
      hint: 'Look at DOCKER_HOST and DOCKER_CERT_PATH.',
      cause,
    })
  }
}

export class Transport implements Disposable {
  readonly address: string
  readonly #agent: EngineAgent
  readonly #modem: Modem
  readonly #limitMs: number
  #version: string | undefined

  constructor(address: EngineAddress, limitMs: number) {
    this.address = addressText(address)
    this.#limitMs = limitMs
    this.#agent = new EngineAgent(address)
    this.#modem = makeModem(this.#agent)
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** The whole answer as text. */
  async text(call: Call): Promise<string> {
    return await this.#limited(call, async (signal) => {
      const answer = await this.#send(call, signal)
      return await this.#read(answer as IncomingMessage, call)
    })
  }

  /** The whole answer as JSON; undefined if it is empty. */
  async json(call: Call): Promise<unknown> {
    const text = await this.text(call)
    if (text === '') return undefined
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new MusterError('ENGINE_REFUSED', `Cannot ${call.doing}: the answer is not JSON`, {
        cause,
      })
    }
  }

  /** An answer whose body goes on; ended by `call.signal`. Reading it may throw: see `broken`. */
  async stream(call: Call): Promise<IncomingMessage> {
    return (await this.#begin(call)) as IncomingMessage
  }

  /** A connection that stops being HTTP: both sides write as they like. */
  async hijack(call: Call): Promise<Duplex> {
    const connection = await this.#begin(call, true)
    if (!(connection instanceof IncomingMessage)) return connection
    connection.destroy()
    const why = 'the engine (or a proxy before it) did not open a connection'
    throw new MusterError('ENGINE_REFUSED', `Cannot ${call.doing}: ${why}`)
  }

  /** The engine's clock, in whole seconds since 1970; undefined if it does not tell. */
  async engineTime(signal: AbortSignal): Promise<number | undefined> {
    const call: Call = { method: 'GET', path: '/_ping', doing: 'ping', signal }
    const answer = await this.stream(call)
    const time = Date.parse(answer.headers.date ?? '')
    await this.#read(answer, call)
    return Number.isNaN(time) ? undefined : Math.floor(time / 1000)
  }

  /** The parts of a stream; throws TIMEOUT when the next one does not come in time. */
  async *withIdleLimit(stream: IncomingMessage, doing: string): AsyncGenerator<Buffer> {
    let late = false
    const expire = () => {
      late = true
      stream.destroy(new Error('time is up'))
    }
    let timer = setTimeout(expire, this.#limitMs)
    try {
      for await (const chunk of stream) {
        clearTimeout(timer)
        yield chunk as Buffer
        timer = setTimeout(expire, this.#limitMs)
      }
    } catch (error) {
      throw late ? tooSlow(doing, this.#limitMs, this.address) : error
    } finally {
      clearTimeout(timer)
    }
  }

  /** The error for a call whose whole answer took longer than `limitMs`. */
  tooSlow(doing: string, limitMs: number): MusterError {
    return tooSlow(doing, limitMs, this.address)
  }

  /** What it means when a connection cannot be made or breaks off. */
  broken(cause: unknown, doing: string): MusterError {
    if (cause instanceof MusterError) return cause
    this.#version = undefined
    return unreachable(cause, this.address, doing)
  }

  async #begin(call: Call, hijack = false): Promise<IncomingMessage | Duplex> {
    const ended = call.signal ?? new AbortController().signal
    return await this.#limited(call, async (limit) => {
      const life = new AbortController()
      const end = () => life.abort()
      limit.addEventListener('abort', end)
      ended.addEventListener('abort', end, { once: true })
      if (ended.aborted) end()
      try {
        const answer = await this.#send(call, life.signal, hijack)
        answer.once('close', () => ended.removeEventListener('abort', end))
        return answer
      } catch (error) {
        ended.removeEventListener('abort', end)
        throw error
      } finally {
        limit.removeEventListener('abort', end)
      }
    })
  }

  /** Runs one call against its time limit. */
  async #limited<T>(call: Call, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limitMs = call.limitMs ?? this.#limitMs
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), limitMs)
    try {
      return await run(limit.signal)
    } catch (error) {
      if (!limit.signal.aborted) throw error
      // swarmkit waits 20 s for a leader before it says that there is none: longer than our limit.
      if (isSwarmPath(call.path) && (await this.#answers()))
        throw clusterSilent(call.doing, limitMs)
      throw tooSlow(call.doing, limitMs, this.address)
    } finally {
      clearTimeout(timer)
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.text({ method: 'GET', path: '/_ping', doing: 'ping', limitMs: PING_LIMIT_MS })
      return true
    } catch {
      return false
    }
  }

  /** Sends a call, at the version that both sides know; an answer with an error status throws. */
  async #send(call: Call, signal: AbortSignal, hijack = false): Promise<IncomingMessage | Duplex> {
    const version = (this.#version ??= await this.#negotiate(call.doing, signal))
    const answer = await this.#dial({ ...call, path: `/v${version}${call.path}` }, signal, hijack)
    if (answer instanceof IncomingMessage && (answer.statusCode ?? 0) >= 400) {
      const body = await this.#read(answer, call)
      throw refusal({ status: answer.statusCode ?? 0, body, path: call.path, doing: call.doing })
    }
    return answer
  }

  async #negotiate(doing: string, signal: AbortSignal): Promise<string> {
    const ping: Call = { method: 'GET', path: '/_ping', doing }
    const pong = (await this.#dial(ping, signal, false)) as IncomingMessage
    await this.#read(pong, ping)
    const api = String(pong.headers['api-version'] ?? '')
    if (compareVersions(api, API_MAX) <= 0) return negotiate({ api, minApi: api })
    // Only /version says what a newer engine still answers, and it is slow: it runs other programs.
    const ask: Call = { method: 'GET', path: '/version', doing }
    const answer = (await this.#dial(ask, signal, false)) as IncomingMessage
    const { MinAPIVersion } = JSON.parse(await this.#read(answer, ask)) as {
      MinAPIVersion?: string
    }
    return negotiate({ api, minApi: MinAPIVersion ?? API_MAX })
  }

  async #dial(call: Call, signal: AbortSignal, hijack: boolean) {
    if (call.path.includes('//')) {
      throw new MusterError('NOT_FOUND', `Cannot ${call.doing}: the name is empty`)
    }
    const query = present(call.query ?? {})
    try {
      return await new Promise<IncomingMessage | Duplex>((resolve, reject) => {
        this.#modem.dial(
          {
            // The question mark asks docker-modem to write the query.
            path: Object.keys(query).length > 0 ? `${call.path}?` : call.path,
            method: call.method,
            options: { _query: query, _body: call.body ?? {} },
            headers: { ...call.headers },
            isStream: true,
            hijack,
            statusCodes: EVERY_STATUS,
            abortSignal: signal,
          },
          (error, answer) => {
            if (error) reject(error)
            else resolve(answer as IncomingMessage | Duplex)
          },
        )
      })
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('Max redirects')) {
        throw new MusterError('ENGINE_REFUSED', `Cannot ${call.doing}: the name is not a valid one`)
      }
      throw this.broken(error, call.doing)
    }
  }

  async #read(answer: IncomingMessage, call: Call): Promise<string> {
    try {
      answer.setEncoding('utf8')
      let text = ''
      for await (const chunk of answer) text += chunk as string
      return text
    } catch (error) {
      throw this.broken(error, call.doing)
    }
  }
}
