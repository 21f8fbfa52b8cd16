/** What the contract's cases work with: engines to hold to it, and how time passes there. */
import { expect } from 'vitest'
import { MusterError, type ErrorCode } from '../../base/index.ts'
import type { Engine } from '../engine.ts'
import type { Service, ServiceSpec, Task, TaskSpec } from '../types.ts'

type ContainerSpec = NonNullable<TaskSpec['ContainerSpec']>

/** Programs that both worlds can run. Where there are two, they differ in the image or command. */
export type Program =
  /** Runs until SIGTERM, ends with 0. */
  | 'idle'
  /** The same, as another version. */
  | 'idle-2'
  /** Prints `first` to stdout, `second` to stderr, `third` to stdout, then idles. */
  | 'talks'
  /** Prints `last words` to stderr and exits with 3 within a second. */
  | 'fails'
  /** Exits with 0 within a second. */
  | 'finishes'
  /** Idles; its health check never passes; ends with 5 when it is stopped. */
  | 'sick'
  /** Idles; its health check passes from the third second on. */
  | 'slow'
  /** An image that does not exist. */
  | 'missing'

/** A swarm of real or imagined hosts. */
export interface ContractWorld {
  /** The first is a manager. */
  hosts: readonly string[]
  engine(host: string): Engine
  program(program: Program): ContainerSpec
  /** The image of `idle`, present on the first host. */
  image: string
  /** Lets time pass until `look` returns something; throws after `limitMs` of that time. */
  until<T>(what: string, look: () => Promise<T | undefined | false>, limitMs?: number): Promise<T>
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>
  /** Power cord of a host. Only in worlds of several hosts. */
  lose?(host: string): Promise<void>
  /** Power back on; resolves once its engine answers. */
  restore?(host: string): Promise<void>
}

/** `world` plus what most cases need. */
export class Contract {
  readonly world: ContractWorld
  #names = 0

  constructor(world: ContractWorld) {
    this.world = world
  }

  /** Of the first host. */
  get engine(): Engine {
    return this.world.engine(this.world.hosts[0] as string)
  }

  /** A name that no other case uses. */
  name(stem: string): string {
    this.#names += 1
    return `c${this.#names}-${stem}`
  }

  /** A service that runs a program, with quick restarts. Extra fields replace what is there. */
  spec(
    name: string,
    program: Program,
    more: Omit<ServiceSpec, 'TaskTemplate'> & { task?: TaskSpec; replicas?: number } = {},
  ): ServiceSpec {
    const { task, replicas, ...rest } = more
    return {
      Name: name,
      ...(replicas !== undefined && { Mode: { Replicated: { Replicas: replicas } } }),
      ...rest,
      TaskTemplate: {
        ContainerSpec: this.world.program(program),
        RestartPolicy: { Condition: 'any', Delay: 1e9 },
        ...task,
      },
    }
  }

  async create(spec: ServiceSpec): Promise<string> {
    const { ID } = await this.engine.createService(spec)
    return ID
  }

  /** Reads the service and writes what `change` makes of its spec. */
  async update(id: string, change: (spec: Service['Spec']) => ServiceSpec): Promise<void> {
    // The control loops write to the same object: what loses against them is repeated.
    for (let attempt = 0; ; attempt++) {
      const { Spec, Version } = await this.engine.inspectService(id)
      try {
        await this.engine.updateService(id, Version.Index, change(Spec))
        return
      } catch (error) {
        const lost = error instanceof MusterError && error.code === 'CONFLICT'
        if (!lost || attempt >= 5) throw error
      }
    }
  }

  tasks(service: string): Promise<Task[]> {
    return this.engine.listTasks({ service: [service] })
  }

  /** Tasks that run and are to go on. */
  async running(service: string): Promise<Task[]> {
    const tasks = await this.tasks(service)
    return tasks.filter(
      ({ DesiredState, Status }) => DesiredState === 'running' && Status?.State === 'running',
    )
  }

  /** Waits until exactly so many tasks run and no other is on its way or about to stop. */
  async settled(service: string, count: number, limitMs = 60_000): Promise<Task[]> {
    const wanted = ['new', 'pending', 'assigned', 'accepted', 'preparing', 'ready', 'starting']
    return await this.world.until(
      `${count} tasks of ${service} to run`,
      async () => {
        const running = await this.running(service)
        const others = (await this.tasks(service)).filter(({ DesiredState, Status }) =>
          DesiredState === 'running' || DesiredState === 'ready'
            ? wanted.includes(Status?.State ?? '')
            : Status?.State === 'running',
        )
        return running.length === count && others.length === 0 && running
      },
      limitMs,
    )
  }

  async remove(...ids: string[]): Promise<void> {
    for (const id of ids) await this.engine.removeService(id)
    await this.world.until('the tasks to be gone', async () => {
      const tasks = await this.engine.listTasks()
      // Docker 20.10 never forgets the completed tasks of a job.
      return tasks.every(
        ({ ServiceID, DesiredState, Status }) =>
          !ids.includes(ServiceID) || (DesiredState === 'complete' && Status?.State === 'complete'),
      )
    })
  }
}

/** Expects an error with this code, and returns its message. */
export const refused = async (code: ErrorCode, promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(MusterError)
  expect((error as MusterError).code).toBe(code)
  return (error as MusterError).message
}
