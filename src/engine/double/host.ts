import { createHash } from 'node:crypto'
import type { EngineEvent } from '../types.ts'
import type { Behaviours } from './behaviour.ts'
import { Container, type ContainerAttachment, type ContainerOptions } from './container.ts'
import { EventLog } from './event-log.ts'
import type { ManualClock } from './manual-clock.ts'
import type { Random } from './random.ts'

export interface HostOptions {
  name: string
  address: string
  clock: ManualClock
  random: Random
  behaviours: Behaviours
}

/** Docker's grace period between SIGTERM and SIGKILL. */
export const STOP_GRACE_MS = 10_000

const digest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

/** The digest that the double's registry has for an image. */
export const imageDigestOf = (image: string): string => digest(`registry ${image}`)
/** The id that an image has on every host. */
export const imageIdOf = (image: string): string => digest(image)

/** One host: its power, its network cable, its engine, and the containers on its disk. */
export class Host {
  readonly name: string
  readonly address: string
  readonly containers = new Map<string, Container>()
  readonly images = new Set<string>()
  /** Driver by name. */
  readonly volumes = new Map<string, string>()
  readonly events = new EventLog()
  readonly #options: HostOptions
  readonly #watchers = new Map<string, () => void>()
  #session = new AbortController()
  #pid = 1000
  powered = true
  engineUp = true
  cut = false

  constructor(options: HostOptions) {
    this.#options = options
    this.name = options.name
    this.address = options.address
  }

  /** Aborted when the engine goes away, by itself or with the power. */
  get session(): AbortSignal {
    return this.#session.signal
  }

  get answers(): boolean {
    return this.powered && this.engineUp
  }

  /** Power cord: containers end without a word, the disk stays. */
  powerOff(): void {
    this.powered = false
    this.#endSession()
    for (const container of this.containers.values()) container.halt(255)
  }

  powerOn(): void {
    this.powered = true
    this.engineUp = true
    this.#session = new AbortController()
  }

  /** The engine dies; what it started runs on. */
  killEngine(): void {
    this.engineUp = false
    this.#endSession()
  }

  /** The engine comes back and ends what its predecessor left running. */
  startEngine(): void {
    for (const container of this.containers.values()) container.halt(137)
    this.engineUp = true
    this.#session = new AbortController()
  }

  find(idOrName: string): Container | undefined {
    const byId = this.containers.get(idOrName)
    if (byId !== undefined) return byId
    const all = [...this.containers.values()]
    return (
      all.find(({ options }) => options.name === idOrName) ??
      (idOrName.length >= 3 ? all.find(({ id }) => id.startsWith(idOrName)) : undefined)
    )
  }

  create(options: Omit<ContainerOptions, 'id' | 'imageId'>): Container {
    const { clock, random } = this.#options
    const ids = { id: random.hex(), imageId: imageIdOf(options.image) }
    const container = new Container({ ...options, ...ids }, clock, {
      died: (dead) => {
        this.#emitContainer(dead, 'die', { exitCode: String(dead.exitCode) })
        this.#watchers.get(dead.id)?.()
      },
      health: (changed) => {
        this.#emitContainer(changed, `health_status: ${changed.health ?? ''}`)
        this.#watchers.get(changed.id)?.()
      },
    })
    this.containers.set(container.id, container)
    this.#emitContainer(container, 'create')
    return container
  }

  start(container: Container): void {
    if (container.status === 'running') return
    const { image, name, env, command, labels } = container.options
    const context = { image, host: this.name, container: name, env, command, labels }
    const behaviour = this.#options.behaviours.ofStart(context)
    container.start(behaviour, ++this.#pid)
    for (const { networkId } of container.attachments.values()) {
      this.emitNetwork(networkId, 'connect', container.id)
    }
    this.#emitContainer(container, 'start')
  }

  stop(container: Container, graceMs = STOP_GRACE_MS): void {
    if (container.status !== 'running') return
    this.#emitContainer(container, 'kill', { signal: '15' })
    container.stop(graceMs)
  }

  kill(container: Container, signal: string): void {
    this.#emitContainer(container, 'kill', { signal })
    if (/^(SIG)?(KILL|9)$/.test(signal)) container.die(137)
    else container.stop(Infinity)
  }

  remove(container: Container): void {
    if (container.status === 'running') this.kill(container, '9')
    this.containers.delete(container.id)
    this.#watchers.delete(container.id)
    this.#emitContainer(container, 'destroy')
  }

  attach(container: Container, attachment: ContainerAttachment): void {
    container.attachments.set(attachment.networkId, attachment)
    if (container.status === 'running') {
      this.emitNetwork(attachment.networkId, 'connect', container.id)
    }
  }

  detach(container: Container, networkId: string): void {
    container.attachments.delete(networkId)
    this.emitNetwork(networkId, 'disconnect', container.id)
  }

  /** Calls back when a container ends or its health changes. One watcher per container. */
  watch(container: Container, watcher: () => void): void {
    this.#watchers.set(container.id, watcher)
  }

  emit(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor' | 'scope'>): void {
    const wall = this.#options.clock.wall()
    this.events.emit({ ...event, time: Math.floor(wall / 1000), timeNano: wall * 1e6 })
  }

  emitNetwork(networkId: string, action: string, container: string): void {
    const Attributes = { container, type: 'overlay' }
    this.emit({
      Type: 'network',
      Action: action,
      Actor: { ID: networkId, Attributes },
      scope: 'local',
    })
  }

  #emitContainer(container: Container, action: string, more: Record<string, string> = {}): void {
    const { labels, image, name } = container.options
    const Attributes = { ...labels, image, name, ...more }
    const Actor = { ID: container.id, Attributes }
    this.emit({ Type: 'container', Action: action, Actor, scope: 'local' })
  }

  #endSession(): void {
    this.#session.abort(new Error(`the engine of ${this.name} went away`))
    this.events.break(new Error('connection lost'))
    this.#watchers.clear()
  }
}
