/** One container in the double: its life, its health and its log. */
import type { LogLine } from '../engine.ts'
import type { HealthConfig } from '../types.ts'
import type { Behaviour } from './behaviour.ts'
import type { ManualClock } from './manual-clock.ts'

export type Health = 'starting' | 'healthy' | 'unhealthy'

export interface LogEntry extends LogLine {
  /** Milliseconds since 1970. */
  at: number
}

export interface HealthLog {
  at: number
  exitCode: number
  output: string
}

/** An address of a container on a network. */
export interface ContainerAttachment {
  networkId: string
  /** Without the prefix length. */
  address: string
  prefixLength: number
  aliases: string[]
}

export interface ContainerOptions {
  id: string
  name: string
  image: string
  imageId: string
  command: string[]
  env: string[]
  hostname: string
  labels: Record<string, string>
  healthCheck: HealthConfig | undefined
  /** The body that it was created with. */
  body: Record<string, unknown>
}

/** What a container tells its host. */
export interface ContainerEvents {
  died: (container: Container) => void
  health: (container: Container) => void
}

/** Docker's defaults of a health check. */
const INTERVAL_MS = 30_000
const RETRIES = 3
const HEALTH_LOG_LENGTH = 5

const ms = (nanoseconds: number | undefined): number => (nanoseconds ?? 0) / 1e6

/** Whether there is a check at all: `NONE` switches off the image's own. */
const isChecked = (check: HealthConfig | undefined): check is HealthConfig =>
  check?.Test !== undefined && check.Test.length > 0 && check.Test[0] !== 'NONE'

export class Container {
  readonly options: ContainerOptions
  readonly createdAt: number
  readonly attachments = new Map<string, ContainerAttachment>()
  readonly log: LogEntry[] = []
  readonly healthLog: HealthLog[] = []
  readonly #clock: ManualClock
  readonly #events: ContainerEvents
  readonly #watchers = new Set<() => void>()
  #life: AbortController | undefined
  #behaviour: Behaviour = {}
  status: 'created' | 'running' | 'exited' = 'created'
  startedAt: number | undefined
  finishedAt: number | undefined
  exitCode = 0
  pid = 0
  health: Health | undefined
  failingStreak = 0
  /** Set from outside: overrides what the behaviour says of the health. */
  healthOverride: boolean | undefined

  constructor(options: ContainerOptions, clock: ManualClock, events: ContainerEvents) {
    this.options = options
    this.#clock = clock
    this.#events = events
    this.createdAt = clock.wall()
  }

  get id(): string {
    return this.options.id
  }

  get behaviour(): Behaviour {
    return this.#behaviour
  }

  start(behaviour: Behaviour, pid: number): void {
    this.#behaviour = behaviour
    this.#life = new AbortController()
    this.status = 'running'
    this.startedAt = this.#clock.wall()
    this.finishedAt = undefined
    this.exitCode = 0
    this.pid = pid
    for (const line of behaviour.log ?? []) {
      if (typeof line === 'string') this.write('stdout', line)
      else this.write(line.stream, line.text)
    }
    const { exit } = behaviour
    if (exit !== undefined) {
      this.#later(exit.afterMs, () => {
        for (const text of exit.log ?? []) this.write('stderr', text)
        this.die(exit.code)
      })
    }
    if (isChecked(this.options.healthCheck)) this.#checkHealth(this.options.healthCheck)
  }

  /** SIGTERM, then SIGKILL after a grace period. */
  stop(graceMs: number): void {
    if (this.status !== 'running') return
    const { stopMs = 50, stopCode = 0 } = this.#behaviour
    if (stopMs <= graceMs) this.#later(stopMs, () => this.die(stopCode))
    else this.#later(graceMs, () => this.die(137))
  }

  /** It has ended. */
  die(exitCode: number): void {
    if (this.status !== 'running') return
    this.halt(exitCode)
    this.#events.died(this)
  }

  /** It has ended and nobody is told: the power went. */
  halt(exitCode: number): void {
    if (this.status !== 'running') return
    this.#life?.abort()
    this.status = 'exited'
    this.exitCode = exitCode
    this.pid = 0
    this.finishedAt = this.#clock.wall()
    for (const watcher of this.#watchers) watcher()
  }

  write(stream: LogLine['stream'], text: string): void {
    this.log.push({ stream, text, at: this.#clock.wall() })
    for (const watcher of this.#watchers) watcher()
  }

  /** Calls back whenever there is more log, or the container ends. Returns what stops it. */
  watchLog(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #later(afterMs: number, run: () => void): void {
    const { signal } = this.#life as AbortController
    if (!Number.isFinite(afterMs)) return
    const cancel = this.#clock.at(afterMs, run)
    signal.addEventListener('abort', cancel, { once: true })
  }

  #checkHealth(check: HealthConfig): void {
    this.health = 'starting'
    this.failingStreak = 0
    const intervalMs = ms(check.Interval) || INTERVAL_MS
    const probe = () => {
      const runningMs = this.#clock.wall() - (this.startedAt ?? 0)
      const healthy = this.healthOverride ?? this.#behaviour.health?.(runningMs) ?? true
      this.#recordProbe(healthy, check, runningMs)
      this.#later(intervalMs, probe)
    }
    this.#later(intervalMs, probe)
  }

  #recordProbe(healthy: boolean, check: HealthConfig, runningMs: number): void {
    const output = healthy ? '' : 'not healthy'
    this.healthLog.push({ at: this.#clock.wall(), exitCode: healthy ? 0 : 1, output })
    if (this.healthLog.length > HEALTH_LOG_LENGTH) this.healthLog.shift()
    const before = this.health
    if (healthy) {
      this.failingStreak = 0
      this.health = 'healthy'
    } else {
      // A failure while the program may still be starting does not count.
      const starting = this.health === 'starting' && runningMs < ms(check.StartPeriod)
      if (!starting) this.failingStreak += 1
      if (this.failingStreak >= (check.Retries || RETRIES)) this.health = 'unhealthy'
    }
    if (this.health !== before) this.#events.health(this)
  }
}
