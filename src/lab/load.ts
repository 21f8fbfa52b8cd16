/**
 * An open-loop HTTP load: every request is due at its own time, whether or not earlier ones have
 * returned, on a new connection, and is never retried. Run as a program it prints one JSON line with
 * a `LoadResult`, so that it can be started inside a container's network namespace.
 *
 *   node load.ts '{"host":"10.0.1.2","port":8080,"rate":200,"durationMs":20000}'
 */
import { connect } from 'node:net'
import { Resolver } from 'node:dns/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

export interface LoadOptions {
  /** Address, or with `resolve` a name that is looked up for every request. */
  host: string
  port: number
  path?: string
  /** Requests a second. */
  rate: number
  durationMs: number
  /** A request that has no whole answer by then has failed. */
  timeoutMs?: number
  /** Ask this name server each time and take one of its answers at random. */
  resolve?: string
}

/** One request: when it was due (ms since 1970), how long it took, and why it failed if it did. */
export interface Shot {
  due: number
  ms: number
  error?: string
}

export interface LoadResult {
  shots: Shot[]
}

export const DEFAULT_TIMEOUT_MS = 5000

/** Runs the load; `onShot` sees each request as it ends. Stops early when the signal is aborted. */
export const runLoad = async (
  options: LoadOptions,
  hooks: { onShot?: (shot: Shot) => void; signal?: AbortSignal } = {},
): Promise<LoadResult> => {
  const shots: Promise<Shot>[] = []
  const start = performance.now()
  const epoch = Date.now() - start
  const total = Math.floor((options.rate * options.durationMs) / 1000)
  const resolver =
    options.resolve === undefined ? undefined : new Resolver({ timeout: 1000, tries: 1 })
  if (resolver && options.resolve) resolver.setServers([options.resolve])
  for (let i = 0; i < total && !hooks.signal?.aborted; i++) {
    const due = start + (i * 1000) / options.rate
    const wait = due - performance.now()
    if (wait > 1) await delay(wait)
    shots.push(
      shoot(options, resolver, due).then((shot) => {
        const result = { ...shot, due: epoch + due }
        hooks.onShot?.(result)
        return result
      }),
    )
  }
  return { shots: await Promise.all(shots) }
}

const shoot = async (
  options: LoadOptions,
  resolver: Resolver | undefined,
  due: number,
): Promise<Omit<Shot, 'due'>> => {
  const error = await request(options, resolver)
  const ms = Math.round((performance.now() - due) * 10) / 10
  return error === undefined ? { ms } : { ms, error }
}

/** One GET on a new connection: undefined when it answered 200, else why not. */
const request = async (
  options: LoadOptions,
  resolver: Resolver | undefined,
): Promise<string | undefined> => {
  let host = options.host
  if (resolver) {
    try {
      const addresses = await resolver.resolve4(host)
      host = addresses[Math.floor(Math.random() * addresses.length)] ?? host
    } catch (error) {
      return `dns ${(error as NodeJS.ErrnoException).code ?? 'error'}`
    }
  }
  return new Promise((resolve) => {
    const socket = connect({ host, port: options.port })
    let answer = ''
    const timer = setTimeout(() => end('timeout'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const end = (error: string | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(error)
    }
    socket.setEncoding('latin1')
    socket.once('connect', () =>
      socket.write(
        `GET ${options.path ?? '/'} HTTP/1.1\r\nHost: ${options.host}\r\nConnection: close\r\n\r\n`,
      ),
    )
    socket.on('data', (text: string) => (answer += text))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    socket.once('end', () => {
      const status = /^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1]
      end(status === '200' ? undefined : `status ${status ?? 'none'}`)
    })
  })
}

/** What a table says about a load with a fault in it. */
export interface LoadSummary {
  requests: number
  failed: number
  /** Answered, but slower than 500 ms. */
  slow: number
  /** Longest wait of an answered request, ms. */
  longestMs: number
  /** How long after the fault the last request that failed was due, ms; 0 when none failed. */
  lastFailureMs: number
  errors: Record<string, number>
}

export const SLOW_MS = 500

export const summarize = (result: LoadResult, faultAt: number): LoadSummary => {
  const failed = result.shots.filter((shot) => shot.error !== undefined)
  const answered = result.shots.filter((shot) => shot.error === undefined)
  const errors: Record<string, number> = {}
  for (const { error } of failed) if (error) errors[error] = (errors[error] ?? 0) + 1
  return {
    requests: result.shots.length,
    failed: failed.length,
    slow: answered.filter((shot) => shot.ms > SLOW_MS).length,
    longestMs: answered.reduce((longest, shot) => Math.max(longest, shot.ms), 0),
    lastFailureMs: failed.reduce((last, shot) => Math.max(last, shot.due - faultAt), 0),
    errors,
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const result = await runLoad(JSON.parse(process.argv[2] ?? '{}') as LoadOptions)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
