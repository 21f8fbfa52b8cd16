import type { Nanoseconds, Service } from '../compose/index.ts'
import type { Problem } from './check.ts'
import type { SwarmMount, SwarmServiceSpec, SwarmTaskTemplate } from './desired.ts'

/** How long a new task is watched before the next one is updated, and the update is done. */
export const UPDATE_MONITOR: Nanoseconds = 5_000_000_000

type Mode = NonNullable<SwarmServiceSpec['Mode']>

/** How many tasks there are. A service whose completion others wait for is a job. */
export const serviceMode = (service: Service, awaitedToComplete: boolean): Mode => {
  const { deploy } = service
  const count = deploy?.replicas ?? service.scale ?? 1
  const job = { ReplicatedJob: { MaxConcurrent: count, TotalCompletions: count } }
  switch (deploy?.mode ?? 'replicated') {
    case 'replicated':
      return awaitedToComplete ? job : { Replicated: { Replicas: count } }
    case 'global':
      return awaitedToComplete ? { GlobalJob: {} } : { Global: {} }
    case 'replicated-job':
      return job
    case 'global-job':
      return { GlobalJob: {} }
  }
}

export const isJob = (mode: Mode | undefined): boolean =>
  mode?.ReplicatedJob !== undefined || mode?.GlobalJob !== undefined

type RestartPolicy = NonNullable<SwarmTaskTemplate['RestartPolicy']>
type Condition = NonNullable<RestartPolicy['Condition']>

/**
 * When a task that ended is replaced. `deploy.restart_policy` wins over `restart`; without either a
 * service is always replaced and a job is tried once. The delay is the cluster's, not Swarm's 5 s.
 */
export const restartPolicy = (
  service: Service,
  options: { job: boolean; delay: Nanoseconds; path: string[]; problems: Problem[] },
): RestartPolicy => {
  const own = service.deploy?.restart_policy
  const written = own?.condition ?? (own === undefined ? service.restart : undefined)
  const { condition, attempts } = parseRestart(written) ?? {
    condition: options.job ? ('none' as const) : ('any' as const),
    attempts: undefined,
  }
  if (options.job && condition === 'any') {
    options.problems.push({
      path: own === undefined ? [...options.path, 'restart'] : [...options.path, 'deploy'],
      message: 'a job that always restarts never completes.',
      hint: 'Use on-failure or none.',
    })
  }
  const maxAttempts = own?.max_attempts ?? attempts
  return {
    Condition: condition,
    Delay: own?.delay ?? options.delay,
    ...(maxAttempts === undefined ? {} : { MaxAttempts: maxAttempts }),
    ...(own?.window === undefined ? {} : { Window: own.window }),
  }
}

const parseRestart = (
  text: string | undefined,
): { condition: Condition; attempts: number | undefined } | undefined => {
  if (text === undefined || text === '') return undefined
  const [name = '', count] = text.split(':')
  const attempts = count === undefined ? undefined : Number(count)
  if (name === 'on-failure') return { condition: 'on-failure', attempts }
  if (name === 'no' || name === 'none') return { condition: 'none', attempts }
  return { condition: 'any', attempts }
}

/**
 * Old and new task side by side, unless they could get in each other's way: the same files, the same
 * port of a host, or the only place that a host may give to the service.
 */
const defaultOrder = (
  service: Service,
  mounts: readonly SwarmMount[],
): 'start-first' | 'stop-first' => {
  const writes = mounts.some((mount) => mount.Type !== 'tmpfs' && mount.ReadOnly !== true)
  const hostPort = service.ports?.some((port) => port.mode === 'host') ?? false
  const limited = (service.deploy?.placement?.max_replicas_per_node ?? 0) > 0
  const hostNetwork = service.network_mode === 'host'
  return writes || hostPort || limited || hostNetwork ? 'stop-first' : 'start-first'
}

type Update = NonNullable<SwarmServiceSpec['UpdateConfig']>
type Rollback = NonNullable<SwarmServiceSpec['RollbackConfig']>

/** How tasks are replaced: one at a time, back to the old ones if a new one fails. */
export const updateConfigs = (
  service: Service,
  mounts: readonly SwarmMount[],
): { UpdateConfig: Update; RollbackConfig: Rollback } => {
  const update = service.deploy?.update_config ?? {}
  const rollback = service.deploy?.rollback_config ?? {}
  const order = (update.order as Update['Order']) ?? defaultOrder(service, mounts)
  const common = (config: typeof update) => ({
    Parallelism: config.parallelism ?? 1,
    ...(config.delay === undefined ? {} : { Delay: config.delay }),
    Monitor: config.monitor ?? UPDATE_MONITOR,
    ...(config.max_failure_ratio === undefined
      ? {}
      : { MaxFailureRatio: config.max_failure_ratio }),
  })
  return {
    UpdateConfig: {
      ...common(update),
      FailureAction: (update.failure_action as NonNullable<Update['FailureAction']>) ?? 'rollback',
      Order: order ?? 'stop-first',
    },
    RollbackConfig: {
      ...common(rollback),
      FailureAction: (rollback.failure_action as NonNullable<Rollback['FailureAction']>) ?? 'pause',
      Order: (rollback.order as Rollback['Order']) ?? order ?? 'stop-first',
    },
  }
}

/** Limits and reservations; `deploy.resources` wins over the keys of the service itself. */
export const resources = (service: Service): SwarmTaskTemplate['Resources'] => {
  const limits = service.deploy?.resources?.limits ?? {}
  const reservations = service.deploy?.resources?.reservations ?? {}
  const quota = service.cpu_quota ? service.cpu_quota / (service.cpu_period || 100_000) : undefined
  const cpus = limits.cpus ?? service.cpus ?? quota
  const memory = limits.memory ?? service.mem_limit
  const pids = limits.pids ?? service.pids_limit
  const reservedMemory = reservations.memory ?? service.mem_reservation
  const generic = (reservations.generic_resources ?? []).flatMap((each) =>
    each.discrete_resource_spec === undefined
      ? []
      : [
          {
            DiscreteResourceSpec: {
              Kind: each.discrete_resource_spec.kind,
              Value: each.discrete_resource_spec.value,
            },
          },
        ],
  )
  const upper = {
    ...(cpus ? { NanoCPUs: Math.round(cpus * 1e9) } : {}),
    ...(memory ? { MemoryBytes: memory } : {}),
    ...(pids !== undefined && pids > 0 ? { Pids: pids } : {}),
  }
  const lower = {
    ...(reservations.cpus ? { NanoCPUs: Math.round(reservations.cpus * 1e9) } : {}),
    ...(reservedMemory ? { MemoryBytes: reservedMemory } : {}),
    ...(generic.length > 0 ? { GenericResources: generic } : {}),
  }
  const swap = service.memswap_limit
  return {
    ...(Object.keys(upper).length > 0 ? { Limits: upper } : {}),
    ...(Object.keys(lower).length > 0 ? { Reservations: lower } : {}),
    // Compose counts memory and swap together, Swarm counts swap alone.
    ...(swap === undefined ? {} : { SwapBytes: swap < 0 ? swap : swap - (memory ?? 0) }),
    ...(service.mem_swappiness === undefined ? {} : { MemorySwappiness: service.mem_swappiness }),
  }
}

/** Where tasks may run. */
export const placement = (service: Service): NonNullable<SwarmTaskTemplate['Placement']> => {
  const own = service.deploy?.placement
  const spreads = (own?.preferences ?? []).flatMap((each) =>
    each.spread === undefined ? [] : [{ Spread: { SpreadDescriptor: each.spread } }],
  )
  const [os = '', architecture] = (service.platform ?? '').split('/')
  return {
    ...(own?.constraints?.length ? { Constraints: own.constraints } : {}),
    ...(spreads.length > 0 ? { Preferences: spreads } : {}),
    ...(own?.max_replicas_per_node ? { MaxReplicas: own.max_replicas_per_node } : {}),
    ...(service.platform
      ? {
          Platforms: [
            architecture === undefined && os !== 'linux' && os !== 'windows'
              ? { Architecture: os, OS: 'linux' }
              : { ...(architecture === undefined ? {} : { Architecture: architecture }), OS: os },
          ],
        }
      : {}),
  }
}
