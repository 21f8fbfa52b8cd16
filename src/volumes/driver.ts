/** Docker's volume plugin protocol over the store. */
import { MusterError, messageOf } from '../base/index.ts'
import { checkName, parseOptions } from './options.ts'
import type { VolumeRecord } from './record.ts'
import type { VolumeStore } from './store.ts'

/**
 * Decides whether a container may have a volume of a member, or one for rendered files, now. Resolves
 * when it may, rejects with the reason if not. `signal`: Docker does not wait any more.
 */
export type Gate = (volume: VolumeRecord, mountId: string, signal: AbortSignal) => Promise<void>

export interface DriverOptions {
  store: VolumeStore
  gate: Gate
  /** A member's data go only when a person has said so: true if they may. */
  mayRemove: (volume: VolumeRecord) => boolean
  onMounted?: (volume: VolumeRecord, mountId: string) => void
  onUnmounted?: (volume: VolumeRecord, mountId: string) => void
}

/** What Docker may ask, by path. An error's message is what it shows. */
export type Operation = (body: Record<string, unknown>, signal: AbortSignal) => Promise<object>

/** The operations of the plugin; each resolves to the answer's fields beside `Err`. */
export const volumeDriver = (options: DriverOptions): Record<string, Operation> => {
  const { store, gate } = options
  const known = (body: Record<string, unknown>): VolumeRecord => {
    if (body['Name'] === undefined) {
      // Docker asks again, but has nothing left to say.
      throw new MusterError('AGENT_UNREACHABLE', 'the agent was restarted meanwhile.')
    }
    const name = checkName(body['Name'])
    const record = store.get(name)
    if (record) return record
    throw new MusterError('NOT_FOUND', `no such volume: ${name}`)
  }
  const shown = (record: VolumeRecord) => ({
    Name: record.name,
    Mountpoint: store.path(record),
    CreatedAt: new Date(record.created).toISOString(),
    Status: {
      type: record.type,
      uid: record.uid,
      ...(record.stack === null ? {} : { stack: record.stack }),
      ...(record.member === null ? {} : { member: record.member.id }),
    },
  })
  return {
    '/Plugin.Activate': async () => ({ Implements: ['VolumeDriver'] }),
    '/VolumeDriver.Capabilities': async () => ({ Capabilities: { Scope: 'local' } }),
    '/VolumeDriver.Create': async (body) => {
      await store.create(checkName(body['Name']), parseOptions(textOptions(body['Opts'])))
      return {}
    },
    '/VolumeDriver.Get': async (body) => ({ Volume: shown(known(body)) }),
    '/VolumeDriver.List': async () => ({
      Volumes: store.list().map((record) => ({
        Name: record.name,
        Mountpoint: store.path(record),
      })),
    }),
    '/VolumeDriver.Path': async (body) => ({ Mountpoint: store.path(known(body)) }),
    '/VolumeDriver.Mount': async (body, signal) => {
      const mountId = textOf(body['ID'])
      const record = await store.use(known(body).name)
      // A member's data, and the files of others; a member's files come with its data.
      if ((record.member !== null) === (record.type === 'local')) {
        await gate(record, mountId, signal)
      }
      signal.throwIfAborted()
      options.onMounted?.(record, mountId)
      return { Mountpoint: store.path(record) }
    },
    '/VolumeDriver.Unmount': async (body) => {
      const name = checkName(body['Name'])
      // Removed meanwhile: then there is nothing to let go of.
      if (store.get(name) === undefined) return {}
      options.onUnmounted?.(await store.use(name).catch(() => known(body)), textOf(body['ID']))
      return {}
    },
    '/VolumeDriver.Remove': async (body) => {
      const record = known(body)
      if (record.member !== null && record.type === 'local' && !options.mayRemove(record)) {
        throw new MusterError(
          'CONFLICT',
          `${record.name} holds the data of member ${record.member.id}: muster volume rm ${record.name} removes it.`,
        )
      }
      await store.remove(record.name)
      return {}
    },
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const textOptions = (value: unknown): Record<string, string> => {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, String(each)]))
}

/** What Docker shows of an error: one sentence, and what to do. */
export const refusalText = (error: unknown): string =>
  error instanceof MusterError && error.hint !== undefined
    ? `${error.message} ${error.hint}`
    : messageOf(error)
