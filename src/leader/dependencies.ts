/** When a service that waits for others may start. Pure. */
import { LABEL } from '../base/index.ts'
import { type Decode, decoders, fromJson, schema } from '../catalog/index.ts'
import type { Service, ServiceSpec, Task } from '../engine/index.ts'

export const CONDITIONS = [
  'service_started',
  'service_healthy',
  'service_completed_successfully',
] as const
export type Condition = (typeof CONDITIONS)[number]

/** One entry of the label `muster.after`. */
export interface Dependency {
  /** Full Swarm name. */
  service: string
  condition: Condition
  /** False: a dependency that does not exist, or has failed for good, is not waited for. */
  required: boolean
}

/** A global service cannot have 0 replicas: this constraint, which no host meets, holds it back. */
export const HOLD_CONSTRAINT = 'node.labels.muster.hold==never'

const { bool, fallback, list, object, oneOf } = decoders

const dependencies: Decode<Dependency[]> = list(
  object({
    service: schema.name,
    condition: oneOf(...CONDITIONS),
    required: fallback(bool, true),
  }),
)

/** What a service waits for; null if it waits for nothing. Throws CorruptMessage. */
export const dependenciesOf = (spec: ServiceSpec): Dependency[] | null => {
  const label = spec.Labels?.[LABEL.after]
  return label === undefined ? null : fromJson(label, dependencies, `label ${LABEL.after}`)
}

/** A service that others may wait for. */
export interface DependencyState {
  service: Service
  /** All its tasks that Swarm remembers. */
  tasks: readonly Task[]
  /** Endpoints whose container runs, whatever its health check says. */
  runningEndpoints: number
  /** Of a clustered service: members that take traffic; the tasks and endpoints are its members'. */
  readyMembers?: number
}

/** What keeps a service from starting, in words; null when nothing does. */
export const waitsFor = (
  dependency: Dependency,
  state: DependencyState | undefined,
): string | null => {
  const { service: name, condition, required } = dependency
  if (!state) return required ? `${name} does not exist` : null
  const waiting = `${name} (${condition.replace('service_', '').replaceAll('_', ' ')})`
  if (isHeld(state.service.Spec)) return `${waiting}, which waits itself`
  if (condition === 'service_completed_successfully') {
    if (hasCompleted(state)) return null
    return !required && hasGivenUp(state) ? null : waiting
  }
  if (state.readyMembers !== undefined) {
    const holds = condition === 'service_started' ? state.runningEndpoints : state.readyMembers
    return holds > 0 ? null : waiting
  }
  // Nobody can wait for what was scaled to nothing on purpose, except for its health.
  if (condition === 'service_started' && wantsNothing(state.service.Spec)) return null
  const running = state.tasks.some(isRunning)
  const started = running || state.runningEndpoints > 0 || hasCompleted(state)
  // Swarm calls a task running only after its first successful health check.
  const holds = condition === 'service_started' ? started : running
  return holds || (!required && hasGivenUp(state)) ? null : waiting
}

/** The spec of a service that may start now: its replicas and its place, and no more waiting. */
export const released = (spec: ServiceSpec): ServiceSpec => {
  const { [LABEL.after]: _, [LABEL.replicas]: replicas, ...labels } = spec.Labels ?? {}
  const { Mode: mode, TaskTemplate: template } = spec
  const constraints = template?.Placement?.Constraints
  return {
    ...spec,
    Labels: labels,
    ...(mode && replicas !== undefined && { Mode: withReplicas(mode, Number(replicas)) }),
    ...(constraints?.includes(HOLD_CONSTRAINT) && {
      TaskTemplate: {
        ...template,
        Placement: {
          ...template?.Placement,
          Constraints: constraints.filter((each) => each !== HOLD_CONSTRAINT),
        },
      },
    }),
  }
}

type Mode = NonNullable<ServiceSpec['Mode']>

/** A job is held with no completions, as a service is with no replicas. */
const withReplicas = (mode: Mode, count: number): Mode => {
  if (!Number.isSafeInteger(count)) return mode
  if (mode.Replicated) return { Replicated: { ...mode.Replicated, Replicas: count } }
  if (!mode.ReplicatedJob) return mode
  return {
    ReplicatedJob: { ...mode.ReplicatedJob, MaxConcurrent: count, TotalCompletions: count },
  }
}

const isHeld = (spec: ServiceSpec): boolean => spec.Labels?.[LABEL.after] !== undefined

const wantsNothing = (spec: ServiceSpec): boolean => spec.Mode?.Replicated?.Replicas === 0

const isRunning = (task: Task): boolean =>
  task.DesiredState === 'running' && task.Status?.State === 'running'

/** Enough tasks have ended with status 0: each of a job's, or of a service that ends by itself. */
const hasCompleted = ({ service, tasks }: DependencyState): boolean => {
  const { Mode: mode } = service.Spec
  const iteration = service.JobStatus?.JobIteration?.Index
  const complete = tasks.filter(
    (task) =>
      task.Status?.State === 'complete' &&
      (iteration === undefined || (task.JobIteration?.Index ?? iteration) === iteration),
  )
  if (mode?.ReplicatedJob) {
    return (
      complete.length >=
      (mode.ReplicatedJob.TotalCompletions ?? mode.ReplicatedJob.MaxConcurrent ?? 1)
    )
  }
  if (mode?.GlobalJob || mode?.Global) {
    const hosts = new Set(tasks.map(({ NodeID }) => NodeID))
    return complete.length > 0 && new Set(complete.map(({ NodeID }) => NodeID)).size === hosts.size
  }
  const replicas = mode?.Replicated?.Replicas ?? 1
  return replicas > 0 && new Set(complete.map(({ Slot }) => Slot)).size >= replicas
}

/** Every task has failed and Swarm will not try again. */
const hasGivenUp = ({ tasks }: DependencyState): boolean =>
  tasks.length > 0 &&
  tasks.every(
    (task) =>
      ['failed', 'rejected', 'shutdown'].includes(task.Status?.State ?? '') &&
      task.DesiredState !== 'ready' &&
      task.DesiredState !== 'running',
  )
