import { MusterError, type Clock } from '../base/index.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'
import { EdgeWorker } from './worker.ts'

export interface WorkerLinkOptions {
  /** Path of the admin socket. */
  socket: string
  clock: Clock
  onConnected: (worker: EdgeWorker) => void
  /** The worker has ended or stopped answering. */
  onLost: (error?: unknown) => void
}

/** The connection to whichever HAProxy worker serves now. */
export class WorkerLink implements AsyncDisposable {
  readonly #options: WorkerLinkOptions
  #worker: EdgeWorker | null = null
  #askedAt = 0
  #unsureUntil = 0
  /** Since when no worker answers; of no meaning while one does. */
  unreachableSince: number

  constructor(options: WorkerLinkOptions) {
    this.#options = options
    this.unreachableSince = options.clock.now()
  }

  get worker(): EdgeWorker | null {
    return this.#worker
  }

  /** A reload has not shown in time: its worker may still come, and this one goes on beside it. */
  get unsure(): boolean {
    return this.#options.clock.now() < this.#unsureUntil
  }

  /** The worker that answers, null when none does. Asks it now and then whether it still does. */
  async connected(): Promise<EdgeWorker | null> {
    const now = this.#options.clock.now()
    if (this.#worker !== null && now - this.#askedAt >= T.ping) {
      this.#askedAt = now
      await this.#worker.ping().catch((error: unknown) => this.#lose(error))
    }
    if (this.#worker !== null && this.unsure) await this.#meetSuccessor(this.#worker)
    if (this.#worker !== null) return this.#worker
    const worker = await this.#connect()
    if (worker !== null) this.#adopt(worker)
    return worker
  }

  /**
   * Goes over to the worker that a reload has started; null when none comes. HAProxy says nothing when
   * it has loaded a file, but its new worker knows the file's revision. It is told again (`reload`)
   * while none comes.
   */
  async follow(revision: string, reload: () => Promise<void>): Promise<EdgeWorker | null> {
    const { clock } = this.#options
    const limit = clock.now() + T.reloadLimit
    let repeatAt = clock.now() + T.reloadRepeat
    while (clock.now() < limit) {
      const worker = await this.#connect()
      if (worker?.info.revision === revision) {
        await this[Symbol.asyncDispose]()
        this.#adopt(worker)
        return worker
      }
      await worker?.[Symbol.asyncDispose]()
      if (clock.now() >= repeatAt) {
        await reload()
        repeatAt = clock.now() + T.reloadRepeat
      }
      await clock.sleep(T.reloadPoll)
    }
    this.#unsureUntil = clock.now() + T.lateWorkerLimit
    return null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    await worker?.[Symbol.asyncDispose]()
  }

  /** Goes over to a worker that listens on the socket instead of this one. */
  async #meetSuccessor(worker: EdgeWorker): Promise<void> {
    const other = await this.#connect()
    if (other === null || other.info.pid === worker.info.pid) {
      await other?.[Symbol.asyncDispose]()
      return
    }
    await this[Symbol.asyncDispose]()
    this.#adopt(other)
  }

  async #connect(): Promise<EdgeWorker | null> {
    try {
      return await EdgeWorker.connect(this.#options.socket)
    } catch (error) {
      if (error instanceof MusterError) return null
      throw error
    }
  }

  #adopt(worker: EdgeWorker): void {
    this.#worker = worker
    this.#unsureUntil = 0
    this.#askedAt = this.#options.clock.now()
    this.#options.onConnected(worker)
    void worker.closed.then(() => {
      if (this.#worker === worker) this.#lose()
    })
  }

  #lose(error?: unknown): void {
    this.#worker = null
    this.unreachableSince = this.#options.clock.now()
    this.#options.onLost(error)
  }
}
