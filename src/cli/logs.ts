import { styleText } from 'node:util'
import { messageOf, MusterError, parseDuration, systemClock, pause } from '../base/index.ts'
import { connectEngine, type Engine, type Service, type Task } from '../engine/index.ts'
import { createdAt, findService, nameOfTask, taskServices } from '../stack/index.ts'
import type { LogsOptions } from './stack.ts'

/** A task that is on a host that does not answer must not hold up the others. */
const SILENT_LIMIT_MS = 5000
/** Between two looks for new tasks: tasks have no events. */
const NEW_TASKS_MS = 1000

/**
 * The output of every task of a service that Swarm remembers, merged in the order of time. Each task
 * is read for itself, so that a host that is lost costs its own lines only.
 */
export const logs = async (name: string, options: LogsOptions): Promise<void> => {
  const tail = parseTail(options.tail)
  const since = parseSince(options.since)
  await using engine = connectEngine()
  const all = await engine.listServices()
  const { service, slot } = findService(all, name)
  const reader: Reader = {
    engine,
    service,
    services: taskServices(service, all),
    slot,
    print: linePrinter(options.timestamps === true),
    options: {
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
    },
  }
  await (options.follow === true ? follow(reader) : show(reader))
}

interface Reader {
  engine: Engine
  service: Service
  /** Those that have its tasks: several for a clustered service. */
  services: Service[]
  slot: number | undefined
  print: (task: string, line: StampedLine) => void
  options: { tail?: number; since?: number }
}

interface StampedLine {
  /** As the engine wrote it, RFC 3339 with nanoseconds: sorts as text. */
  time: string
  text: string
  stream: 'stdout' | 'stderr'
}

const tasksOf = async ({ engine, service, services, slot }: Reader): Promise<Task[]> => {
  if (services.length === 0) return []
  const tasks = await engine.listTasks({ service: services.map((each) => each.ID) })
  const own = tasks.filter((task) => slot === undefined || task.Slot === slot)
  if (own.length === 0 && slot !== undefined) {
    throw new MusterError('NOT_FOUND', `${service.Spec.Name} has no replica ${slot}.`, {
      hint: `See which there are: muster ps ${service.Spec.Name}`,
    })
  }
  return own.sort((a, b) => createdAt(a) - createdAt(b))
}

const nameIn = (reader: Reader, task: Task): string =>
  nameOfTask(reader.services.find((each) => each.ID === task.ServiceID) ?? reader.service, task)

const show = async (reader: Reader): Promise<void> => {
  const tasks = await tasksOf(reader)
  const started = tasks.filter((task) => task.Status?.ContainerStatus?.ContainerID)
  const lines = await Promise.all(started.map((task) => readAll(reader, task)))
  for (const { name, line } of lines.flat().sort((a, b) => (a.line.time < b.line.time ? -1 : 1))) {
    reader.print(name, line)
  }
}

/** Everything of one task, or as much as came before its host fell silent. */
const readAll = async (
  reader: Reader,
  task: Task,
): Promise<{ name: string; line: StampedLine }[]> => {
  const name = nameIn(reader, task)
  const lines: { name: string; line: StampedLine }[] = []
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), SILENT_LIMIT_MS)
  try {
    for await (const line of reader.engine.taskLogs(task.ID, {
      ...reader.options,
      timestamps: true,
      signal: silence.signal,
    })) {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENT_LIMIT_MS)
      lines.push({ name, line: stamped(line) })
    }
  } catch (error) {
    if (!silence.signal.aborted) warn(name, messageOf(error))
  } finally {
    clearTimeout(timer)
  }
  if (silence.signal.aborted) warn(name, 'its host does not answer, its lines may be incomplete')
  return lines
}

const warn = (task: string, text: string): void => {
  process.stderr.write(`${task}: ${text}\n`)
}

/** Prints as it comes, tasks that start later included, until Ctrl-C. */
const follow = async (reader: Reader): Promise<void> => {
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.on('SIGINT', interrupt)
  const followed = new Set<string>()
  const running: Promise<void>[] = []
  try {
    for (let first = true; !stop.signal.aborted; first = false) {
      for (const task of await tasksOf(reader)) {
        if (followed.has(task.ID) || !task.Status?.ContainerStatus?.ContainerID) continue
        followed.add(task.ID)
        running.push(followTask(reader, { task, signal: stop.signal, fromStart: !first }))
      }
      await pause(systemClock, NEW_TASKS_MS, stop.signal)
    }
  } finally {
    stop.abort()
    process.off('SIGINT', interrupt)
    await Promise.all(running)
  }
}

const followTask = async (
  reader: Reader,
  what: { task: Task; signal: AbortSignal; fromStart: boolean },
): Promise<void> => {
  const name = nameIn(reader, what.task)
  try {
    for await (const line of reader.engine.taskLogs(what.task.ID, {
      // Nothing of a task that began while we looked on is old.
      ...(what.fromStart ? {} : reader.options),
      follow: true,
      timestamps: true,
      signal: what.signal,
    })) {
      reader.print(name, stamped(line))
    }
  } catch (error) {
    if (!what.signal.aborted) warn(name, messageOf(error))
  }
}

const stamped = (line: { text: string; stream: 'stdout' | 'stderr' }): StampedLine => {
  const space = line.text.indexOf(' ')
  return {
    time: space < 0 ? line.text : line.text.slice(0, space),
    text: (space < 0 ? '' : line.text.slice(space + 1)).replace(/\r?\n$/, ''),
    stream: line.stream,
  }
}

const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const

/** `web.2 | text`, each task in its own colour on a terminal. */
const linePrinter = (timestamps: boolean): Reader['print'] => {
  const colours = new Map<string, (typeof COLOURS)[number]>()
  let width = 0
  return (task, line) => {
    width = Math.max(width, task.length)
    const colour = colours.get(task) ?? COLOURS[colours.size % COLOURS.length] ?? 'cyan'
    colours.set(task, colour)
    const out = line.stream === 'stderr' ? process.stderr : process.stdout
    const prefix = styleText(colour, `${task.padEnd(width)} |`, { stream: out })
    out.write(`${prefix} ${timestamps ? `${line.time} ` : ''}${line.text}\n`)
  }
}

const parseTail = (text: string | undefined): number | undefined => {
  if (text === undefined || text === 'all') return undefined
  if (!/^\d+$/.test(text)) {
    throw new MusterError('USAGE', `--tail takes a number of lines, not "${text}".`)
  }
  return Number(text)
}

/** Seconds since 1970 of a time, or of a duration ago. */
const parseSince = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? (Date.now() - parseDuration(text, '--since')) / 1000 : time / 1000
}
