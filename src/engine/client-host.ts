import type { HostApi } from './engine.ts'
import { MusterError } from '../base/index.ts'
import { asEvent, listOf, withText } from './decode.ts'
import { exec } from './exec.ts'
import { readJsonLines } from './frames.ts'
import { readLogs } from './logs.ts'
import type { Call, Transport } from './transport.ts'
import type { ContainerSummary, SystemInfo } from './types.ts'

/** A pull takes as long as the network does; this only ends one that is stuck. */
const PULL_LIMIT_MS = 15 * 60_000
/** The engine's own grace period when it is given none, plus time to clean up. */
const STOP_GRACE_S = 10
const CLEANUP_MS = 20_000
const VOLUME_LIMIT_MS = 60_000

/** Splits `name:tag` or `name@sha256:...` as POST /images/create wants it. */
export const splitReference = (image: string): { fromImage: string; tag: string } => {
  const digest = image.indexOf('@')
  if (digest >= 0) return { fromImage: image.slice(0, digest), tag: image.slice(digest + 1) }
  const colon = image.lastIndexOf(':')
  // A colon before the last slash is the registry's port.
  if (colon > image.lastIndexOf('/')) {
    return { fromImage: image.slice(0, colon), tag: image.slice(colon + 1) }
  }
  // Without a tag the engine would pull every tag there is.
  return { fromImage: image, tag: 'latest' }
}

const auth = (registryAuth: string | undefined) =>
  registryAuth === undefined ? {} : { headers: { 'X-Registry-Auth': registryAuth } }

/** HostApi over a transport. */
export const hostApi = (transport: Transport): HostApi => {
  const get = (path: string, doing: string) => transport.json({ method: 'GET', path, doing })
  const post = async (path: string, doing: string, more: Partial<Call> = {}) => {
    await transport.text({ method: 'POST', path, doing, ...more })
  }
  const container = (id: string) => `/containers/${encodeURIComponent(id)}`

  return {
    info: async () => (await get('/info', 'ask about this host')) as SystemInfo,
    version: async () => {
      const answer = withText(await get('/version', 'ask for the version'), 'ApiVersion')
      return {
        engine: String(answer['Version']),
        api: answer.ApiVersion,
        minApi: String(answer['MinAPIVersion']),
      }
    },
    async *events({ since, filters, signal, onOpen }) {
      const doing = 'follow events'
      // The engine accepts the request a moment before it subscribes. It keeps recent events, so
      // asking for all since a time on its own clock before that closes the gap.
      let stream
      try {
        const from = since ?? (await transport.engineTime(signal))
        stream = await transport.stream({
          method: 'GET',
          path: '/events',
          doing,
          query: { since: from, filters },
          signal,
        })
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      onOpen?.()
      try {
        for await (const value of readJsonLines(stream)) yield asEvent(value)
      } catch (error) {
        if (signal.aborted) return
        throw transport.broken(error, doing)
      } finally {
        stream.destroy()
      }
      if (!signal.aborted) throw transport.broken(new Error('the stream ended'), doing)
    },
    listContainers: async ({ all, filters } = {}) =>
      listOf(
        await transport.json({
          method: 'GET',
          path: '/containers/json',
          doing: 'list containers',
          query: { all, filters },
        }),
        (item) => withText(item, 'Id') as ContainerSummary,
      ),
    inspectContainer: async (id) =>
      withText(await get(`${container(id)}/json`, `read container ${id}`), 'Id'),
    createContainer: async (name, body) =>
      withText(
        await transport.json({
          method: 'POST',
          path: '/containers/create',
          doing: `create container ${name}`,
          query: { name },
          body,
        }),
        'Id',
      ),
    startContainer: (id) => post(`${container(id)}/start`, `start container ${id}`),
    stopContainer: (id, { timeoutSeconds } = {}) =>
      post(`${container(id)}/stop`, `stop container ${id}`, {
        query: { t: timeoutSeconds },
        limitMs: (timeoutSeconds ?? STOP_GRACE_S) * 1000 + CLEANUP_MS,
      }),
    killContainer: (id, signal) =>
      post(`${container(id)}/kill`, `kill container ${id}`, { query: { signal } }),
    removeContainer: async (id, { force } = {}) => {
      await transport.text({
        method: 'DELETE',
        path: container(id),
        doing: `remove container ${id}`,
        query: { force },
        limitMs: CLEANUP_MS,
      })
    },
    containerLogs: (id, options) =>
      readLogs(transport, {
        path: `${container(id)}/logs`,
        doing: `read the logs of container ${id}`,
        options,
        hasTerminal: async () => {
          const { Config } = (await get(`${container(id)}/json`, `read container ${id}`)) as {
            Config?: { Tty?: boolean }
          }
          return Config?.Tty === true
        },
      }),
    createVolume: async ({ name, driver, options, labels }) => {
      const doing = `create volume ${name}`
      const body = { Name: name, Driver: driver, DriverOpts: options, Labels: labels }
      // A driver that is not there is waited for by the engine.
      await post('/volumes/create', doing, { body, limitMs: VOLUME_LIMIT_MS })
    },
    removeVolume: async (name) => {
      const doing = `remove volume ${name}`
      const path = `/volumes/${encodeURIComponent(name)}`
      await transport.text({ method: 'DELETE', path, doing, limitMs: VOLUME_LIMIT_MS })
    },
    exec: (id, options) => exec(transport, id, options),
    pullImage: async (image, { registryAuth, onProgress } = {}) => {
      const doing = `pull ${image}`
      const abort = new AbortController()
      const limit = setTimeout(() => abort.abort(), PULL_LIMIT_MS)
      try {
        const stream = await transport.stream({
          method: 'POST',
          path: '/images/create',
          doing,
          query: splitReference(image),
          ...auth(registryAuth),
          // The engine answers once the registry has: with name look-ups that fail, 20 s later.
          limitMs: 60_000,
          signal: abort.signal,
        })
        for await (const value of readJsonLines(stream)) {
          const { status, id, progress, error } = value as PullProgress
          if (error !== undefined) {
            throw new MusterError('ENGINE_REFUSED', `Cannot ${doing}: ${error}`)
          }
          onProgress?.([id, status, progress].filter(Boolean).join(' '))
        }
      } catch (error) {
        if (abort.signal.aborted) throw transport.tooSlow(doing, PULL_LIMIT_MS)
        throw transport.broken(error, doing)
      } finally {
        clearTimeout(limit)
      }
    },
    inspectImage: async (image) => {
      const answer = withText(await get(`/images/${image}/json`, `read image ${image}`), 'Id')
      const { Labels = null } = (answer['Config'] ?? {}) as {
        Labels?: Record<string, string> | null
      }
      const RepoDigests = listOf(answer['RepoDigests'], String)
      return { Id: answer.Id, RepoDigests, Labels: Labels ?? {} }
    },
    imageDigest: async (image, { registryAuth, timeoutMs } = {}) => {
      const answer = (await transport.json({
        method: 'GET',
        path: `/distribution/${image}/json`,
        doing: `ask the registry for ${image}`,
        ...auth(registryAuth),
        ...(timeoutMs !== undefined && { limitMs: timeoutMs }),
      })) as { Descriptor?: unknown }
      return withText(answer.Descriptor, 'digest').digest
    },
  }
}

interface PullProgress {
  status?: string
  id?: string
  progress?: string
  error?: string
}
