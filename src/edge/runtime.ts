import { connect, type Socket } from 'node:net'
import { MusterError, messageOf } from '../base/index.ts'
import { serverAddress } from './haproxy-config.ts'
import type { AdminState, LiveServer, RuntimeStep } from './reconcile.ts'

const PROMPT = '\n> '

interface Pending {
  resolve: (answer: string) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/**
 * One connection to the admin socket of a running HAProxy, in prompt mode, so that commands can follow
 * each other without waiting and every answer has an end. It belongs to one worker process: after a
 * reload the new worker is reached by a new connection.
 */
export class AdminConnection implements AsyncDisposable {
  readonly #socket: Socket
  readonly #pending: Pending[] = []
  readonly #timeoutMs: number
  readonly #path: string
  #received = ''
  #failure: Error | null = null
  readonly closed: Promise<void>

  private constructor(socket: Socket, path: string, timeoutMs: number) {
    this.#socket = socket
    this.#path = path
    this.#timeoutMs = timeoutMs
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', (error) => this.#fail(error))
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#fail(new Error('HAProxy closed the connection'))
        resolve()
      })
    })
  }

  /** Rejects with TIMEOUT or AGENT_UNREACHABLE. */
  static async open(path: string, timeoutMs = 2000): Promise<AdminConnection> {
    const socket = connect(path)
    const admin = new AdminConnection(socket, path, timeoutMs)
    try {
      await admin.command('prompt')
    } catch (error) {
      socket.destroy()
      throw error
    }
    return admin
  }

  /** The answer of one command, without its end. HAProxy reports failures in this text only. */
  command(text: string): Promise<string> {
    if (/[\r\n;]/.test(text)) throw new Error(`not one command: ${JSON.stringify(text)}`)
    if (this.#failure !== null) return Promise.reject(this.#error(this.#failure))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(
          new MusterError('TIMEOUT', `HAProxy did not answer "${text}" in ${this.#timeoutMs} ms`),
        )
        this.#socket.destroy()
      }, this.#timeoutMs)
      this.#pending.push({ resolve, reject, timer })
      this.#socket.write(`${text}\n`)
    })
  }

  get open(): boolean {
    return this.#failure === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
    await this.closed
  }

  #receive(text: string): void {
    this.#received += text
    for (;;) {
      const end = this.#received.indexOf(PROMPT)
      if (end < 0) return
      const answer = this.#received.slice(0, end)
      this.#received = this.#received.slice(end + PROMPT.length)
      const pending = this.#pending.shift()
      if (pending === undefined) continue
      clearTimeout(pending.timer)
      pending.resolve(answer.trim())
    }
  }

  #fail(cause: Error): void {
    this.#failure ??= cause
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer)
      pending.reject(this.#error(this.#failure))
    }
  }

  #error(cause: Error): MusterError {
    return cause instanceof MusterError
      ? cause
      : new MusterError('AGENT_UNREACHABLE', `the edge at ${this.#path}: ${messageOf(cause)}`, {
          cause,
        })
  }
}

/** The worker process behind a connection. */
export interface WorkerInfo {
  pid: number
  /** Of the configuration it was started with; '' when that was not made by renderHaproxyConfig. */
  revision: string
}

/** Reads `show info`. Throws on anything else. */
export const parseInfo = (text: string): WorkerInfo => {
  const pid = /^Pid: (\d+)$/m.exec(text)?.[1]
  if (pid === undefined) throw new Error(`not an answer to "show info": ${text.slice(0, 200)}`)
  return { pid: Number(pid), revision: /^description: (.*)$/m.exec(text)?.[1]?.trim() ?? '' }
}

const FORCED_MAINT = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
const FORCED_DRAIN = 0x08 | 0x10

/** Reads `show servers state` (format version 1). */
export const parseServers = (text: string): Map<string, Map<string, LiveServer>> => {
  const lines = text.split('\n')
  const head = lines.findIndex((line) => line.startsWith('# '))
  const columns = lines[head]?.slice(2).split(' ') ?? []
  const column = (name: string): number => {
    const index = columns.indexOf(name)
    if (index < 0) throw new Error(`"show servers state" has no column ${name}`)
    return index
  }
  const [backend, name, address, admin, port] = [
    column('be_name'),
    column('srv_name'),
    column('srv_addr'),
    column('srv_admin_state'),
    column('srv_port'),
  ]
  const servers = new Map<string, Map<string, LiveServer>>()
  for (const line of lines.slice(head + 1)) {
    const fields = line.split(' ')
    const be = fields[backend]
    const srv = fields[name]
    if (be === undefined || srv === undefined || line === '') continue
    const known = servers.get(be) ?? new Map<string, LiveServer>()
    servers.set(be, known)
    known.set(srv, {
      address: fields[address] ?? '',
      port: Number(fields[port]),
      state: adminState(Number(fields[admin])),
    })
  }
  return servers
}

const adminState = (flags: number): AdminState =>
  (flags & FORCED_MAINT) !== 0 ? 'maint' : (flags & FORCED_DRAIN) !== 0 ? 'drain' : 'ready'

/** Open sessions of each server, by `backend/server`, from `show stat -1 4 -1`. */
export const parseSessions = (text: string): Map<string, number> => {
  const sessions = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    const [backend, server, , , current] = line.split(',')
    if (backend && server) sessions.set(`${backend}/${server}`, Number(current))
  }
  return sessions
}

/** Ports of the frontends and names of the backends, from `show stat -1 3 -1`. */
export const parseProxies = (text: string): { ports: Set<number>; backends: string[] } => {
  const ports = new Set<number>()
  const backends: string[] = []
  for (const line of text.split('\n')) {
    const [name, kind] = line.split(',')
    if (name === undefined) continue
    const port = /^port-(\d+)(?:-[\d.]+)?$/.exec(name)?.[1]
    if (kind === 'FRONTEND' && port !== undefined) ports.add(Number(port))
    if (kind === 'BACKEND') backends.push(name)
  }
  return { ports, backends }
}

/** The commands of one step, in order. `options` are those of serverOptions for an `add`. */
export const commandsOf = (step: RuntimeStep, options: string): string[] => {
  const { verb, backend } = step
  if (verb === 'add') {
    const id = `${backend}/${step.server.name}`
    return [
      `add server ${id} ${serverAddress(step.server)} ${options}`,
      `enable server ${id}`,
      `enable health ${id}`,
    ]
  }
  if (verb === 'move') {
    const { name, address, port } = step.server
    return [`set server ${backend}/${name} addr ${address} port ${port}`]
  }
  const id = `${backend}/${step.name}`
  if (verb === 'shutdown') return [`shutdown sessions server ${id}`]
  if (verb === 'delete') return [`del server ${id}`]
  return [`set server ${id} state ${verb}`]
}

/** What HAProxy says when a command worked, beside nothing at all. */
const SUCCESS = [
  /^New server registered\.$/,
  /^Server deleted\.$/,
  // `set server ... addr`: a sentence for each of what changed and what did not.
  /^(no need to change|IP changed from|port changed from|nothing changed)/,
]

/** What was wrong, null for success. Failures have no status, so what is not known counts as one. */
export const failureOf = (answer: string): string | null => {
  const text = answer.trim()
  return text === '' || SUCCESS.some((known) => known.test(text)) ? null : text
}

/** A server that still has connections: not an error, the deletion is tried again later. */
export const isBusy = (failure: string): boolean =>
  /still has connections|attached to it/i.test(failure)
