import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError, messageOf } from '../base/index.ts'
import { syncFolder, writeDurably } from './files.ts'
import { changeOptions } from './options.ts'
import { BLANK_MARKER, type Marker, type VolumeOptions, type VolumeRecord } from './record.ts'
import { parseRecord, recordText } from './record-file.ts'

export interface VolumeStoreOptions {
  /** Folder of the volumes: NAME/volume.json, and NAME/data for those of type `local`. */
  folder: string
  /** Folder of what volumes of type `run` hold. */
  runFolder: string
  /** Milliseconds since 1970. */
  wall?: () => number
}

/** Prefix of folders whose data are being deleted. No name of a volume begins with a dot. */
const TRASH = '.trash-'
/** Beside `data`: what was in it before. */
const ASIDE = 'aside'

/** The volumes of this host: their records in memory, as they are on disk. */
export class VolumeStore {
  readonly #options: VolumeStoreOptions
  readonly #wall: () => number
  readonly #records = new Map<string, VolumeRecord>()
  /** Folders that cannot be used, and why. */
  readonly #broken = new Map<string, string>()
  /** One change of a volume after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: VolumeStoreOptions) {
    this.#options = options
    this.#wall = options.wall ?? Date.now
  }

  /** Reads what is on disk, and ends deletions that were cut off. */
  async load(): Promise<void> {
    const { folder, runFolder } = this.#options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await mkdir(runFolder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      if (name.startsWith(TRASH)) await rm(path, { recursive: true, force: true })
      else await this.#read(name, path)
    }
  }

  /** Sorted by name. */
  list(): VolumeRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Undefined if there is none. Throws HOST_SETUP if its folder cannot be trusted. */
  get(name: string): VolumeRecord | undefined {
    const broken = this.#broken.get(name)
    if (broken !== undefined) throw new MusterError('HOST_SETUP', broken)
    return this.#records.get(name)
  }

  /** Why a volume cannot be used, in a sentence; null if it can, or is not there. */
  problem(name: string): string | null {
    return this.#broken.get(name) ?? null
  }

  /** Where its files are. Absolute. */
  path({ name, type }: Pick<VolumeRecord, 'name' | 'type'>): string {
    const { folder, runFolder } = this.#options
    return type === 'run' ? join(runFolder, name) : join(folder, name, 'data')
  }

  /** The volume of that name, made if there is none. Throws CONFLICT if it is something else. */
  create(name: string, options: VolumeOptions): Promise<VolumeRecord> {
    return this.#inTurn(name, async () => {
      const old = this.get(name)
      if (old) return this.#write({ ...old, ...changeOptions(old, options) })
      const record: VolumeRecord = {
        ...options,
        name,
        uid: newUid(),
        created: this.#wall(),
        lastUse: null,
        marker: BLANK_MARKER,
      }
      const home = join(this.#options.folder, name)
      await mkdir(home, { recursive: true, mode: 0o700 })
      await this.#prepare(record)
      await syncFolder(this.#options.folder)
      return this.#write(record)
    })
  }

  /** Makes sure that the folder is there, and remembers that it is used. */
  use(name: string): Promise<VolumeRecord> {
    return this.#inTurn(name, async () => {
      const record = await this.#present(name)
      await this.#prepare(record)
      return this.#write({ ...record, lastUse: this.#wall() })
    })
  }

  /** The data have been lost: what the folder holds from now on is something else. */
  renew(name: string): Promise<VolumeRecord> {
    return this.#inTurn(name, async () => this.#write(renewed(this.#known(name))))
  }

  /** Changes the marker; on disk before this resolves. */
  mark(name: string, marker: Partial<Marker>): Promise<VolumeRecord> {
    return this.#inTurn(name, async () => {
      const record = this.#known(name)
      return this.#write({ ...record, marker: { ...record.marker, ...marker } })
    })
  }

  /**
   * Moves the data out of the way, to be had back by hand until `dropAside`; the folder is empty then.
   * What was set aside before goes.
   */
  setAside(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const record = this.#known(name)
      const home = join(this.#options.folder, name)
      await rm(join(home, ASIDE), { recursive: true, force: true })
      await rename(this.path(record), join(home, ASIDE))
      await this.#prepare(record)
      await syncFolder(home)
    })
  }

  dropAside(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      await rm(join(this.#options.folder, name, ASIDE), { recursive: true, force: true })
    })
  }

  /** Deletes the volume and its data. Resolves once they are out of the way. */
  remove(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const { folder } = this.#options
      const record = this.#records.get(name)
      if (record?.type === 'run') await rm(this.path(record), { recursive: true, force: true })
      if (record !== undefined || this.#broken.has(name)) {
        const trash = join(folder, `${TRASH}${name}-${randomBytes(4).toString('hex')}`)
        await rename(join(folder, name), trash)
        await syncFolder(folder)
        // Many files take long. What is left when the agent ends goes at its next start.
        void rm(trash, { recursive: true, force: true }).catch(() => undefined)
      }
      this.#records.delete(name)
      this.#broken.delete(name)
    })
  }

  #known(name: string): VolumeRecord {
    const record = this.get(name)
    if (record) return record
    throw new MusterError('NOT_FOUND', `there is no volume ${name} on this host.`)
  }

  /** The record, as far as what it is about is still on disk. */
  async #present(name: string): Promise<VolumeRecord> {
    const record = this.#known(name)
    const home = join(this.#options.folder, name)
    if (record.type === 'run' || existsSync(this.path(record))) {
      await mkdir(home, { recursive: true, mode: 0o700 })
      return record
    }
    // A member is told that its data are lost, and gets them from the others. Nobody else may take
    // an empty folder for the data.
    if (record.member === null) {
      throw new MusterError(
        'HOST_SETUP',
        `the data of volume ${name} are gone: ${this.path(record)} is not there.`,
        { hint: `Put them back, or accept the loss: muster volume rm ${name}` },
      )
    }
    await this.#prepare(record)
    return this.#write(renewed(record))
  }

  /** The folder that is mounted. Whoever may enter it is for what is in it to say. */
  async #prepare(record: VolumeRecord): Promise<void> {
    await mkdir(this.path(record), { recursive: true, mode: 0o755 })
  }

  async #write(record: VolumeRecord): Promise<VolumeRecord> {
    const old = this.#records.get(record.name)
    const text = recordText(record)
    const file = join(this.#options.folder, record.name, 'volume.json')
    if (old === undefined || recordText(old) !== text || !existsSync(file)) {
      await writeDurably(file, text)
    }
    this.#records.set(record.name, record)
    return record
  }

  async #read(name: string, path: string): Promise<void> {
    const file = join(path, 'volume.json')
    try {
      const record = parseRecord(await readFile(file, 'utf8'))
      if (record.name !== name) throw new Error(`it is the record of volume ${record.name}`)
      this.#records.set(name, record)
    } catch (error) {
      if (await isEmptyStart(path)) return
      this.#broken.set(name, `volume ${name} cannot be used, ${file}: ${messageOf(error)}.`)
    }
  }

  #inTurn<T>(name: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(act)
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(name, settled)
    void settled.then(() => {
      if (this.#turns.get(name) === settled) this.#turns.delete(name)
    })
    return turn
  }
}

const newUid = (): string => randomBytes(8).toString('hex')

/** Another folder in the same place. A promise to the ledger is not lost with the data. */
const renewed = (record: VolumeRecord): VolumeRecord => ({
  ...record,
  uid: newUid(),
  marker: { ...BLANK_MARKER, epoch: record.marker.epoch, image: record.marker.image },
})

/** The power went while the volume was made: no record yet, and nothing in it. */
const isEmptyStart = async (path: string): Promise<boolean> => {
  const names = (await readdir(path)).filter((name) => name !== 'volume.json.new')
  if (names.length === 0) return true
  return names.join() === 'data' && (await readdir(join(path, 'data'))).length === 0
}
