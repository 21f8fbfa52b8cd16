/** A volume as lists show it. */
import { execa } from 'execa'
import { decoders, schema } from '../catalog/index.ts'
import type { ContainerSummary } from '../engine/index.ts'
import type { VolumeRecord } from '../volumes/index.ts'
import { TASK_LABELS } from './local-container.ts'

export interface VolumeView {
  name: string
  /** Identity of the folder. */
  uid: string
  type: string
  stack: string | null
  /** Clustered service and member whose data it holds. */
  cluster: string | null
  member: string | null
  /** Milliseconds since 1970. */
  created: number
  lastUse: number | null
  /** Where its files are on its host. */
  path: string
  /** Bytes on disk; null if they were not counted. */
  size: number | null
  /** Services, and other containers, that have it now. */
  users: string[]
}

const { anyText, integer, list, nullable, object } = decoders

const views = list(
  object({
    name: schema.name,
    uid: schema.name,
    type: anyText(64),
    stack: nullable(schema.name),
    cluster: nullable(schema.name),
    member: nullable(schema.name),
    created: integer(0),
    lastUse: nullable(integer(0)),
    path: anyText(4096),
    size: nullable(integer(0)),
    users: list(anyText(512)),
  }),
)

/** Throws CorruptMessage. */
export const decodeVolumeViews = (value: unknown): VolumeView[] => views(value, 'volumes')

export const viewOf = (
  record: VolumeRecord,
  seen: { path: string; size: number | null; users: string[] },
): VolumeView => ({
  name: record.name,
  uid: record.uid,
  type: record.type,
  stack: record.stack,
  cluster: record.member?.cluster ?? null,
  member: record.member?.id ?? null,
  created: record.created,
  lastUse: record.lastUse,
  ...seen,
})

const ENDED: ReadonlySet<string | undefined> = new Set(['exited', 'removing', 'dead'])

/**
 * What is left of a task that has ended. Swarm removes it, but never what was on a host that lost its
 * power meanwhile.
 */
export const isRemains = ({ State, Labels }: ContainerSummary): boolean =>
  Labels?.[TASK_LABELS.task] !== undefined && ENDED.has(State)

/** Who has which volume, by name of the volume: all containers but what is left of tasks. */
export const volumeUsers = (containers: readonly ContainerSummary[]): Map<string, string[]> => {
  const users = new Map<string, Set<string>>()
  for (const container of containers) {
    if (isRemains(container)) continue
    const { Mounts, Labels, Names, Id } = container
    const user = Labels?.[TASK_LABELS.serviceName] ?? Names?.[0]?.slice(1) ?? Id ?? ''
    for (const { Type, Name } of Mounts ?? []) {
      if (Type !== 'volume' || !Name) continue
      users.set(Name, (users.get(Name) ?? new Set()).add(user))
    }
  }
  return new Map([...users].map(([name, set]) => [name, [...set].sort()]))
}

const SIZE_LIMIT_MS = 20_000

/** Bytes that a folder takes; null if counting them takes too long. */
export const sizeOf = async (path: string): Promise<number | null> => {
  const { stdout, exitCode } = await execa('du', ['-s', '-x', '-B1', path], {
    reject: false,
    timeout: SIZE_LIMIT_MS,
  })
  const bytes = Number(stdout.split('\t')[0])
  // Files that vanish meanwhile make it fail, and still count.
  return exitCode !== undefined && stdout !== '' && Number.isSafeInteger(bytes) ? bytes : null
}
