import { LABEL } from '../base/index.ts'
import type { Node, Service, Task } from '../engine/index.ts'
import { waitsOf } from './dependencies.ts'
import { isJob } from './deploy-spec.ts'
import { explainFailure, type FailureKind, failureKind, hasCheck } from './failure.ts'
import { explainNoHost, isUnplaced } from './no-host.ts'
import { shortName } from './plan.ts'
import {
  bySlot,
  createdAt,
  hasFailed,
  isCurrent,
  isHeld,
  isWanted,
  newestFirst,
  restartsAlways,
  taskName,
  wantedTasks,
} from './tasks.ts'

/** Why a service is not as it should be. */
export interface Diagnosis {
  kind:
    | FailureKind
    | 'no-host'
    | 'update-stopped'
    | 'held'
    | 'allocating'
    | 'pulling'
    | 'starting'
    | 'cluster'
  /** What is wrong: one sentence. */
  sentence: string
  /** What to do: one sentence, or empty. */
  advice: string
  /** The task that shows it. */
  task: Task | undefined
  /** How often it went wrong. */
  failures: number
  /**
   * - `now`: it will not get better by itself
   * - `if-it-stays`: unless something changes soon
   * - `no`: it is on its way
   */
  hopeless: 'now' | 'if-it-stays' | 'no'
}

/** What a diagnosis is made from. */
export interface Scene {
  service: Service
  /** Every task of the service that Swarm remembers. */
  tasks: readonly Task[]
  nodes: readonly Node[]
  /** Tasks of all services, for what is reserved; without it no-host is said less exactly. */
  clusterTasks?: readonly Task[]
  /** Milliseconds since 1970. */
  now: number
  /** Tasks that were there before the deployment that is watched: old failures do not count. */
  before?: ReadonlySet<string>
  /** Whether that deployment changed the service. */
  touched?: boolean
}

/** How long a task may be without an address before that is worth a word. */
const ALLOCATION_MS = 5000

/** The reason why a service is not (yet) as it should be; undefined if nothing is wrong. Pure. */
export const diagnose = (scene: Scene): Diagnosis | undefined => {
  const { service } = scene
  if (isHeld(service)) return held(scene)
  const fresh = newestFirst(scene.tasks.filter((task) => scene.before?.has(task.ID) !== true))
  const stopped = stoppedUpdate(scene, fresh)
  if (stopped !== undefined) return stopped
  const live = fresh.filter((task) => isWanted(task) && isCurrent(task, service))
  const unplaced = live.find((task) => isUnplaced(task))
  const failed = failingSlot(scene, fresh)
  if (failed !== undefined) return failed
  if (unplaced !== undefined) {
    const name = taskName(keyOf(service), unplaced)
    const clusterTasks = scene.clusterTasks ?? scene.tasks
    return {
      kind: 'no-host',
      ...explainNoHost(
        name,
        { task: unplaced, service },
        { nodes: scene.nodes, tasks: clusterTasks },
      ),
      task: unplaced,
      failures: 0,
      hopeless: 'if-it-stays',
    }
  }
  return onItsWay(scene, live)
}

const keyOf = (service: Service): string =>
  shortName(service.Spec.Labels?.[LABEL.stack] ?? '', service.Spec.Name)

const hostOf = (scene: Scene, task: Task): string =>
  scene.nodes.find((node) => node.ID === task.NodeID)?.Description?.Hostname ?? 'no host'

const held = ({ service }: Scene): Diagnosis => {
  const stack = service.Spec.Labels?.[LABEL.stack] ?? ''
  const waits = waitsOf(service).map(
    (each) => `${shortName(stack, each.service)} (${CONDITIONS[each.condition]})`,
  )
  return {
    kind: 'held',
    sentence: `${keyOf(service)} waits for ${waits.join(' and ') || 'its dependencies'}.`,
    advice: 'It starts by itself when that holds; muster why tells why it does not yet.',
    task: undefined,
    failures: 0,
    hopeless: 'no',
  }
}

const CONDITIONS = {
  service_started: 'to be started',
  service_healthy: 'to be healthy',
  service_completed_successfully: 'to complete',
} as const

/** Swarm itself has given up on an update: paused it, or gone back to the old spec. */
const stoppedUpdate = (scene: Scene, fresh: readonly Task[]): Diagnosis | undefined => {
  const { service } = scene
  // The API description knows only three of the seven.
  const state: string | undefined = service.UpdateStatus?.State
  if (state === undefined || state === 'updating' || state === 'completed') return undefined
  // What is left of an earlier update says nothing about this deployment.
  if (scene.touched === false) return undefined
  // After a rollback, a service that is as it was has nothing wrong with it any more.
  if (state === 'rollback_completed' && scene.before === undefined) return undefined
  const task = fresh.find((each) => hasFailed(each))
  if (task === undefined) {
    return {
      kind: 'update-stopped',
      sentence: `${keyOf(service)}: Swarm stopped the update: ${service.UpdateStatus?.Message ?? state}.`,
      advice: `See what its tasks did: muster ps ${keyOf(service)}`,
      task: undefined,
      failures: 1,
      hopeless: 'now',
    }
  }
  return { ...failure(scene, task, 1), hopeless: 'now' }
}

/** Failures that the next try may not meet. */
const PASSING: ReadonlySet<Diagnosis['kind']> = new Set(['exit', 'memory', 'address'])

/** A slot whose newest task failed, or that is being tried again after failures. */
const failingSlot = (scene: Scene, fresh: readonly Task[]): Diagnosis | undefined => {
  const { service } = scene
  const job = isJob(service.Spec.Mode)
  // A service that ends by itself though it is to be restarted is none.
  const always = !job && restartsAlways(service)
  const ended = (task: Task) => hasFailed(task) || (always && endedByItself(task))
  const running = scene.tasks.filter(
    (task) => isWanted(task) && isCurrent(task, service) && task.Status?.State === 'running',
  ).length
  const enough = running >= wantedTasks(service, scene.tasks)
  const worst = bySlot(fresh.filter((task) => isCurrent(task, service)))
    .map((slot) => ({
      failures: slot.filter((task) => ended(task)),
      serves: slot.some((task) => isWanted(task) && task.Status?.State === 'running'),
      done: job && slot.some((task) => task.Status?.State === 'complete'),
      wanted: slot.some((task) => isWanted(task)),
    }))
    .filter((slot) => slot.failures.length > 0 && !slot.serves && !slot.done)
    // What is left of a replica that was scaled away says nothing about those that are wanted.
    .filter((slot) => slot.wanted || !enough)
    .sort((a, b) => b.failures.length - a.failures.length)[0]
  const task = worst?.failures[0]
  if (worst === undefined || task === undefined) return undefined
  const count = worst.failures.length
  const diagnosis = failure(scene, task, count)
  if (isGivenUp(service, count)) return { ...diagnosis, hopeless: 'now' }
  // One refusal may be a registry that coughed; the same one twice is a fact.
  const fact = !PASSING.has(diagnosis.kind) && count >= 2
  return { ...diagnosis, hopeless: fact ? 'now' : 'if-it-stays' }
}

/** The restart policy allows no further try. */
const isGivenUp = (service: Service, failures: number): boolean => {
  const { Condition: condition, MaxAttempts: attempts = 0 } =
    service.Spec.TaskTemplate?.RestartPolicy ?? {}
  return condition === 'none' || (attempts > 0 && failures > attempts)
}

/** A task of a service that ended with status 0 though it was wanted. */
const endedByItself = (task: Task): boolean =>
  task.Status?.State === 'complete' && (task.Status.Err ?? '') === ''

const failure = (scene: Scene, task: Task, failures: number): Diagnosis => {
  const kind = failureKind(task, scene.service)
  const about = {
    name: taskName(keyOf(scene.service), task),
    host: hostOf(scene, task),
    service: scene.service,
    failures,
  }
  return { kind, ...explainFailure(kind, task, about), task, failures, hopeless: 'if-it-stays' }
}

/** Nothing went wrong: what the service is busy with. */
const onItsWay = (scene: Scene, live: readonly Task[]): Diagnosis | undefined => {
  const { service } = scene
  const job = isJob(service.Spec.Mode)
  const done = live.filter((task) => task.Status?.State === 'running').length
  const complete = scene.tasks.filter(
    (task) => isCurrent(task, service) && task.Status?.State === 'complete',
  ).length
  if ((job ? complete : done) >= wantedTasks(service, scene.tasks)) return undefined
  const task = live.find((each) => each.Status?.State !== 'running') ?? live[0]
  const name = task === undefined ? keyOf(service) : taskName(keyOf(service), task)
  const busy = (kind: Diagnosis['kind'], sentence: string, advice = ''): Diagnosis => ({
    kind,
    sentence,
    advice,
    task,
    failures: 0,
    hopeless: 'no',
  })
  const state = task?.Status?.State
  if (task === undefined || state === undefined) {
    return busy('starting', `${name} is about to start.`)
  }
  if (state === 'new') {
    return scene.now - createdAt(task) > ALLOCATION_MS
      ? { ...busy('allocating', NO_ADDRESS(name), LARGER_SUBNET), hopeless: 'if-it-stays' }
      : busy('allocating', `${name} is being given its addresses.`)
  }
  const host = hostOf(scene, task)
  if (state === 'preparing') return busy('pulling', `${name} pulls its image on ${host}.`)
  if (state === 'starting') {
    const check = hasCheck(service) ? '; its health check has not passed yet' : ''
    return busy('starting', `${name} starts on ${host}${check}.`)
  }
  if (state !== 'running') return busy('starting', `${name} is about to start.`)
  return job
    ? busy('starting', `${name} runs on ${host}.`)
    : busy(
        'starting',
        `${keyOf(service)} has ${done} of ${wantedTasks(service, scene.tasks)} tasks.`,
      )
}

const NO_ADDRESS = (name: string) =>
  `${name} waits for an address: its networks may have none left.`
const LARGER_SUBNET =
  'Give them a larger subnet (networks.NAME.ipam), or remove stacks that are not needed.'
