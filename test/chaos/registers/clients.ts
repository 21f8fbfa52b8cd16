/** Clients of a few registers: each reads, writes or swaps one after another, through any host. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientLog } from '../client-log.ts'
import { EtcdClient, Refused } from './etcd-client.ts'
import type { Call, Operation, Value } from './linearizable.ts'

/** What a client did. `no`: it did not happen. */
export interface Attempt extends Call {
  register: number
  outcome: 'ok' | 'no' | 'unknown' | 'read'
}

export interface RegisterOptions {
  log: ClientLog<Attempt>
  /** Addresses of the hosts, whose published port leads to the service. */
  hosts: readonly string[]
  port: number
  registers: number
  workers: number
  /** From the begin of an operation to that of the worker's next. */
  everyMs: number
}

const TIMEOUT_MS = 4000
/** Operations after which a worker goes through the next host, so that all are in use. */
const OPERATIONS_PER_WAY = 30

export const keyOf = (register: number): string => `register/${register}`

/** All clients together. */
export class RegisterClients {
  readonly #options: RegisterOptions
  #running: AbortController | undefined
  #workers: Promise<unknown> = Promise.resolve()
  #id = 0
  /** What each register was last seen to hold, to be swapped. */
  readonly #seen = new Map<number, Value>()

  constructor(options: RegisterOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#running) return
    const running = new AbortController()
    this.#running = running
    this.#workers = Promise.all(
      Array.from({ length: this.#options.workers }, (_, i) => this.#work(i, running.signal)),
    )
  }

  /** Resolves when every operation that was under way has an outcome. */
  async stop(): Promise<void> {
    this.#running?.abort()
    this.#running = undefined
    await this.#workers
  }

  /** Every register is read once through a host. Throws if that is not possible. */
  async readAll(host: string): Promise<void> {
    using client = this.#client(host)
    for (let register = 0; register < this.#options.registers; register++) {
      await this.#attempt(client, register, { kind: 'read', value: null }, { must: true })
    }
  }

  #client(host: string): EtcdClient {
    return new EtcdClient({ host, port: this.#options.port, timeoutMs: TIMEOUT_MS })
  }

  async #work(worker: number, signal: AbortSignal): Promise<void> {
    const { hosts, everyMs, registers } = this.#options
    for (let way = worker; !signal.aborted; way++) {
      using client = this.#client(hosts[way % hosts.length] ?? '')
      for (let left = OPERATIONS_PER_WAY; left > 0 && !signal.aborted; left--) {
        const start = performance.now()
        const register = Math.floor(Math.random() * registers)
        const worked = await this.#attempt(client, register, this.#next(register))
        const rest = everyMs - (performance.now() - start)
        if (rest > 0) await delay(rest)
        if (!worked) break
      }
    }
  }

  #next(register: number): Operation {
    const chance = Math.random()
    if (chance < 0.4) return { kind: 'read', value: null }
    const value = `v${++this.#id}`
    if (chance < 0.7) return { kind: 'write', value }
    return { kind: 'swap', expected: this.#seen.get(register) ?? null, value }
  }

  /** False if it failed. */
  // oxlint-disable-next-line max-params -- who, where, what, and how
  async #attempt(
    client: EtcdClient,
    register: number,
    planned: Operation,
    { must = false } = {},
  ): Promise<boolean> {
    const { log } = this.#options
    const begin = performance.now()
    try {
      const operation = await perform(client, keyOf(register), planned)
      const end = performance.now()
      const value = valueAfter(operation)
      this.#seen.set(register, value)
      log.add({
        register,
        operation,
        begin,
        end,
        outcome: operation.kind === 'read' ? 'read' : 'ok',
      })
      return true
    } catch (error) {
      const nothing = error instanceof Refused || planned.kind === 'read'
      log.add(
        { register, operation: planned, begin, end: null, outcome: nothing ? 'no' : 'unknown' },
        String(error),
      )
      if (must) throw error
      return false
    }
  }
}

const valueAfter = (operation: Operation): Value =>
  operation.kind === 'swap' && operation.saw !== undefined ? operation.saw : operation.value

const perform = async (
  client: EtcdClient,
  key: string,
  operation: Operation,
): Promise<Operation> => {
  switch (operation.kind) {
    case 'read':
      return { kind: 'read', value: await client.read(key) }
    case 'write':
      await client.write(key, operation.value)
      return operation
    case 'swap':
      return { ...operation, ...(await client.swap(key, operation)) }
  }
}
