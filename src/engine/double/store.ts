import type { Kind, Meta, Tables, TaskRecord } from './records.ts'

/** One committed change. A removal carries the last value as both. */
export type Change = {
  [K in Kind]: {
    kind: K
    action: 'create' | 'update' | 'remove'
    before: Tables[K]
    after: Tables[K]
  }
}[Kind]

type Fields<K extends Kind> = Omit<Tables[K], keyof Meta>

/** Thrown when a write names a version that is no longer the current one. */
export class OutOfSequence extends Error {}

/**
 * The cluster's state: what Raft replicates. Every object has a version that each write changes;
 * a write that names an older one is refused. Listeners hear of each change as it is made.
 */
export class Store {
  readonly #tables: { [K in Kind]: Map<string, Tables[K]> } = {
    service: new Map(),
    task: new Map(),
    node: new Map(),
    network: new Map(),
    config: new Map(),
    secret: new Map(),
    cluster: new Map(),
  }
  readonly #tasksOfService = new Map<string, Set<string>>()
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #wallClock: () => number
  #index = 10

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock
  }

  all<K extends Kind>(kind: K): Tables[K][] {
    return [...this.#tables[kind].values()]
  }

  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    return this.#tables[kind].get(id)
  }

  tasksOf(serviceId: string): TaskRecord[] {
    return [...(this.#tasksOfService.get(serviceId) ?? [])].map((id) => this.#must('task', id))
  }

  create<K extends Kind>(kind: K, id: string, fields: Fields<K>): Tables[K] {
    const at = this.#wallClock()
    const record = { ...fields, id, version: ++this.#index, createdAt: at, updatedAt: at }
    return this.#commit(kind, 'create', record as Tables[K])
  }

  /**
   * Replaces some fields. With `version`, only if the object still has that one.
   * @throws OutOfSequence
   */
  update<K extends Kind>(
    kind: K,
    id: string,
    { version, ...fields }: Partial<Fields<K>> & { version?: number },
  ): Tables[K] {
    const before = this.#must(kind, id)
    if (version !== undefined && version !== before.version) throw new OutOfSequence()
    const meta = { version: ++this.#index, updatedAt: this.#wallClock() }
    return this.#commit(kind, 'update', { ...before, ...fields, ...meta })
  }

  remove(kind: Kind, id: string): void {
    this.#commit(kind, 'remove', this.#must(kind, id))
  }

  /** Returns the function that ends it. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits until a condition on the store holds; rejects when the signal is aborted. */
  async when(condition: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        unsubscribe()
        signal.removeEventListener('abort', stop)
      }
      const unsubscribe = this.subscribe(() => {
        if (!condition()) return
        end()
        resolve()
      })
      const stop = () => {
        end()
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  #must<K extends Kind>(kind: K, id: string): Tables[K] {
    const record = this.#tables[kind].get(id)
    if (record === undefined) throw new Error(`no ${kind} ${id} in the store`)
    return record
  }

  #commit<K extends Kind>(kind: K, action: Change['action'], after: Tables[K]): Tables[K] {
    const table: Map<string, Tables[K]> = this.#tables[kind]
    const before = table.get(after.id) ?? after
    if (action === 'remove') table.delete(after.id)
    else table.set(after.id, after)
    if (kind === 'task') this.#indexTask(action, after as TaskRecord)
    const change = { kind, action, before, after } as unknown as Change
    for (const listener of this.#listeners) listener(change)
    return after
  }

  #indexTask(action: Change['action'], { id, serviceId }: TaskRecord): void {
    const ids = this.#tasksOfService.get(serviceId) ?? new Set()
    if (action === 'remove') ids.delete(id)
    else ids.add(id)
    if (ids.size > 0) this.#tasksOfService.set(serviceId, ids)
    else this.#tasksOfService.delete(serviceId)
  }
}
