import { LABEL } from '../base/index.ts'
import type { Service } from '../engine/index.ts'
import { LOST_CONSTRAINT, released } from '../leader/index.ts'
import type { SwarmServiceSpec } from './desired.ts'

/** Plain data with sorted keys: equal specs give equal JSON. */
export type Canonical = { [key: string]: unknown }

/** A service of the cluster with the names that its ids stand for. */
export interface ServiceNames {
  /** Network names by id. */
  networks: ReadonlyMap<string, string>
}

/**
 * One form for a spec as it is posted and as the engine gives it back: names for ids, no defaults,
 * nothing empty, lists whose order means nothing sorted. Two specs are the same to Swarm exactly if
 * these are equal. `ForceUpdate` is left out: it says nothing about what runs.
 */
export const canonicalSpec = (
  spec: Service['Spec'] | SwarmServiceSpec,
  names: ServiceNames,
): Canonical => {
  // A service that is held back counts as what it becomes when it is released.
  const held = spec.Labels?.[LABEL.after] !== undefined
  const copy = structuredClone(held ? released(spec as Service['Spec']) : spec) as Loose
  const task = child(copy, 'TaskTemplate')
  const container = child(task, 'ContainerSpec')
  delete task.ForceUpdate
  const placement = child(task, 'Placement')
  placement.Constraints = texts(placement.Constraints).filter((each) => each !== LOST_CONSTRAINT)
  if (task.Runtime === 'container') delete task.Runtime
  if (container.HealthCheck !== undefined) {
    container.Healthcheck = container.HealthCheck
    delete container.HealthCheck
  }
  if (container.Isolation === 'default') delete container.Isolation
  for (const reference of [...list(container, 'Configs'), ...list(container, 'Secrets')]) {
    delete reference.ConfigID
    delete reference.SecretID
  }
  // Older clients put the networks beside the task template.
  const attachments = [...list(task, 'Networks'), ...list(copy, 'Networks')]
  delete copy.Networks
  for (const attachment of attachments) {
    const target = String(attachment.Target)
    attachment.Target = names.networks.get(target) ?? target
  }
  task.Networks = attachments
  sortBy(attachments, (each) => String(each.Target))
  for (const key of ['Configs', 'Secrets']) {
    sortBy(list(container, key), (each) => String((each.File as Loose | undefined)?.Name))
  }
  const endpoint = child(copy, 'EndpointSpec')
  if (endpoint.Mode === 'vip') delete endpoint.Mode
  for (const port of list(endpoint, 'Ports')) {
    if (port.PublishMode === 'ingress') delete port.PublishMode
    if (port.Protocol === 'tcp') delete port.Protocol
  }
  sortBy(list(endpoint, 'Ports'), (each) => JSON.stringify(prune(each, '')))
  const restart = child(task, 'RestartPolicy')
  if (restart.Condition === 'any') delete restart.Condition
  copy.Mode = modeOf(child(copy, 'Mode'))
  return (prune(copy, '') ?? {}) as Canonical
}

/** True if both say the same to Swarm. */
export const sameCanonical = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

type Loose = Record<string, unknown>

const modeOf = (mode: Loose): Loose => {
  if (mode.Global !== undefined) return { Kind: 'global' }
  if (mode.GlobalJob !== undefined) return { Kind: 'global-job' }
  const job = mode.ReplicatedJob as Loose | undefined
  if (job !== undefined) {
    return {
      Kind: 'replicated-job',
      MaxConcurrent: job.MaxConcurrent ?? 1,
      TotalCompletions: job.TotalCompletions ?? job.MaxConcurrent ?? 1,
    }
  }
  const replicas = (mode.Replicated as Loose | undefined)?.Replicas
  return { Kind: 'replicated', Replicas: replicas ?? 1 }
}

/** The object at a key, made if it is not there. */
const child = (value: Loose, key: string): Loose => {
  const existing = value[key]
  if (typeof existing === 'object' && existing !== null) return existing as Loose
  const made: Loose = {}
  value[key] = made
  return made
}

const texts = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const list = (value: Loose, key: string): Loose[] =>
  Array.isArray(value[key]) ? (value[key] as Loose[]) : []

const sortBy = <T>(items: T[], key: (item: T) => string): void => {
  items.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
}

/** Keys whose zero or false is not the same as nothing. */
const MEANINGFUL = new Set(['Init', 'Replicas', 'Parallelism', 'Delay', 'TotalCompletions'])

const prune = (value: unknown, key: string): unknown => {
  if (value === undefined || value === null || value === '') return undefined
  if (value === false || value === 0) return MEANINGFUL.has(key) ? value : undefined
  if (Array.isArray(value)) {
    return value.length === 0 ? undefined : value.map((item) => prune(item, '') ?? item)
  }
  if (typeof value !== 'object') return value
  const inMap = key === 'Labels' || key === 'Options' || key === 'Sysctls' || key === 'DriverOpts'
  const entries = Object.entries(value)
    // An empty text is a value of a label, and nothing for any other field.
    .map(([name, each]) => [name, inMap ? each : prune(each, name)] as const)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
