/** Whether anybody still needs a volume. Pure. */
import type { VolumeView } from '../agent/index.ts'
import type { Ledger } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'

/**
 * - `used`: a container has it
 * - `needed`: a service mounts it when it runs there, or a clustered service counts on its data
 * - `orphan`: nobody would ever use it again by itself
 */
export type Need = 'used' | 'needed' | 'orphan'

export interface Wants {
  /** Sources of all mounts of all services, templates and all. */
  sources: readonly string[]
  ledgers: readonly Ledger[]
  /** Clustered services of which it is not known what they count on. */
  unclear: ReadonlySet<string>
}

/** What services and ledgers want; `unreadable` are names of clusters with a ledger that makes no sense. */
export const wantsOf = (
  services: readonly Service[],
  ledgers: Iterable<Ledger>,
  unreadable: Iterable<string>,
): Wants => ({
  sources: services.flatMap(({ Spec }) =>
    (Spec.TaskTemplate?.ContainerSpec?.Mounts ?? []).flatMap(({ Type, Source }) =>
      Type === 'volume' && Source !== undefined ? [Source] : [],
    ),
  ),
  ledgers: [...ledgers],
  unclear: new Set([...unreadable, ...services.map(({ Spec }) => Spec.Name)]),
})

export const needOf = (
  volume: Pick<VolumeView, 'name' | 'users' | 'cluster' | 'member' | 'type'>,
  host: string,
  { sources, ledgers, unclear }: Wants,
): Need => {
  if (volume.users.length > 0) return 'used'
  if (volume.cluster !== null && volume.type === 'local') {
    // Its service may be gone because the stack is down: the data are the cluster's all the same.
    const ledger = ledgers.find(({ cluster }) => cluster === volume.cluster)
    if (ledger === undefined) return unclear.has(volume.cluster) ? 'needed' : 'orphan'
    return ledger.members[volume.member ?? '']?.host === host ? 'needed' : 'orphan'
  }
  return sources.some((source) => matches(source, volume.name)) ? 'needed' : 'orphan'
}

/** `data.{{.Task.Slot}}` is the source of `data.1`, and of every other slot: it may grow again. */
const matches = (source: string, name: string): boolean => {
  const pattern = source
    .split(/\{\{[^}]*\}\}/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join('.+')
  return new RegExp(`^${pattern}$`).test(name)
}
