import type { Service, Task } from '../engine/index.ts'
import { isJob } from './deploy-spec.ts'
import { type Diagnosis, diagnose, type Scene } from './diagnose.ts'
import type { MemberRow } from './member-row.ts'
import { hasFailed, isCurrent, isHeld, isWanted, restartsAlways, wantedTasks } from './tasks.ts'

/** How far a service is. */
export interface ServiceProgress {
  /** Full name. */
  name: string
  service: Service
  wanted: number
  /** Tasks of the newest spec that run (and are ready, as far as the catalog says). */
  done: number
  job: boolean
  /** Everything is as wanted. */
  arrived: boolean
  /** It had failures since the deployment began; such a service has to prove itself longer. */
  stumbled: boolean
  /** What it is busy with, or what is wrong. */
  diagnosis: Diagnosis | undefined
  /** Of a clustered service. */
  members?: MemberRow[]
}

/** Who may receive traffic, by task id; undefined: nobody knows, Swarm's word is taken. */
export type ReadyTasks = ReadonlySet<string> | undefined

/** How far a service is, from what Swarm and the catalog say at one moment. Pure. */
export const progressOf = (
  scene: Scene,
  options: { ready: ReadyTasks; expectsUpdate: boolean },
): ServiceProgress => {
  const { service, tasks } = scene
  const job = isJob(service.Spec.Mode)
  const wanted = wantedTasks(service, tasks)
  const current = tasks.filter((task) => isCurrent(task, service))
  const completed = current.filter((task) => task.Status?.State === 'complete')
  const serving = current.filter((task) => serves(task) && isReady(task, options.ready))
  // Who wants no restart (after success) is done when it is done.
  const once = !job && !restartsAlways(service)
  const finished = once ? new Set(completed.map((task) => task.Slot ?? task.NodeID)).size : 0
  const done = job ? completed.length : serving.length + finished
  const state: string | undefined = service.UpdateStatus?.State
  const updating = state === 'updating' || (options.expectsUpdate && state !== 'completed')
  const old = !job && tasks.some((task) => serves(task) && !isCurrent(task, service))
  const surplus = !job && current.filter((task) => serves(task)).length > wanted
  const arrived = !isHeld(service) && done >= wanted && !updating && !old && !surplus
  return {
    name: service.Spec.Name,
    service,
    wanted,
    done: Math.min(done, wanted),
    job,
    arrived,
    stumbled: tasks.some((task) => hasFailed(task) && scene.before?.has(task.ID) !== true),
    diagnosis: arrived ? undefined : diagnose(scene),
  }
}

/** The catalog knows only tasks that have an address in an overlay. */
const isReady = (task: Task, ready: ReadyTasks): boolean =>
  ready === undefined ||
  ready.has(task.ID) ||
  !(task.NetworksAttachments ?? []).some((each) => (each.Addresses ?? []).length > 0)

const serves = (task: Task): boolean => isWanted(task) && task.Status?.State === 'running'
