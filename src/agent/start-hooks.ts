import { constants, readdirSync } from 'node:fs'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Clock, LABEL, MusterError, messageOf } from '../base/index.ts'
import { CorruptMessage, fromJson, type StartHook, startHooks } from '../catalog/index.ts'
import type { ContainerInspectResponse, Engine } from '../engine/index.ts'
import { TASK_LABELS } from './local-container.ts'

export interface StartHooksOptions {
  engine: Pick<Engine, 'exec' | 'killContainer'>
  /** Remembers, for an agent that restarts, whose hooks have ended well. Gone after a reboot. */
  folder: string
  clock: Clock
  /** Appends to what the first process of a container writes: default, through /proc. */
  say?: (pid: number, text: string) => Promise<void>
  /** The hooks of a container have ended well. */
  onDone: (container: string) => void
  onProblem: (message: string) => void
}

/** A hook that takes longer has failed. */
const HOOK_LIMIT_MS = 600_000
/** What is kept of what a hook writes. */
const OUTPUT_BYTES = 4096

/**
 * Runs `post_start` commands in this host's containers: each once in the life of a container, in their
 * order. A container in which one fails says so in its own output and is killed, so Swarm sees a task
 * that failed: it is tried again, an update goes back, and everybody can read why.
 */
export class StartHooks {
  readonly #options: StartHooksOptions
  readonly #done: Set<string>
  readonly #running = new Set<string>()

  constructor(options: StartHooksOptions) {
    this.#options = options
    this.#done = new Set(namesIn(options.folder))
  }

  /** Whether a container still waits for its hooks. Begins with them if nobody has. */
  pending(inspected: ContainerInspectResponse): boolean {
    const { Id: id = '', State: state, Config: config } = inspected
    const label = config?.Labels?.[LABEL.postStart]
    if (label === undefined || config?.Labels?.[TASK_LABELS.task] === undefined) return false
    if (this.#done.has(id) || state?.Running !== true) return false
    if (!this.#running.has(id)) {
      this.#running.add(id)
      void this.#run(id, state.Pid ?? 0, label)
    }
    return true
  }

  /** The container is gone for good. */
  forget(id: string): void {
    this.#running.delete(id)
    if (!this.#done.delete(id)) return
    void rm(join(this.#options.folder, id), { force: true }).catch((error: unknown) =>
      this.#options.onProblem(messageOf(error)),
    )
  }

  async #run(id: string, pid: number, label: string): Promise<void> {
    const { onDone, onProblem } = this.#options
    try {
      const failed = await this.#firstFailure(id, label)
      if (failed === undefined) {
        this.#done.add(id)
        await this.#remember(id)
        onDone(id)
      } else await this.#fail(id, pid, failed)
    } catch (error) {
      // Begun anew when the container is looked at again, as it is when the engine is back.
      this.#running.delete(id)
      onProblem(`post_start of container ${id.slice(0, 12)}: ${messageOf(error)}`)
    }
  }

  /** Runs them all, or up to the one that fails; says how it did. */
  async #firstFailure(id: string, label: string): Promise<string | undefined> {
    let hooks: StartHook[]
    try {
      hooks = fromJson(label, startHooks, `label ${LABEL.postStart}`)
    } catch (error) {
      if (error instanceof CorruptMessage) return error.message
      throw error
    }
    for (const [i, hook] of hooks.entries()) {
      const failure = await this.#runOne(id, hook)
      if (failure !== undefined) return `post_start[${i}] (${hook.command.join(' ')}) ${failure}`
    }
    return undefined
  }

  async #runOne(id: string, hook: StartHook): Promise<string | undefined> {
    const { engine, clock } = this.#options
    try {
      const session = await engine.exec(id, {
        command: hook.command,
        env: hook.env,
        privileged: hook.privileged,
        ...(hook.user === null ? {} : { user: hook.user }),
        ...(hook.workingDir === null ? {} : { workingDir: hook.workingDir }),
      })
      const stop = new AbortController()
      const limit = clock.sleep(HOOK_LIMIT_MS, stop.signal).then(
        () => 'late' as const,
        () => 'late' as const,
      )
      const output = Promise.all([tail(session.stdout), tail(session.stderr)])
      const ended = await Promise.race([session.exited, limit])
      stop.abort()
      if (ended === 0) return undefined
      if (ended === 'late') {
        session.stdin.destroy()
        return `did not end within ${HOOK_LIMIT_MS / 1000} s`
      }
      const said = (await output).join('').trim()
      return `ended with status ${ended}${said === '' ? '' : `:\n${said}`}`
    } catch (error) {
      if (!(error instanceof MusterError) || error.code === 'ENGINE_UNREACHABLE') throw error
      return `could not be run: ${error.message}`
    }
  }

  async #fail(id: string, pid: number, failed: string): Promise<void> {
    const { engine, say = sayThroughProc, onProblem } = this.#options
    onProblem(`container ${id.slice(0, 12)}: ${failed}`)
    await say(pid, `muster: ${failed}\n`).catch((error: unknown) => onProblem(messageOf(error)))
    try {
      await engine.killContainer(id)
    } catch (error) {
      // It has ended by itself meanwhile.
      if (!(error instanceof MusterError) || !['NOT_FOUND', 'CONFLICT'].includes(error.code)) {
        throw error
      }
    }
  }

  async #remember(id: string): Promise<void> {
    const { folder } = this.#options
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, id), '')
  }
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The last bytes of a stream, as text. */
const tail = async (stream: Readable): Promise<string> => {
  let kept = Buffer.alloc(0)
  for await (const chunk of stream) {
    kept = Buffer.concat([kept, chunk as Uint8Array]).subarray(-OUTPUT_BYTES)
  }
  return kept.toString('utf8')
}

/** The engine reads that pipe: what is written there is in the container's logs. */
const sayThroughProc = async (pid: number, text: string): Promise<void> => {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = constants
  await using file = await open(`/proc/${pid}/fd/2`, O_WRONLY | O_APPEND | O_NONBLOCK)
  await file.write(text)
}
