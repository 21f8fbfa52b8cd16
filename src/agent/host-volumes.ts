import { ignoreMissing, MusterError, messageOf } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import {
  ANCHOR,
  type Gate,
  PluginServer,
  type VolumeRecord,
  VolumeStore,
  dropAnchor,
  makeAnchor,
  volumeDriver,
} from '../volumes/index.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { type VolumeView, isRemains, sizeOf, viewOf, volumeUsers } from './volume-view.ts'

export interface HostVolumesOptions {
  engine: Pick<Engine, 'createVolume' | 'listContainers' | 'removeContainer' | 'removeVolume'>
  /** Folder of the volumes, and of what they hold only while the host runs. */
  folder: string
  runFolder: string
  /** Where Docker looks for the driver. */
  socket: string
}

interface VolumeServing {
  gate: Gate
  onUnmounted: (volume: VolumeRecord, mountId: string) => void
  log: Log
  metrics: Metrics
}

/** The volumes of a host, and the driver that Docker has them from. */
export class HostVolumes implements AsyncDisposable {
  readonly store: VolumeStore
  readonly #options: HostVolumesOptions
  /** Members' volumes whose data a person has given up. */
  readonly #givenUp = new Set<string>()
  #server: PluginServer | undefined
  #anchored = false

  constructor(options: HostVolumesOptions) {
    this.#options = options
    this.store = new VolumeStore(options)
  }

  /** Serves the driver. An engine that starts waits for it: nothing else may be waited for before. */
  async start({ gate, onUnmounted, log, metrics }: VolumeServing): Promise<void> {
    await this.store.load()
    await makeAnchor(this.store)
    this.#server = new PluginServer({
      socket: this.#options.socket,
      operations: volumeDriver({
        store: this.store,
        gate,
        onUnmounted,
        mayRemove: ({ name }) => this.#givenUp.has(name),
      }),
      onError: ({ operation, volume, error }) => {
        const known = error instanceof MusterError && error.code === 'NOT_FOUND'
        // Docker asks every driver for names that it does not know.
        if (known && operation === '/VolumeDriver.Get') return
        metrics.volumeErrors.inc({ operation: operation.split('.').at(-1) ?? '' })
        log.warn({ operation, volume, reason: messageOf(error) }, 'volume driver')
      },
    })
    await this.#server.start()
  }

  /** Makes the engine list the driver, once it answers. */
  async anchor(): Promise<void> {
    if (this.#anchored) return
    await dropAnchor(this.#options.engine)
    this.#anchored = true
  }

  /** All of this host, for people. */
  async views({ sizes }: { sizes: boolean }): Promise<VolumeView[]> {
    const records = this.store.list().filter(({ name }) => name !== ANCHOR)
    const users = volumeUsers(await this.#options.engine.listContainers({ all: true }))
    return Promise.all(
      records.map(async (record) => {
        const path = this.store.path(record)
        const size = sizes ? await sizeOf(path) : null
        return viewOf(record, { path, size, users: users.get(record.name) ?? [] })
      }),
    )
  }

  /** Removes a volume and its data. CONFLICT while a container has it, NOT_FOUND. */
  async remove({ name, uid }: { name: string; uid: string }): Promise<void> {
    if (name === ANCHOR) throw new MusterError('CONFLICT', `${ANCHOR} is what Docker knows us by.`)
    const record = this.store.list().find((each) => each.name === name)
    if (record?.uid !== uid) {
      throw new MusterError('NOT_FOUND', `Volume ${name} is not the one any more that was shown.`)
    }
    const { engine } = this.#options
    const containers = await engine.listContainers({ all: true, filters: { volume: [name] } })
    const users = volumeUsers(containers).get(name)
    if (users) {
      throw new MusterError('CONFLICT', `Volume ${name} is used by ${users.join(', ')}.`, {
        hint: 'Remove the service first, or wait until its last task is gone.',
      })
    }
    for (const { Id = '' } of containers.filter(isRemains)) {
      await ignoreMissing(engine.removeContainer(Id))
    }
    this.#givenUp.add(name)
    try {
      // Docker knows who uses it.
      await engine.removeVolume(name)
    } finally {
      this.#givenUp.delete(name)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
  }
}
