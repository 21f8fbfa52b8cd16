import { LABEL, MusterError } from '../base/index.ts'
import { type Head, headOf, isMemberService } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import { type Canonical, canonicalSpec, sameCanonical } from './canonical.ts'
import { type Current, networkNames, ownedBy, ownServices } from './current.ts'
import { isJob } from './deploy-spec.ts'
import type { SettledService, SettledStack } from './desired.ts'
import { baseName } from './files.ts'
import { planRefusals } from './refusals.ts'
import { diffSpecs, type SpecDiff } from './diff.ts'
import type { Operation, UpdateService } from './operations.ts'
import { claimsOf, conflicting } from './published.ts'
import { deployedRevision, nextNumber } from './revisions.ts'

/** Everything that turns what is into what is wanted, in the order it is done. */
export interface Plan {
  stack: string
  settled: SettledStack
  /** Revision that serves now, if any, and the one that this becomes. */
  from: number | undefined
  to: number
  operations: Operation[]
  /** Keys of services that stay as they are. */
  unchanged: string[]
  notes: string[]
}

/**
 * What has to be done. Pure; nothing to do means an empty list. Throws STACK_REFUSED for what Swarm
 * cannot change, and for external objects that are not there.
 */
export const plan = (settled: SettledStack, current: Current, notes: string[] = []): Plan => {
  const refusals = planRefusals(settled, current)
  if (refusals.length > 0) {
    throw new MusterError('STACK_REFUSED', refusals.map((each) => each.message).join('\n'), {
      hint: refusals[0]?.hint ?? '',
    })
  }
  const services = planServices(settled, current)
  const operations = [
    ...createNetworks(settled, current),
    ...createFiles(settled, current),
    ...services.operations,
    ...removals(settled, current),
  ]
  return {
    stack: settled.name,
    settled,
    from: deployedRevision(current.revisions)?.number,
    to: nextNumber(current.revisions),
    operations,
    unchanged: services.unchanged,
    notes,
  }
}

const createNetworks = (settled: SettledStack, current: Current): Operation[] => {
  const there = new Set(current.networks.map((each) => each.Name))
  return settled.networks
    .filter((network) => !network.external && !there.has(network.name))
    .map((network) => ({ kind: 'create-network', network }))
}

const createFiles = (settled: SettledStack, current: Current): Operation[] =>
  settled.files.flatMap((file): Operation[] => {
    const existing = current[`${file.kind}s`]
    if (file.external || existing.some((each) => each.Spec.Name === file.name)) return []
    const base = baseName(file.name)
    const replaces = existing.some((each) => baseName(each.Spec.Name) === base)
    return [{ kind: 'create-file', file, replaces }]
  })

const planServices = (
  settled: SettledStack,
  current: Current,
): { operations: Operation[]; unchanged: string[] } => {
  const names = { networks: networkNames(current.networks) }
  const existing = new Map(current.services.map((each) => [each.Spec.Name, each]))
  const drafts = settled.services.map((service) => {
    const there = existing.get(service.name)
    if (there === undefined) return { service, there, diff: undefined, before: undefined }
    const before = canonicalSpec(there.Spec, names)
    const after = canonicalSpec(service.spec, names)
    return { service, there, diff: diffOf(before, after, there), before }
  })
  const replaced = new Set(
    drafts.filter((each) => each.diff?.replacesTasks).map((each) => each.service.name),
  )
  const changed = new Set(
    drafts
      .filter((each) => each.there === undefined || (each.diff?.changes.length ?? 0) > 0)
      .map((each) => each.service.name),
  )
  const waves = updateWaves(settled.services, changed)
  const operations: Operation[] = []
  const unchanged: string[] = []
  for (const { service, there, diff, before } of drafts) {
    if (there === undefined || diff === undefined || before === undefined) {
      operations.push({ kind: 'create-service', service, held: service.after.length > 0 })
      continue
    }
    const forced = service.restartWith.filter((each) => replaced.has(each))
    if (diff.changes.length === 0 && forced.length === 0) {
      unchanged.push(service.key)
    } else if (diff.recreates) {
      operations.push({
        kind: 'recreate-service',
        service,
        id: there.ID,
        changes: diff.changes,
        held: service.after.length > 0,
      })
    } else {
      operations.push(updateOf({ service, there, diff, before, forced, wave: waves(service.name) }))
    }
  }
  return { operations, unchanged }
}

/** A difference always says something, even where no field of a Compose file is behind it. */
const diffOf = (before: Canonical, after: Canonical, there: Service): SpecDiff => {
  const diff = diffSpecs(before, after)
  if (diff.changes.length > 0) return diff
  if (!sameCanonical(before, after)) return { ...diff, changes: ['labels that Docker reads'] }
  // Half of the tasks may still be old ones; the same spec again makes Swarm go on.
  return there.UpdateStatus?.State === 'paused'
    ? { ...diff, changes: ['the update that was paused goes on'] }
    : diff
}

const updateOf = (draft: {
  service: SettledService
  there: Service
  diff: SpecDiff
  before: Canonical
  forced: string[]
  wave: number
}): UpdateService => {
  const { service, there, diff, forced } = draft
  const held = there.Spec.Labels?.[LABEL.after] !== undefined
  const head = headOf(service.spec)
  const replaces = (diff.replacesTasks || forced.length > 0) && !held
  const force = there.Spec.TaskTemplate?.ForceUpdate ?? 0
  return {
    kind: 'update-service',
    service,
    id: there.ID,
    version: there.Version.Index,
    before: JSON.stringify(draft.before),
    changes: [...diff.changes, ...forced.map((each) => `restarts because ${each} changes`)],
    restarts: replaces ? taskCount(there.Spec) : 0,
    effect: held
      ? 'still waits for its dependencies'
      : head !== null
        ? memberEffect(head, { there, replaces })
        : effectOf(service, { replaces, moves: diff.movesTasks }),
    held,
    forceUpdate: forced.length > 0 ? force + 1 : force,
    wave: draft.wave,
  }
}

/** What happens to the members of a clustered service, in words. */
const memberEffect = (
  head: Head,
  { there, replaces }: { there: Service; replaces: boolean },
): string => {
  const running = headOf(there.Spec)
  if (running === null) return 'becomes a cluster; its members begin with empty data'
  const more = head.members - running.members
  return [
    ...(replaces ? ['members are updated one after another, readers first'] : []),
    ...(head.members === 0 && more < 0 ? ['members stop one after another, the writer last'] : []),
    ...(more > 0
      ? [running.members === 0 ? 'members start again' : 'new members join one after another']
      : []),
    ...(more < 0 && head.members > 0
      ? ['the newest leave one after another, never the writer']
      : []),
    ...(!replaces && more === 0 ? ['no member restarts'] : []),
  ].join('; ')
}

/** Tasks that a change replaces; a global service has one on each host, counted as one here. */
const taskCount = (spec: Service['Spec']): number =>
  headOf(spec)?.members ??
  spec.Mode?.Replicated?.Replicas ??
  spec.Mode?.ReplicatedJob?.TotalCompletions ??
  1

const effectOf = (service: SettledService, what: { replaces: boolean; moves: boolean }): string => {
  // Swarm runs a job again after every update of it, whatever has changed.
  if (isJob(service.spec.Mode)) return 'runs again'
  if (what.moves) return 'tasks move only if their host no longer fits'
  if (!what.replaces) return 'no task restarts'
  const { Parallelism: parallelism = 1, Order: order } = service.spec.UpdateConfig ?? {}
  const pace = parallelism === 0 ? 'all at once' : `rolling, ${parallelism} at a time`
  return `${pace}, ${order === 'start-first' ? 'start first' : 'stop first'}`
}

/**
 * In which wave a running service is updated: after every dependency of it that changes in the same
 * deployment and that it waits for to be healthy or to complete. New services need no wave, the
 * leader holds them.
 */
const updateWaves = (
  services: readonly SettledService[],
  changed: ReadonlySet<string>,
): ((name: string) => number) => {
  const byName = new Map(services.map((each) => [each.name, each]))
  const known = new Map<string, number>()
  const waveOf = (name: string): number => {
    const seen = known.get(name)
    if (seen !== undefined) return seen
    // A loop of dependencies is refused when the file is loaded; this only ends the recursion.
    known.set(name, 0)
    const waits = (byName.get(name)?.after ?? []).filter(
      (each) => changed.has(each.service) && each.condition !== 'service_started',
    )
    const wave = Math.max(0, ...waits.map((each) => waveOf(each.service) + 1))
    known.set(name, wave)
    return wave
  }
  return waveOf
}

/** What the file no longer has: services first, then the networks that only they used. */
const removals = (settled: SettledStack, current: Current): Operation[] => {
  const wanted = new Set(settled.services.map((each) => each.name))
  const claims = settled.services.flatMap((each) =>
    claimsOf({ Spec: each.spec } as unknown as Service),
  )
  const services = ownServices(current)
    // Members come and go with their head, by the leader's hand.
    .filter((each) => !wanted.has(each.Spec.Name) && !isMemberService(each.Spec))
    .map((each): Operation => {
      const name = each.Spec.Name
      return {
        kind: 'remove-service',
        name,
        key: shortName(settled.name, name),
        id: each.ID,
        // Somebody else in the stack takes over its port: it must let go first.
        early: claimsOf(each).some((held) => claims.some((claim) => conflicting(held, claim))),
      }
    })
  const networks = current.networks
    .filter(
      (each) =>
        ownedBy(settled.name, each.Labels) &&
        !settled.networks.some((network) => network.name === each.Name),
    )
    .map((each): Operation => ({ kind: 'remove-network', name: each.Name, id: each.Id }))
  return [...services, ...networks]
}

/** `shop_web` in the stack `shop` is `web`. */
export const shortName = (stack: string, name: string): string =>
  name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name
