import { encodeMessage } from './frames.ts'
import { deltaMessage, partMessage } from './messages.ts'
import type { CatalogTable } from './table.ts'
import { TUNABLES } from './tunables.ts'

/** A catalog at one version, ready to be written to any number of followers. */
export interface Snapshot {
  version: number
  frames: readonly Buffer[]
}

/**
 * A manager's catalog as bytes: each version's changes are serialised once, whoever follows, and
 * kept for a while. A follower is just a cursor into them; one that has fallen behind what is kept
 * gets a snapshot, which is made once for all who need one at about the same time.
 */
export class Feed {
  /** Who counts the versions: host id and start time of the agent. */
  readonly origin: string
  readonly #table: CatalogTable
  readonly #logBytes: number
  /** `#log[i]` leads from version `#first + i` to the next. */
  #log: Buffer[] = []
  #first = 0
  #bytes = 0
  #version = 0
  #snapshot: Snapshot | undefined

  constructor(options: { origin: string; table: CatalogTable; logBytes?: number }) {
    this.origin = options.origin
    this.#table = options.table
    this.#logBytes = options.logBytes ?? TUNABLES.logBytes
  }

  get version(): number {
    return this.#version
  }

  /** Serialises what has changed since the last call. Returns the number of new versions. */
  flush(): number {
    const before = this.#version
    for (;;) {
      const changes = this.#table.take(TUNABLES.partSize)
      if (!changes) break
      const frame = encodeMessage(deltaMessage(this.origin, ++this.#version, changes))
      this.#log.push(frame)
      this.#bytes += frame.length
    }
    this.#trim()
    return this.#version - before
  }

  /** The change that follows a version; undefined when it is the newest or no longer kept. */
  after(version: number): Buffer | undefined {
    return this.#log[version - this.#first]
  }

  /** Whether every change since this version of this origin is at hand. */
  canResume(origin: string, version: number): boolean {
    return origin === this.origin && version >= this.#first && version <= this.#version
  }

  /** The newest snapshot that the log still leads on from. */
  snapshot(): Snapshot {
    if (!this.#snapshot || this.#snapshot.version < this.#first) {
      this.flush()
      const { origin } = this
      const frames = [encodeMessage({ type: 'snapshot', origin, version: this.#version })]
      for (const part of this.#table.parts(TUNABLES.partSize)) {
        frames.push(encodeMessage(partMessage(part)))
      }
      frames.push(encodeMessage({ type: 'complete' }))
      this.#snapshot = { version: this.#version, frames }
    }
    return this.#snapshot
  }

  #trim(): void {
    let drop = 0
    while (this.#bytes > this.#logBytes && drop < this.#log.length) {
      this.#bytes -= this.#log[drop]?.length ?? 0
      drop++
    }
    if (drop === 0) return
    this.#log = this.#log.slice(drop)
    this.#first += drop
    if (this.#snapshot && this.#snapshot.version < this.#first) this.#snapshot = undefined
  }
}
