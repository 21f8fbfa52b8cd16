import { applyStep, type LiveServer, type RuntimeStep } from './reconcile.ts'
import {
  AdminConnection,
  commandsOf,
  failureOf,
  isBusy,
  parseInfo,
  parseProxies,
  parseServers,
  parseSessions,
  type WorkerInfo,
} from './runtime.ts'

/** A command that HAProxy refused. */
export interface CommandFailure {
  command: string
  answer: string
}

/** Commands that are sent before their answers are waited for. */
const BATCH = 64

/** One running HAProxy worker: what it has, as far as this side knows, and a way to change it. */
export class EdgeWorker implements AsyncDisposable {
  readonly #admin: AdminConnection
  readonly #backends: readonly string[]
  /** Its process, and the revision of the configuration it was started with. */
  readonly info: WorkerInfo
  /** Ports that it listens on. */
  readonly ports: ReadonlySet<number>
  #servers = new Map<string, Map<string, LiveServer>>()

  private constructor(options: {
    admin: AdminConnection
    info: WorkerInfo
    ports: ReadonlySet<number>
    backends: readonly string[]
  }) {
    this.#admin = options.admin
    this.#backends = options.backends
    this.info = options.info
    this.ports = options.ports
  }

  /** Rejects with AGENT_UNREACHABLE or TIMEOUT when no HAProxy answers there. */
  static async connect(socket: string): Promise<EdgeWorker> {
    const admin = await AdminConnection.open(socket)
    try {
      const [info, proxies] = await Promise.all([
        admin.command('show info'),
        admin.command('show stat -1 3 -1'),
      ])
      const worker = new EdgeWorker({ admin, info: parseInfo(info), ...parseProxies(proxies) })
      await worker.refresh()
      return worker
    } catch (error) {
      await admin[Symbol.asyncDispose]()
      throw error
    }
  }

  get servers(): ReadonlyMap<string, ReadonlyMap<string, LiveServer>> {
    return this.#servers
  }

  /** Resolves when the worker ends, or stops answering. */
  get closed(): Promise<void> {
    return this.#admin.closed
  }

  get open(): boolean {
    return this.#admin.open
  }

  /** Does the steps in order; says which commands were refused. `options` are those of an `add`. */
  async run(
    steps: readonly RuntimeStep[],
    options: (backend: string) => string,
  ): Promise<CommandFailure[]> {
    const failures: CommandFailure[] = []
    for (let start = 0; start < steps.length; start += BATCH) {
      const batch = steps.slice(start, start + BATCH)
      const results = await Promise.all(
        batch.map((step) => this.#try(commandsOf(step, options(step.backend)))),
      )
      for (const [index, step] of batch.entries()) {
        const failure = results[index] ?? null
        if (failure === null) applyStep(this.#servers, step)
        else if (step.verb !== 'delete' || !isBusy(failure.answer)) failures.push(failure)
      }
    }
    // Part of a step may have worked: from now on HAProxy's own word counts.
    if (failures.length > 0) await this.refresh()
    return failures
  }

  async #try(commands: string[]): Promise<CommandFailure | null> {
    const answers = await Promise.all(commands.map((command) => this.#admin.command(command)))
    for (const [index, command] of commands.entries()) {
      const answer = failureOf(answers[index] ?? '')
      if (answer !== null) return { command, answer }
    }
    return null
  }

  /** Reads the servers anew. */
  async refresh(): Promise<void> {
    const servers = parseServers(await this.#admin.command('show servers state'))
    // Backends without servers are not in that list.
    for (const backend of this.#backends) {
      if (!servers.has(backend)) servers.set(backend, new Map())
    }
    this.#servers = servers
  }

  /** Open sessions by `backend/server`. */
  async sessions(): Promise<Map<string, number>> {
    return parseSessions(await this.#admin.command('show stat -1 4 -1'))
  }

  /** Rejects, and ends the connection, when the worker does not answer. */
  async ping(): Promise<void> {
    await this.#admin.command('show info')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin[Symbol.asyncDispose]()
  }
}
