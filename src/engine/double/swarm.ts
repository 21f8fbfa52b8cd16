/** The way in: a swarm that exists in memory, with its own time. */
import type { Engine } from '../engine.ts'
import { Behaviours, type Script } from './behaviour.ts'
import { Cluster } from './cluster.ts'
import type { Container } from './container.ts'
import { Facade } from './facade.ts'
import { Host } from './host.ts'
import { hostEngine } from './host-engine.ts'
import { ManualClock } from './manual-clock.ts'
import { seeded } from './random.ts'
import { membershipEngine } from './membership-engine.ts'
import { networkEngine } from './network-engine.ts'
import { swarmEngine } from './swarm-engine.ts'
import { DEFAULT_TIMING, type Timing } from './timing.ts'

export interface DoubleHostOptions {
  name: string
  /** `none`: an engine that is in no swarm. */
  role: 'manager' | 'worker' | 'none'
  /** Default: 10.200.0.11 for the first host, and so on. */
  address?: string
}

export interface DoubleSwarmOptions {
  /** Names alone: the first three are managers (the first alone if there are fewer). */
  hosts: (string | DoubleHostOptions)[]
  /** Decides everything that is left to chance: placement, elections, ids. */
  seed?: number
  timing?: Partial<Timing>
  clock?: ManualClock
}

export interface DoubleSwarm extends AsyncDisposable {
  readonly clock: ManualClock
  /** The engine of one host, as `connectEngine` gives it. */
  engine(host: string): Engine
  /** Lets time pass. Nothing happens otherwise. */
  advance(ms: number): Promise<void>
  /** Lets time pass until a condition holds; throws when it takes longer than `limitMs`. */
  until(condition: () => boolean | Promise<boolean>, limitMs: number, what?: string): Promise<void>
  /** What programs of an image do from their next start. */
  behave(image: string, script: Script): void
  /** Power cord. */
  loseHost(host: string): void
  returnHost(host: string): void
  /** Network cable: the host and its containers run on, alone. */
  cutHost(host: string): void
  healHost(host: string): void
  /** kill -9 of dockerd; containers run on until it is back. */
  killEngine(host: string): void
  startEngine(host: string): void
  /** A container ends by itself: `id` of the container, or of a task. */
  killContainer(id: string, exitCode?: number): void
  /** From the next probe on; undefined gives the health back to the script. */
  setHealth(id: string, healthy: boolean | undefined): void
  /** A line in the log of a container. */
  writeLog(id: string, text: string, stream?: 'stdout' | 'stderr'): void
  /** Name of the Raft leader's host. */
  leader(): string | undefined
}

const withDefaults = (hosts: DoubleSwarmOptions['hosts']): Required<DoubleHostOptions>[] =>
  hosts.map((given, index) => {
    const address = `10.200.0.${11 + index}`
    if (typeof given !== 'string') return { address, ...given }
    const managers = hosts.length < 3 ? 1 : 3
    return { name: given, role: index < managers ? 'manager' : 'worker', address }
  })

/**
 * Makes a swarm whose hosts are all ready: the first manager leads. Everything is as Swarm does it
 * but for what has no meaning in memory: no packet flows, no file is written.
 */
export const createDoubleSwarm = async (options: DoubleSwarmOptions): Promise<DoubleSwarm> => {
  const { clock = new ManualClock(), seed = 1 } = options
  const random = seeded(seed)
  const behaviours = new Behaviours()
  const timing = { ...DEFAULT_TIMING, ...options.timing }
  const cluster = new Cluster({ clock, random, behaviours, timing })
  const world = { clock, random, behaviours, cluster }
  const hosts = new Map<string, Host>()
  for (const { name, address, role } of withDefaults(options.hosts)) {
    const host = new Host({ name, address, clock, random, behaviours })
    hosts.set(name, host)
    if (role === 'none') continue
    if (role === 'manager' && cluster.members.length === 0) cluster.form(host)
    else cluster.join(host, role)
  }
  await clock.advance(timing.registerMs + timing.commitMs)

  const hostNamed = (name: string): Host => {
    const host = hosts.get(name)
    if (host === undefined) throw new Error(`the double has no host ${name}`)
    return host
  }
  const containerOf = (id: string): Container => {
    const taskContainer = cluster.store.get('task', id)?.status.container?.id
    for (const host of hosts.values()) {
      const container = host.find(taskContainer ?? id)
      if (container !== undefined) return container
    }
    throw new Error(`no host of the double has a container ${id}`)
  }
  const change = (name: string, apply: (host: Host) => void) => {
    apply(hostNamed(name))
    cluster.evaluate()
  }

  return {
    clock,
    engine: (name) => {
      const facade = new Facade(world, hostNamed(name))
      return {
        ...swarmEngine(facade),
        ...membershipEngine(facade),
        ...networkEngine(facade),
        ...hostEngine(facade),
        [Symbol.asyncDispose]: async () => undefined,
      }
    },
    advance: (ms) => clock.advance(ms),
    until: (condition, limitMs, what) => clock.until(condition, limitMs, what),
    behave: (image, script) => behaviours.set(image, script),
    loseHost: (name) => change(name, (host) => host.powerOff()),
    returnHost: (name) => change(name, (host) => host.powerOn()),
    cutHost: (name) => change(name, (host) => (host.cut = true)),
    healHost: (name) => change(name, (host) => (host.cut = false)),
    killEngine: (name) => change(name, (host) => host.killEngine()),
    startEngine: (name) => change(name, (host) => host.startEngine()),
    killContainer: (id, exitCode = 137) => containerOf(id).die(exitCode),
    setHealth: (id, healthy) => (containerOf(id).healthOverride = healthy),
    writeLog: (id, text, stream = 'stdout') => containerOf(id).write(stream, text),
    leader: () => cluster.leader?.name,
    [Symbol.asyncDispose]: async () => {
      for (const host of hosts.values()) if (host.powered) host.powerOff()
      cluster.evaluate()
    },
  }
}
