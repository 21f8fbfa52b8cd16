import { readFileSync } from 'node:fs'
import { type Clock, LABEL, type Listener, parseListeners, pause } from '../base/index.ts'
import type { ContainerInspectResponse } from '../engine/index.ts'

export interface ListenGateOptions {
  clock: Clock
  /** Milliseconds since 1970, as the engine writes when a container started. */
  wallClock: () => number
  /** A container listens now, or need not be waited for any longer. */
  onDone: (container: string) => void
  /** Default: reads the kernel's tables of the process's network namespace. */
  listeners?: (pid: number) => Listener[]
}

/** What is known of a container that has started. */
export interface Listening {
  /** Ports that its image or its file says it has, TCP or UDP. */
  exposed: readonly number[]
  listeners: readonly Listener[]
  /** Milliseconds since it started. */
  age: number
}

/** Software that listens nowhere is ready when it runs: it is not waited for longer than this. */
const SILENT_MS = 2_000
/**
 * Software that exposes a port and does not open it: a worker, of an image that is also a server's. It
 * is not to be waited for without end, by `muster up` either.
 */
const LATE_MS = 10_000

/**
 * Whether a container that has no health check would answer. It runs some time before it listens, and
 * whoever connects through a virtual IP, where nothing is tried twice, would be refused. An exposed port
 * counts; so does, after a while, any other, because images expose what their settings have moved.
 */
export const wouldAnswer = ({ exposed, listeners, age }: Listening): boolean => {
  if (age >= LATE_MS) return true
  const reachable = listeners.filter(({ loopback }) => !loopback)
  if (reachable.some(({ port }) => exposed.length === 0 || exposed.includes(port))) return true
  return age >= SILENT_MS && (exposed.length === 0 || reachable.length > 0)
}

/** Time until it is looked at again: soon while it is young, and cheap for what takes long. */
const nextLook = (age: number): number => (age < 1000 ? 20 : age < 5000 ? 50 : 250)

/** Keeps containers from getting traffic until they listen. */
export class ListenGate implements Disposable {
  readonly #options: ListenGateOptions
  readonly #waiting = new Map<string, AbortController>()

  constructor(options: ListenGateOptions) {
    this.#options = options
  }

  /** Whether a container does not listen yet. Begins to watch it if nobody has. */
  pending(inspected: ContainerInspectResponse): boolean {
    const { Id: id = '', State: state } = inspected
    // A health check knows better than a look from outside, and so does a member's recipe.
    const checked =
      (state?.Health?.Status ?? 'none') !== 'none' ||
      inspected.Config?.Labels?.[LABEL.memberOf] !== undefined
    if (state?.Running !== true || checked) {
      this.forget(id)
      return false
    }
    const start = Date.parse(state.StartedAt ?? '')
    const look = (): { age: number; done: boolean } => {
      const age = Math.max(0, this.#options.wallClock() - start)
      const listeners = this.#listeners(state.Pid ?? 0)
      return { age, done: wouldAnswer({ exposed: exposedPorts(inspected), listeners, age }) }
    }
    if (Number.isNaN(start) || look().done) {
      this.forget(id)
      return false
    }
    if (!this.#waiting.has(id)) {
      const life = new AbortController()
      this.#waiting.set(id, life)
      void this.#watch(id, look, life.signal)
    }
    return true
  }

  /** The container has ended. */
  forget(id: string): void {
    this.#waiting.get(id)?.abort()
    this.#waiting.delete(id)
  }

  [Symbol.dispose](): void {
    for (const id of this.#waiting.keys()) this.forget(id)
  }

  async #watch(
    id: string,
    look: () => { age: number; done: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    let { age, done } = look()
    while (!done) {
      await pause(this.#options.clock, nextLook(age), signal)
      if (signal.aborted) return
      ;({ age, done } = look())
    }
    this.#waiting.delete(id)
    this.#options.onDone(id)
  }

  #listeners(pid: number): Listener[] {
    return (this.#options.listeners ?? listenersOf)(pid)
  }
}

/** `80/tcp`, `53/udp` as numbers. */
const exposedPorts = ({ Config: config }: ContainerInspectResponse): number[] =>
  Object.keys(config?.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10))

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6']

/** None for a process that has ended: its end is another's to notice. */
const listenersOf = (pid: number): Listener[] =>
  TABLES.flatMap((table) => {
    try {
      return parseListeners(readFileSync(`/proc/${pid}/net/${table}`, 'latin1'))
    } catch {
      // Without IPv6 there is no table; without the process there is none at all.
      return []
    }
  })
