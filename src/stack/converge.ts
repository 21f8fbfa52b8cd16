import { type Clock, LABEL, MusterError } from '../base/index.ts'
import type { EndpointState, Ledger, MemberReport, ReportId } from '../catalog/index.ts'
import type { Engine, Filters, Node, Service, Task } from '../engine/index.ts'
import type { Diagnosis, Scene } from './diagnose.ts'
import { readLedgers } from './ledgers.ts'
import { clusterProgress, type ClusterSight } from './members.ts'
import { isUnplaced } from './no-host.ts'
import { progressOf, type ReadyTasks, type ServiceProgress } from './progress.ts'

/** A service that has to serve. */
export interface Target {
  /** Full name. */
  name: string
  /** The deployment changed it. */
  touched: boolean
  /** Its tasks are being replaced: it has not arrived before Swarm says the update is complete. */
  expectsUpdate: boolean
}

/** Who is ready, as the agent's catalog has it. */
export interface Readiness {
  /**
   * What the agents say of tasks, by task id; of one that is not there no agent speaks. Undefined
   * while the catalog is not known.
   */
  tasks(): ReadonlyMap<string, EndpointState> | undefined
  /** What the agents see of the members of clustered services; undefined: nobody knows. */
  reports(): Promise<ReadonlyMap<ReportId, MemberReport> | undefined>
  /** Resolves at the next change, or when the signal is aborted. */
  changed(signal: AbortSignal): Promise<void>
}

export interface ConvergeOptions {
  /** Which services and tasks are read: those of the stack. */
  filters: Filters
  targets: readonly Target[]
  /** Tasks that were there before the deployment. */
  before: ReadonlySet<string>
  timeoutMs: number
  clock: Clock
  readiness: Readiness | undefined
  onProgress: (services: ServiceProgress[]) => void
  /** Stops waiting; nothing in the cluster changes by it. */
  signal?: AbortSignal
  /** Milliseconds since 1970. */
  wallClock?: () => number
}

export type ConvergeResult =
  | { outcome: 'serving' }
  | { outcome: 'failed'; service: ServiceProgress; diagnosis: Diagnosis }
  | { outcome: 'timeout'; waiting: ServiceProgress[] }
  | { outcome: 'interrupted' }

/** Between two looks: Swarm has no events for tasks. The catalog's changes cut it short. */
const LOOK_MS = 200

/** How long everything must hold before it counts. A container that dies at once takes less. */
const STABLE_MS = 300
/** The same for a service that failed before. */
const STABLE_AFTER_FAILURE_MS = 5000
/** How long something that might pass may last. */
const PATIENCE_MS = 6000
/** The same for a container that exits: what it needs may still be on its way. */
const EXIT_PATIENCE_MS = 30_000
const EXITS = 3
/** A running task that no catalog knows: the agent of its host is silent, Swarm's word must do. */
const CATALOG_PATIENCE_MS = 10_000
/** Swarm begins an update within milliseconds. */
const UPDATE_START_MS = 3000

/**
 * Waits until every target serves, or one of them certainly will not. Looks at what is, again and
 * again; remembers only since when.
 */
export const converge = async (
  engine: Engine,
  options: ConvergeOptions,
): Promise<ConvergeResult> => {
  const { clock, signal } = options
  const deadline = clock.now() + options.timeoutMs
  const since = new Since(clock)
  const observer = new Observer(engine, options)
  for (let first = true; ; first = false) {
    if (signal?.aborted) return { outcome: 'interrupted' }
    const view = look(await observer.see(), options, since)
    options.onProgress(view)
    // What serves at the first look has been running all along.
    if (first && view.every((each) => each.arrived)) return { outcome: 'serving' }
    if (settled(view, since)) return { outcome: 'serving' }
    const lost = hopeless(view, since)
    if (lost !== undefined) return lost
    if (clock.now() >= deadline) {
      return { outcome: 'timeout', waiting: view.filter((each) => !each.arrived) }
    }
    await pause(options)
  }
}

interface Cluster {
  services: readonly Service[]
  tasks: readonly Task[]
  nodes: readonly Node[]
  /** Of the whole cluster; of the stack alone while nobody lacks room. */
  clusterTasks: readonly Task[]
  clusters: ClusterSight
}

/** Hosts, and what all tasks reserve, change seldom and are long lists: read now and then. */
const SLOW_LOOK_MS = 3000

/** Reads what a look needs, the slow parts less often. */
class Observer {
  readonly #engine: Engine
  readonly #options: ConvergeOptions
  #slowAt = Number.NEGATIVE_INFINITY
  #nodes: Node[] = []
  #all: Task[] | undefined

  constructor(engine: Engine, options: ConvergeOptions) {
    this.#engine = engine
    this.#options = options
  }

  async see(): Promise<Cluster> {
    const { clock, filters, readiness } = this.#options
    const [services, tasks] = await Promise.all([
      this.#engine.listServices(filters),
      this.#engine.listTasks(filters),
    ])
    const heads = services.some((each) => each.Spec.Labels?.[LABEL.recipe] !== undefined)
    const [ledgers, reports] = heads
      ? await Promise.all([readLedgers(this.#engine), readiness?.reports()])
      : [new Map<string, Ledger>(), undefined]
    if (clock.now() - this.#slowAt >= SLOW_LOOK_MS) {
      this.#slowAt = clock.now()
      const crowded = tasks.some((task) => isUnplaced(task))
      ;[this.#nodes, this.#all] = await Promise.all([
        this.#engine.listNodes(),
        crowded ? this.#engine.listTasks() : undefined,
      ])
    }
    return {
      services,
      tasks,
      nodes: this.#nodes,
      clusterTasks: this.#all ?? tasks,
      clusters: { ledgers, reports },
    }
  }
}

/** Until the next look: a while, or a change of the catalog. */
const pause = async ({ clock, readiness, signal }: ConvergeOptions): Promise<void> => {
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const quiet = (error: unknown) => {
    if (!either.aborted) throw error
  }
  const timer = clock.sleep(LOOK_MS, either).catch(quiet)
  const change = readiness
    ?.changed(either)
    .then(() => clock.sleep(20, either))
    .catch(quiet)
  await Promise.race(change === undefined ? [timer] : [timer, change])
  stop.abort()
}

const look = (cluster: Cluster, options: ConvergeOptions, since: Since): ServiceProgress[] => {
  const byService = Map.groupBy(cluster.tasks, (task) => task.ServiceID)
  const states = options.readiness?.tasks()
  return options.targets.map((target) => {
    const service = cluster.services.find((each) => each.Spec.Name === target.name)
    if (service === undefined) {
      throw new MusterError(
        'CONFLICT',
        `Somebody removed ${target.name} while it was waited for.`,
        {
          hint: 'Run muster up again.',
        },
      )
    }
    const now = options.wallClock?.() ?? Date.now()
    if (service.Spec.Labels?.[LABEL.recipe] !== undefined) {
      return clusterProgress({
        head: service,
        services: cluster.services,
        tasks: cluster.tasks,
        nodes: cluster.nodes,
        clusterTasks: cluster.clusterTasks,
        ...cluster.clusters,
        ready: readyAmong(states),
        now,
        before: options.before,
      })
    }
    const scene: Scene = {
      service,
      tasks: byService.get(service.ID) ?? [],
      nodes: cluster.nodes,
      clusterTasks: cluster.clusterTasks,
      now,
      before: options.before,
      touched: target.touched,
    }
    return lookAt(scene, target, { states, since })
  })
}

/** Swarm's word on one service, and the catalog's where it has something to say. */
const lookAt = (
  scene: Scene,
  { name, expectsUpdate }: Target,
  { states, since }: { states: TaskStates; since: Since },
): ServiceProgress => {
  const plain = progressOf(scene, { ready: undefined, expectsUpdate: false })
  if (!plain.arrived) {
    since.forget(`plain ${name}`)
    return progressOf(scene, { ready: readyAmong(states), expectsUpdate })
  }
  const lasted = since.first(`plain ${name}`)
  // Swarm found nothing to replace after all: then it never says that an update is complete.
  const unstarted = scene.service.UpdateStatus === undefined && lasted > UPDATE_START_MS
  const blind = lasted > CATALOG_PATIENCE_MS
  const trusted = blind ? scene.tasks.filter((task) => isUnseen(task, states)) : []
  return progressOf(scene, {
    ready: plain.job ? undefined : readyAmong(states, trusted),
    expectsUpdate: expectsUpdate && !unstarted,
  })
}

type TaskStates = ReturnType<Readiness['tasks']>

const readyAmong = (states: TaskStates, trusted: readonly Task[] = []): ReadyTasks =>
  states &&
  new Set([
    ...[...states].flatMap(([task, state]) => (state === 'ready' ? [task] : [])),
    ...trusted.map((task) => task.ID),
  ])

/** No agent speaks for the task; and none had to run anything in it after its start. */
const isUnseen = (task: Task, states: TaskStates): boolean =>
  states?.has(task.ID) !== true && task.Spec?.ContainerSpec?.Labels?.[LABEL.postStart] === undefined

const settled = (view: readonly ServiceProgress[], since: Since): boolean => {
  const lasting = view.map((each) => {
    const key = `arrived ${each.name}`
    if (!each.arrived) {
      since.forget(key)
      return false
    }
    const needed = each.job ? 0 : each.stumbled ? STABLE_AFTER_FAILURE_MS : STABLE_MS
    return since.first(key) >= needed
  })
  return lasting.every(Boolean)
}

const hopeless = (view: readonly ServiceProgress[], since: Since): ConvergeResult | undefined => {
  const arriving = view.filter((each) => !each.arrived && each.diagnosis?.failures === 0)
  // What a crashing container needs may still be on its way: then its patience has not begun.
  const alone = arriving.every((each) => each.diagnosis?.kind === 'held')
  for (const service of view) {
    const { diagnosis, name } = service
    if (!alone) since.forget(`alone ${name}`)
    if (diagnosis === undefined || diagnosis.hopeless === 'no') {
      since.forget(`bad ${name}`)
      continue
    }
    if (diagnosis.hopeless === 'now') return { outcome: 'failed', service, diagnosis }
    const lasted = since.first(`bad ${name}`, diagnosis.kind)
    const exits = diagnosis.kind === 'exit' || diagnosis.kind === 'memory'
    const outOfPatience = exits
      ? diagnosis.failures >= EXITS &&
        (lasted >= EXIT_PATIENCE_MS || (alone && since.first(`alone ${name}`) >= PATIENCE_MS))
      : lasted >= PATIENCE_MS
    if (outOfPatience) return { outcome: 'failed', service, diagnosis }
  }
  return undefined
}

/** Since when something has been so, by name. */
class Since {
  readonly #clock: Clock
  readonly #times = new Map<string, { at: number; value: string }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since this was first asked for with this value, and not forgotten since. */
  first(name: string, value = ''): number {
    const now = this.#clock.now()
    const known = this.#times.get(name)
    if (known?.value === value) return now - known.at
    this.#times.set(name, { at: now, value })
    return 0
  }

  forget(name: string): void {
    this.#times.delete(name)
  }
}
