import { type Canonical, sameCanonical } from './canonical.ts'
import {
  bytes,
  cores,
  duration,
  files,
  image,
  items,
  labels,
  map,
  mounts,
  networks,
  type Say,
  scalar,
  show,
  variables,
} from './diff-words.ts'

/** What a change of a service does to its tasks. */
export interface SpecDiff {
  /** In the words of a Compose file: `image a -> b`. Empty: nothing changes. */
  changes: string[]
  /** Swarm replaces the tasks. */
  replacesTasks: boolean
  /** Only where tasks may run changes: those that still fit stay. */
  movesTasks: boolean
  /** Swarm cannot change the mode of a service: it is removed and made again. */
  recreates: boolean
}

/** What is different between two canonical specs of one service. */
export const diffSpecs = (before: Canonical, after: Canonical): SpecDiff => {
  const changes = FIELDS.flatMap(([name, path, say]) => {
    const [old, now] = [get(before, path), get(after, path)]
    return sameCanonical(old, now) ? [] : say(name, old, now)
  })
  const rest = otherChanges(before, after)
  const task = (spec: Canonical) => {
    const { Placement: _, ...rest } = (get(spec, 'TaskTemplate') ?? {}) as { Placement?: unknown }
    return rest
  }
  const replacesTasks =
    !sameCanonical(task(before), task(after)) ||
    !sameCanonical(get(before, 'EndpointSpec'), get(after, 'EndpointSpec'))
  const placement = 'TaskTemplate.Placement'
  return {
    changes: [...changes, ...rest],
    replacesTasks,
    movesTasks: !replacesTasks && !sameCanonical(get(before, placement), get(after, placement)),
    recreates: !sameCanonical(get(before, 'Mode.Kind'), get(after, 'Mode.Kind')),
  }
}

const get = (value: unknown, path: string): unknown => {
  let current = value
  for (const key of path.split('.')) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Record<string, unknown>)[key]
  }
  return current
}

const CONTAINER = 'TaskTemplate.ContainerSpec'

/** Compose key, place in the canonical spec, how a change of it is said. */
const FIELDS: [string, string, Say][] = [
  ['image', `${CONTAINER}.Image`, image],
  ['deploy.mode', 'Mode.Kind', scalar],
  ['deploy.replicas', 'Mode.Replicas', scalar],
  ['deploy.replicas', 'Mode.TotalCompletions', scalar],
  // Always the same as TotalCompletions.
  ['deploy.replicas', 'Mode.MaxConcurrent', () => []],
  ['command', `${CONTAINER}.Args`, scalar],
  ['entrypoint', `${CONTAINER}.Command`, scalar],
  ['environment', `${CONTAINER}.Env`, variables],
  ['labels', `${CONTAINER}.Labels`, map],
  ['deploy.labels', 'Labels', labels],
  ['ports', 'EndpointSpec.Ports', items],
  ['deploy.endpoint_mode', 'EndpointSpec.Mode', scalar],
  ['networks', 'TaskTemplate.Networks', networks],
  ['volumes', `${CONTAINER}.Mounts`, mounts],
  ['configs', `${CONTAINER}.Configs`, files],
  ['secrets', `${CONTAINER}.Secrets`, files],
  ['healthcheck.test', `${CONTAINER}.Healthcheck.Test`, scalar],
  ['healthcheck.interval', `${CONTAINER}.Healthcheck.Interval`, duration],
  ['healthcheck.timeout', `${CONTAINER}.Healthcheck.Timeout`, duration],
  ['healthcheck.start_period', `${CONTAINER}.Healthcheck.StartPeriod`, duration],
  ['healthcheck.start_interval', `${CONTAINER}.Healthcheck.StartInterval`, duration],
  ['healthcheck.retries', `${CONTAINER}.Healthcheck.Retries`, scalar],
  ['hostname', `${CONTAINER}.Hostname`, scalar],
  ['working_dir', `${CONTAINER}.Dir`, scalar],
  ['user', `${CONTAINER}.User`, scalar],
  ['group_add', `${CONTAINER}.Groups`, items],
  ['tty', `${CONTAINER}.TTY`, scalar],
  ['stdin_open', `${CONTAINER}.OpenStdin`, scalar],
  ['read_only', `${CONTAINER}.ReadOnly`, scalar],
  ['stop_signal', `${CONTAINER}.StopSignal`, scalar],
  ['stop_grace_period', `${CONTAINER}.StopGracePeriod`, duration],
  ['extra_hosts', `${CONTAINER}.Hosts`, items],
  ['dns', `${CONTAINER}.DNSConfig.Nameservers`, items],
  ['dns_search', `${CONTAINER}.DNSConfig.Search`, items],
  ['dns_opt', `${CONTAINER}.DNSConfig.Options`, items],
  ['init', `${CONTAINER}.Init`, scalar],
  ['isolation', `${CONTAINER}.Isolation`, scalar],
  ['sysctls', `${CONTAINER}.Sysctls`, map],
  ['cap_add', `${CONTAINER}.CapabilityAdd`, items],
  ['cap_drop', `${CONTAINER}.CapabilityDrop`, items],
  ['ulimits', `${CONTAINER}.Ulimits`, items],
  ['oom_score_adj', `${CONTAINER}.OomScoreAdj`, scalar],
  ['security_opt', `${CONTAINER}.Privileges`, scalar],
  ['logging.driver', 'TaskTemplate.LogDriver.Name', scalar],
  ['logging.options', 'TaskTemplate.LogDriver.Options', map],
  ['deploy.resources.limits.cpus', 'TaskTemplate.Resources.Limits.NanoCPUs', cores],
  ['deploy.resources.limits.memory', 'TaskTemplate.Resources.Limits.MemoryBytes', bytes],
  ['deploy.resources.limits.pids', 'TaskTemplate.Resources.Limits.Pids', scalar],
  ['deploy.resources.reservations.cpus', 'TaskTemplate.Resources.Reservations.NanoCPUs', cores],
  [
    'deploy.resources.reservations.memory',
    'TaskTemplate.Resources.Reservations.MemoryBytes',
    bytes,
  ],
  [
    'deploy.resources.reservations.generic_resources',
    'TaskTemplate.Resources.Reservations.GenericResources',
    scalar,
  ],
  ['memswap_limit', 'TaskTemplate.Resources.SwapBytes', bytes],
  ['mem_swappiness', 'TaskTemplate.Resources.MemorySwappiness', scalar],
  ['restart', 'TaskTemplate.RestartPolicy.Condition', scalar],
  ['deploy.restart_policy.delay', 'TaskTemplate.RestartPolicy.Delay', duration],
  ['deploy.restart_policy.max_attempts', 'TaskTemplate.RestartPolicy.MaxAttempts', scalar],
  ['deploy.restart_policy.window', 'TaskTemplate.RestartPolicy.Window', duration],
  ['deploy.placement.constraints', 'TaskTemplate.Placement.Constraints', items],
  ['deploy.placement.preferences', 'TaskTemplate.Placement.Preferences', scalar],
  ['deploy.placement.max_replicas_per_node', 'TaskTemplate.Placement.MaxReplicas', scalar],
  ['platform', 'TaskTemplate.Placement.Platforms', scalar],
  ['deploy.update_config', 'UpdateConfig', map],
  ['deploy.rollback_config', 'RollbackConfig', map],
]

const otherChanges = (before: Canonical, after: Canonical): string[] => {
  const known = FIELDS.map(([, path]) => path)
  const covered = (path: string) =>
    known.some((each) => path === each || path.startsWith(`${each}.`))
  const [old, now] = [leaves(before, ''), leaves(after, '')]
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => !covered(path) && old.get(path) !== now.get(path))
    .map((path) => `${path} ${old.get(path) ?? '(none)'} -> ${now.get(path) ?? '(none)'}`)
}

const leaves = (value: unknown, path: string): Map<string, string> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[path, show(value)]])
  }
  return new Map(
    Object.entries(value).flatMap(([key, each]) => [
      ...leaves(each, path === '' ? key : `${path}.${key}`),
    ]),
  )
}
