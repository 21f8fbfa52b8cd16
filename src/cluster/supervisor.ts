/**
 * What a service manager does, for places without one: keeps programs running, restarts whichever
 * dies, writes their output to files. Used for the agent on servers without systemd, and as the
 * service manager of a lab's hosts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/index.ts'

/** One program to keep running. */
export interface Program {
  /** For messages. */
  name: string
  command: string
  args: readonly string[]
  /** The whole environment; the supervisor's own when left out. */
  env?: Record<string, string>
  /** Takes stdout and stderr, appended; kept below two times 16 MiB. */
  logFile: string
}

/** A run shorter than this counts as a failed start. */
const STEADY_MS = 10_000
const FIRST_DELAY_MS = 200
const LONGEST_DELAY_MS = 5_000
const LOG_LIMIT_BYTES = 16 * 2 ** 20

/**
 * Milliseconds before the next start, after `quickExits` starts in a row that did not last 10 s:
 * the first restart comes at once for a failover's sake, a program that cannot start costs little.
 */
export const restartDelay = (quickExits: number): number =>
  Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(quickExits, 10))

/** Keeps one program running from `start` to `stop`. */
export class Supervised implements AsyncDisposable {
  readonly #program: Program
  readonly #onEvent: (line: string) => void
  readonly #stopping = new AbortController()
  #child: ChildProcess | undefined
  #loop: Promise<void> | undefined

  /** `onEvent` gets a line for each start and each unexpected end. */
  constructor(program: Program, onEvent: (line: string) => void) {
    this.#program = program
    this.#onEvent = onEvent
  }

  /** Process id while the program runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Asks the program to end, insists after `graceMs`, and waits until it has. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping.abort()
    const child = this.#child
    child?.kill('SIGTERM')
    const insist = setTimeout(() => child?.kill('SIGKILL'), graceMs)
    try {
      await this.#loop
    } finally {
      clearTimeout(insist)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let quickExits = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      const end = await this.#once()
      if (signal.aborted) return
      quickExits = performance.now() - startedAt < STEADY_MS ? quickExits + 1 : 0
      const wait = restartDelay(Math.max(0, quickExits - 1))
      this.#onEvent(`${this.#program.name} ${end}; starting it again in ${wait} ms`)
      await delay(wait, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  }

  /** One run, from start to end; resolves to how it ended. */
  async #once(): Promise<string> {
    const { name, command, args, env, logFile } = this.#program
    const log = openLog(logFile)
    try {
      const child = spawn(command, args, {
        stdio: ['ignore', log, log],
        cwd: '/',
        ...(env ? { env } : {}),
      })
      this.#child = child
      return await new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(`did not start: ${messageOf(error)}`))
        child.once('spawn', () => this.#onEvent(`${name} started, process ${child.pid}`))
        child.once('exit', (code, signal) =>
          resolve(signal === null ? `ended with status ${code}` : `was killed by ${signal}`),
        )
      })
    } finally {
      this.#child = undefined
      closeSync(log)
    }
  }
}

/** Opens a log to append to; one that has grown large is first moved to `.1`. */
const openLog = (file: string): number => {
  mkdirSync(dirname(file), { recursive: true })
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
  return openSync(file, 'a')
}

/**
 * Runs programs until `signal` is aborted, then ends them, the last one first. The whole life of a
 * supervising process.
 */
export const supervise = async (
  programs: readonly Program[],
  options: { signal: AbortSignal; onEvent: (line: string) => void },
): Promise<void> => {
  const running = programs.map((program) => new Supervised(program, options.onEvent))
  for (const program of running) program.start()
  if (!options.signal.aborted) {
    await new Promise<void>((resolve) => {
      // An abort signal alone does not keep a process alive.
      const alive = setInterval(() => undefined, 2 ** 30)
      options.signal.addEventListener('abort', () => {
        clearInterval(alive)
        resolve()
      })
    })
  }
  for (const program of running.toReversed()) await program.stop()
}
