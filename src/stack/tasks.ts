import { LABEL } from '../base/index.ts'
import type { Service, Task, TaskSpec } from '../engine/index.ts'
import { canonicalSpec } from './canonical.ts'
import { isJob } from './deploy-spec.ts'

/** True if Swarm wants the task to run, to be ready to, or, in a job, to complete. */
export const isWanted = (task: Task): boolean =>
  task.DesiredState === 'running' ||
  task.DesiredState === 'ready' ||
  task.DesiredState === 'complete'

/** True if the task ended without being asked to, or could not be started. */
export const hasFailed = (task: Task): boolean =>
  task.Status?.State === 'failed' || task.Status?.State === 'rejected'

/**
 * What decides whether Swarm would replace a task: everything but where it may run. Tasks and
 * services give back the same template with different defaults in it.
 */
const replacing = (template: TaskSpec = NO_TEMPLATE): string => {
  const known = seen.get(template)
  if (known !== undefined) return known
  const text = describeTemplate(template)
  seen.set(template, text)
  return text
}

const NO_TEMPLATE: TaskSpec = {}
/** One service is compared with each of its tasks. */
const seen = new WeakMap<TaskSpec, string>()

const describeTemplate = (template: TaskSpec): string => {
  const spec = { Name: '', TaskTemplate: template }
  const { TaskTemplate: plain = {} } = canonicalSpec(spec, { networks: NO_NAMES })
  const { Placement: _, ...rest } = plain as { Placement?: unknown }
  return `${template.ForceUpdate ?? 0} ${JSON.stringify(rest)}`
}

const NO_NAMES: ReadonlyMap<string, string> = new Map()

/** True if the task was made from the service's spec as it is now. */
export const isCurrent = (task: Task, service: Service): boolean => {
  if (isJob(service.Spec.Mode)) {
    return (task.JobIteration?.Index ?? 0) === (service.JobStatus?.JobIteration?.Index ?? 0)
  }
  return task.Spec === undefined || replacing(task.Spec) === replacing(service.Spec.TaskTemplate)
}

/** Tasks that the service should have: replicas, completions of a job, or one a host it runs on. */
export const wantedTasks = (service: Service, tasks: readonly Task[]): number => {
  const held = service.Spec.Labels?.[LABEL.replicas]
  if (held !== undefined) return Number(held)
  const mode = service.Spec.Mode
  if (mode?.ReplicatedJob !== undefined) {
    return mode.ReplicatedJob.TotalCompletions ?? mode.ReplicatedJob.MaxConcurrent ?? 1
  }
  if (mode?.Global !== undefined || mode?.GlobalJob !== undefined) {
    const placed = tasks.filter(
      (task) => isCurrent(task, service) && (isWanted(task) || task.Status?.State === 'complete'),
    )
    return Math.max(1, new Set(placed.map((task) => task.NodeID)).size)
  }
  return mode?.Replicated?.Replicas ?? 1
}

/** A task that ends is replaced whatever its exit status; Swarm's default. */
export const restartsAlways = (service: Service): boolean =>
  (service.Spec.TaskTemplate?.RestartPolicy?.Condition ?? 'any') === 'any'

/** The service waits for its dependencies; Muster's leader will give it its tasks. */
export const isHeld = (service: Service): boolean =>
  service.Spec.Labels?.[LABEL.after] !== undefined

/** `web.2` for the second replica of `shop_web`, `web on host-1` in a global service. */
export const taskName = (key: string, task: Task): string =>
  task.Slot === undefined || task.Slot === 0 ? key : `${key}.${task.Slot}`

/** The health check that a container gets from its spec; undefined: the image's own, if any. */
export const healthcheckOf = (template: TaskSpec | undefined): { Test?: string[] } | undefined => {
  const container = (template?.ContainerSpec ?? {}) as {
    Healthcheck?: { Test?: string[] }
    HealthCheck?: { Test?: string[] }
  }
  // Engines say Healthcheck, their API description HealthCheck.
  return container.Healthcheck ?? container.HealthCheck
}

/** When the engine made it, as milliseconds since 1970. */
export const createdAt = (task: Task): number => Date.parse(task.CreatedAt ?? '') || 0

/** Newest first. */
export const newestFirst = (tasks: readonly Task[]): Task[] =>
  [...tasks].sort((a, b) => createdAt(b) - createdAt(a))

/** One list for each slot, or for each host of a global service; newest first. */
export const bySlot = (tasks: readonly Task[]): Task[][] => {
  const slots = Map.groupBy(newestFirst(tasks), (task) => task.Slot || task.NodeID || task.ID)
  return [...slots.values()]
}
