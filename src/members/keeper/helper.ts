/** Runs a program of a member's own image on its data at rest, in a container that does only that. */
import { randomBytes } from 'node:crypto'
import { ignoreMissing, LABEL, MusterError } from '../../base/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Question } from '../../recipes/index.ts'

export interface HelperRun {
  engine: HelperEngine
  member: string
  /** Id of an image that this host has. */
  image: string
  user: string | null
  env: Record<string, string>
  /** Folder of the host, and where the image expects it. */
  folder: string
  target: string
  signal: AbortSignal
}

export type HelperEngine = Pick<
  Engine,
  | 'containerLogs'
  | 'createContainer'
  | 'events'
  | 'listContainers'
  | 'removeContainer'
  | 'startContainer'
>

/** What the question's command has answered; null if it could not tell. Throws TIMEOUT. */
export const askHelper = async <T>(question: Question<T>, run: HelperRun): Promise<T | null> => {
  const { engine, member, image, user, env, folder, target } = run
  const name = `muster-helper-${member}-${randomBytes(4).toString('hex')}`
  const [entrypoint = '', ...args] = question.command
  const { Id: id } = await engine.createContainer(name, {
    Image: image,
    Entrypoint: [entrypoint],
    Cmd: args,
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    ...(user === null ? {} : { User: user }),
    Labels: { [LABEL.helper]: member },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'none',
      Binds: [`${folder}:${target}`],
      // Whatever the engine is set to, what it says has to be readable.
      LogConfig: { Type: 'json-file', Config: {} },
    },
  })
  try {
    const exit = await runToEnd(engine, id, {
      signal: AbortSignal.any([run.signal, AbortSignal.timeout(question.timeoutMs)]),
    })
    if (exit === null) {
      run.signal.throwIfAborted()
      throw new MusterError(
        'TIMEOUT',
        `looking at the data of ${member} took longer than ${question.timeoutMs / 1000} s`,
      )
    }
    const lines = { stdout: '', stderr: '' }
    for await (const { stream, text } of engine.containerLogs(id, {})) lines[stream] += `${text}\n`
    return question.read({ exit, ...lines })
  } finally {
    await engine.removeContainer(id, { force: true })
  }
}

/** Starts it and waits for its end; null if the signal comes first. */
const runToEnd = async (
  engine: HelperEngine,
  id: string,
  { signal }: { signal: AbortSignal },
): Promise<number | null> => {
  const opened = Promise.withResolvers<void>()
  const done = new AbortController()
  const ended = (async () => {
    const events = engine.events({
      filters: { container: [id], event: ['die'] },
      signal: AbortSignal.any([signal, done.signal]),
      onOpen: () => opened.resolve(),
    })
    for await (const event of events) return Number(event.Actor?.Attributes?.['exitCode'] ?? 255)
    return null
  })()
  try {
    await Promise.race([opened.promise, ended])
    await engine.startContainer(id)
    return await ended
  } finally {
    done.abort()
    // What has been thrown meanwhile is thrown already, or of no interest.
    await ended.catch(() => undefined)
  }
}

/** Ends helpers that an agent left behind when it was killed: nobody else may touch the data. */
export const removeHelpers = async (engine: HelperEngine): Promise<void> => {
  const left = await engine.listContainers({ all: true, filters: { label: [LABEL.helper] } })
  await Promise.all(
    left.map(({ Id: id = '' }) => ignoreMissing(engine.removeContainer(id, { force: true }))),
  )
}
