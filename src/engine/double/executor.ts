/** Swarm's agent on one host: turns tasks into containers and reports how they fare. */
import type { TaskState } from '../types.ts'
import type { Behaviours } from './behaviour.ts'
import type { Container } from './container.ts'
import { type Host, STOP_GRACE_MS } from './host.ts'
import type { ManualClock } from './manual-clock.ts'
import type { TaskRecord, TaskStatus } from './records.ts'
import { compareStates, hasEnded } from './states.ts'
import { expandTemplates } from './templates.ts'
import type { Timing } from './timing.ts'

export interface ExecutorOptions {
  host: Host
  clock: ManualClock
  behaviours: Behaviours
  timing: Timing
  /** Hands a status to the managers, now or when they can be reached again. */
  report: (taskId: string, status: TaskStatus) => void
}

type Reporter = (state: TaskState, message: string, err?: string) => void

/** A task that this host works on. */
class Run {
  readonly #pokes = new Set<() => void>()
  desired: TaskState

  constructor(desired: TaskState) {
    this.desired = desired
  }

  get mayStart(): boolean {
    return compareStates(this.desired, 'running') >= 0 && !this.mustStop
  }

  get mustStop(): boolean {
    return compareStates(this.desired, 'shutdown') >= 0
  }

  /** Makes waiters look again. */
  poke(): void {
    for (const poke of this.#pokes) poke()
  }

  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        this.#pokes.delete(look)
        signal.removeEventListener('abort', stop)
      }
      const look = () => {
        if (!condition()) return
        end()
        resolve()
      }
      const stop = () => {
        end()
        reject(signal.reason as Error)
      }
      this.#pokes.add(look)
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}

const TASK_LABEL = 'com.docker.swarm.task.id'

export class Executor {
  readonly #options: ExecutorOptions
  readonly #runs = new Map<string, Run>()

  constructor(options: ExecutorOptions) {
    this.#options = options
  }

  /** The engine went away: nothing is worked on any more. */
  drop(): void {
    this.#runs.clear()
  }

  /** All tasks of this host, after a connection; what is not among them is cleaned up. */
  sync(tasks: TaskRecord[]): void {
    const known = new Set(tasks.map(({ id }) => id))
    for (const { options } of this.#options.host.containers.values()) {
      const taskId = options.labels[TASK_LABEL]
      if (taskId !== undefined && !known.has(taskId)) this.forget(taskId)
    }
    for (const task of tasks) this.receive(task)
  }

  /** A task of this host, new or changed. */
  receive(task: TaskRecord): void {
    const run = this.#runs.get(task.id)
    if (run !== undefined) {
      if (compareStates(task.desired, run.desired) <= 0) return
      run.desired = task.desired
      run.poke()
      return
    }
    if (hasEnded(task.status.state)) return
    const started = new Run(task.desired)
    this.#runs.set(task.id, started)
    const { session } = this.#options.host
    this.#options.clock.spawn(session, () => this.#work(task, started, session))
  }

  /** The task is no longer in the store. */
  forget(taskId: string): void {
    const run = this.#runs.get(taskId)
    if (run !== undefined) {
      run.desired = 'remove'
      run.poke()
      this.#runs.delete(taskId)
    }
    const container = this.#containerOf(taskId)
    if (container !== undefined) this.#options.host.remove(container)
  }

  #containerOf(taskId: string): Container | undefined {
    const { host } = this.#options
    return [...host.containers.values()].find(
      ({ options }) => options.labels[TASK_LABEL] === taskId,
    )
  }

  async #work(task: TaskRecord, run: Run, signal: AbortSignal): Promise<void> {
    const { clock, host, timing } = this.#options
    const leftover = this.#containerOf(task.id)
    const report = this.#reporter(task, () => this.#containerOf(task.id))
    if (leftover !== undefined && leftover.status !== 'created') {
      // It was running when the host went away.
      if (run.mustStop) report('shutdown', 'shutdown')
      else report('failed', 'started', `task: non-zero exit (${leftover.exitCode})`)
      return
    }
    if (run.mustStop) return report('shutdown', 'shutdown')
    if (leftover !== undefined) host.remove(leftover)
    report('accepted', 'accepted')
    report('preparing', 'preparing')
    if (!(await this.#pull(task, report, signal))) return
    await clock.sleep(timing.createMs, signal)
    if (run.mustStop) return report('shutdown', 'shutdown')
    const container = this.#create(task)
    host.watch(container, () => run.poke())
    report('ready', 'prepared')
    await run.until(() => run.mayStart || run.mustStop, signal)
    if (run.mustStop) return report('shutdown', 'shutdown')
    report('starting', 'starting')
    await clock.sleep(timing.startMs, signal)
    host.start(container)
    await this.#live({ task, run, container, report, signal })
  }

  async #pull({ spec }: TaskRecord, report: Reporter, signal: AbortSignal): Promise<boolean> {
    const { clock, behaviours, host, timing } = this.#options
    const image = spec.ContainerSpec?.Image ?? ''
    if (host.images.has(image)) return true
    const { missing, pullMs = timing.pullMs } = behaviours.ofImage(image)
    await clock.sleep(pullMs, signal)
    if (missing === true) {
      report('rejected', 'preparing', `No such image: ${image}`)
      return false
    }
    host.images.add(image)
    return true
  }

  #create(task: TaskRecord): Container {
    const { host } = this.#options
    const { ContainerSpec: spec = {} } = task.spec
    const name = `${task.serviceName}.${task.slot || task.nodeId}.${task.id}`
    const expand = (text: string) => expandTemplates(text, task, host.name)
    const container = host.create({
      name,
      image: spec.Image ?? '',
      command: [...(spec.Command ?? []), ...(spec.Args ?? [])],
      env: (spec.Env ?? []).map(expand),
      hostname: expand(spec.Hostname ?? ''),
      labels: {
        ...spec.Labels,
        'com.docker.swarm.node.id': task.nodeId ?? '',
        'com.docker.swarm.service.id': task.serviceId,
        'com.docker.swarm.service.name': task.serviceName,
        'com.docker.swarm.task': '',
        [TASK_LABEL]: task.id,
        'com.docker.swarm.task.name': name,
      },
      healthCheck:
        spec.HealthCheck ?? this.#options.behaviours.ofImage(spec.Image ?? '').healthCheck,
      body: {},
    })
    for (const { networkId, address } of task.attachments) {
      const [ip = '', prefix = ''] = address.split('/')
      host.attach(container, { networkId, address: ip, prefixLength: Number(prefix), aliases: [] })
    }
    return container
  }

  /** From the start of the container to its end. */
  async #live(life: {
    task: TaskRecord
    run: Run
    container: Container
    report: Reporter
    signal: AbortSignal
  }): Promise<void> {
    const { task, run, container, report, signal } = life
    const { clock, host, timing } = this.#options
    const isOver = () =>
      run.mustStop || container.status === 'exited' || container.health === 'unhealthy'
    await run.until(() => isOver() || container.health !== 'starting', signal)
    const ran = !isOver()
    if (ran) {
      report('running', 'started')
      await run.until(isOver, signal)
    }
    const grace = (task.spec.ContainerSpec?.StopGracePeriod ?? STOP_GRACE_MS * 1e6) / 1e6
    if (run.mustStop) {
      await clock.sleep(timing.gossipMs, signal)
      host.stop(container, grace)
      await run.until(() => container.status === 'exited', signal)
      return report('shutdown', 'shutdown')
    }
    const unhealthy = container.status !== 'exited'
    if (unhealthy) {
      host.stop(container, grace)
      await run.until(() => container.status === 'exited', signal)
    }
    const { exitCode } = container
    // Even what was stopped for being unhealthy has finished, if it says so itself.
    if (exitCode === 0) return report('complete', 'finished')
    const why = unhealthy ? ': dockerexec: unhealthy container' : ''
    report('failed', ran ? 'started' : 'starting', `task: non-zero exit (${exitCode})${why}`)
  }

  #reporter(task: TaskRecord, containerOf: () => Container | undefined): Reporter {
    const { clock, report } = this.#options
    return (state, message, err = '') => {
      const container = containerOf()
      report(task.id, {
        state,
        at: clock.wall(),
        message,
        err,
        container: container && {
          id: container.id,
          pid: container.pid,
          exitCode: container.exitCode,
        },
      })
    }
  }
}
