/** What programs do in the double: scripted per image, since nothing really runs. */
import type { LogLine } from '../engine.ts'
import type { HealthConfig } from '../types.ts'

export interface Behaviour {
  /** The registry does not have it. */
  missing?: boolean
  /** Time to pull it to a host that does not have it; default 500 ms. */
  pullMs?: number
  /** Written when it starts; plain text goes to stdout. */
  log?: (string | LogLine)[]
  /** Ends by itself, after its last words (to stderr). */
  exit?: { afterMs: number; code: number; log?: string[] }
  /** Time from SIGTERM to the end, Infinity to ignore it; default 50 ms. */
  stopMs?: number
  /** Exit status after SIGTERM; default 0. */
  stopCode?: number
  /** The image's own health check. */
  healthCheck?: HealthConfig
  /** Result of a health probe, by time since the start; default healthy. */
  health?: (runningMs: number) => boolean
  /** Answers `exec`. Default: nothing printed, exit status 0. */
  exec?: (command: string[], stdin: string) => ExecResult
}

export interface ExecResult {
  code: number
  stdout?: string
  stderr?: string
}

/** Which start of which container a script is asked about. */
export interface StartContext {
  image: string
  host: string
  container: string
  env: string[]
  command: string[]
  labels: Record<string, string>
  /** 1 for the first container that was started from this image anywhere. */
  start: number
}

export type Script = Behaviour | ((context: StartContext) => Behaviour)

/** The scripts by image. Images without one exist, start, and run until they are stopped. */
export class Behaviours {
  readonly #scripts = new Map<string, Script>()
  readonly #starts = new Map<string, number>()

  set(image: string, script: Script): void {
    this.#scripts.set(image, script)
  }

  /** What holds for the image as such, before any container starts. */
  ofImage(image: string): Behaviour {
    const script = this.#scripts.get(image)
    return typeof script === 'object' ? script : {}
  }

  /** What one start does. Counts it. */
  ofStart(context: Omit<StartContext, 'start'>): Behaviour {
    const start = (this.#starts.get(context.image) ?? 0) + 1
    this.#starts.set(context.image, start)
    const script = this.#scripts.get(context.image) ?? {}
    return typeof script === 'function' ? script({ ...context, start }) : script
  }
}
