import type { Engine, LogLine, Task } from '../engine/index.ts'
import type { Diagnosis } from './diagnose.ts'
import type { ServiceProgress } from './progress.ts'
import { healthcheckOf } from './tasks.ts'

/** Runs a command in the container of a task, wherever it is; undefined if that cannot be done. */
export type RunInTask = (
  task: Task,
  command: readonly string[],
) => Promise<{ exitCode: number; output: string } | undefined>

/** What a health check said, by task. */
export interface CheckOutput {
  exitCode: number
  output: string
}

const LINES = 5
const LOGS_LIMIT_MS = 3000

/**
 * What a person wants to see beside a diagnosis: what the health check said, and the last lines of
 * the container. Empty where there was no container. Never fails: it is only an addition.
 */
export const collectEvidence = async (
  engine: Pick<Engine, 'taskLogs'>,
  diagnosis: Diagnosis,
  check: CheckOutput | undefined,
): Promise<string[]> => {
  const { task, kind } = diagnosis
  if (task === undefined || !['unhealthy', 'exit', 'memory', 'command'].includes(kind)) return []
  const said = check === undefined ? [] : checkLines(check)
  const lines = await lastLines(engine, task)
  return [
    ...said,
    ...(lines.length > 0 ? ['Its last lines:', ...lines.map((line) => `  | ${line}`)] : []),
  ]
}

const checkLines = ({ exitCode, output }: CheckOutput): string[] => {
  const text = output.trim()
  return [
    `Its health check ends with status ${exitCode}${text === '' ? ' and says nothing.' : ':'}`,
    ...(text === ''
      ? []
      : text
          .split('\n')
          .slice(-LINES)
          .map((line) => `  | ${line}`)),
  ]
}

const lastLines = async (engine: Pick<Engine, 'taskLogs'>, task: Task): Promise<string[]> => {
  const lines: string[] = []
  const signal = AbortSignal.timeout(LOGS_LIMIT_MS)
  const collect = (line: LogLine) => lines.push(line.text.trimEnd())
  try {
    // With their times: the two streams of a container come in no order.
    const options = { tail: LINES, timestamps: true, signal }
    for await (const line of engine.taskLogs(task.ID, options)) collect(line)
  } catch {
    // The host may be gone, or the container never was: then there is nothing to show.
  }
  return lines
    .sort()
    .slice(-LINES)
    .map((line) => line.replace(/^\S+ ?/, ''))
}

/** A check is looked at once the container has had time for one of its own. */
const CHECK_DELAY_MS = 3000

/**
 * Runs the health checks of tasks that do not become healthy, while their containers still live:
 * when Swarm has given up on them, there is nobody left to ask.
 */
export class HealthProbe {
  readonly #run: RunInTask
  readonly #now: () => number
  readonly #asked = new Set<string>()
  readonly #outputs = new Map<string, CheckOutput>()

  /** `now` is the wall clock, milliseconds since 1970. */
  constructor(run: RunInTask, now: () => number = Date.now) {
    this.#run = run
    this.#now = now
  }

  /** Looks at services that are on their way; returns at once. */
  watch(services: readonly ServiceProgress[]): void {
    for (const { diagnosis } of services) {
      const task = diagnosis?.task
      if (task?.Status?.State !== 'starting' || this.#asked.has(task.ID)) continue
      const since = Date.parse(task.Status.Timestamp ?? '')
      if (this.#now() - since < CHECK_DELAY_MS) continue
      this.#asked.add(task.ID)
      void runCheck(this.#run, task).then((output) => {
        if (output !== undefined) this.#outputs.set(slotOf(task), output)
      })
    }
  }

  /** What the check of this task, or of the one before it in its slot, said. */
  outputFor(task: Task | undefined): CheckOutput | undefined {
    return task === undefined ? undefined : this.#outputs.get(slotOf(task))
  }
}

/** What the health check of a task says now; undefined if it passes or cannot be run. */
export const runCheck = async (run: RunInTask, task: Task): Promise<CheckOutput | undefined> => {
  const test = checkCommand(task)
  const output = test === undefined ? undefined : await run(task, test)
  return output?.exitCode === 0 ? undefined : output
}

const slotOf = (task: Task): string => `${task.ServiceID} ${task.Slot || task.NodeID}`

const checkCommand = (task: Task): string[] | undefined => {
  const [kind, ...words] = healthcheckOf(task.Spec)?.Test ?? []
  if (kind === 'CMD') return words
  return kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : undefined
}
