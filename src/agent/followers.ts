import { type Feed, type Snapshot, pushInterval } from '../catalog/index.ts'
import type { Connection } from './connection.ts'

interface Follower {
  /** Version that it has been sent, once the snapshot is out. */
  cursor: number
  /** A snapshot that it is being sent, and how far. */
  snapshot: { source: Snapshot; next: number } | undefined
}

/**
 * Pushes one feed to all who follow it. A follower that does not keep up is skipped, costs no
 * memory but its cursor, and goes on from where it was, or from a snapshot.
 */
export class Followers implements Disposable {
  readonly #feed: Feed
  readonly #now: () => number
  readonly #onPush: (push: { versions: number; waited: number }) => void
  readonly #followers = new Map<Connection, Follower>()
  #pushedAt = -Infinity
  #firstChangeAt = 0
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined

  /** `onPush` hears of each push: how many versions, milliseconds since the first change in it. */
  constructor(options: {
    feed: Feed
    now: () => number
    onPush: (push: { versions: number; waited: number }) => void
  }) {
    this.#feed = options.feed
    this.#now = options.now
    this.#onPush = options.onPush
  }

  get size(): number {
    return this.#followers.size
  }

  /** Begins with what the follower lacks; a version of another origin is no use. */
  add(connection: Connection, origin: string, version: number): void {
    const resumes = this.#feed.canResume(origin, version)
    const follower: Follower = { cursor: version, snapshot: undefined }
    if (!resumes) this.#restart(follower)
    this.#followers.set(connection, follower)
    this.pump(connection)
  }

  remove(connection: Connection): void {
    this.#followers.delete(connection)
  }

  /** To be called at each change of the table: pushes at once, or soon if it has just done so. */
  changed(): void {
    if (this.#timer !== undefined) return
    this.#firstChangeAt = this.#now()
    const wait = this.#pushedAt + pushInterval(this.#followers.size) - this.#firstChangeAt
    this.#timer = wait > 0 ? setTimeout(() => this.#push(), wait) : setImmediate(() => this.#push())
  }

  /** Sends a follower as much as it can take. */
  pump(connection: Connection): void {
    const follower = this.#followers.get(connection)
    if (!follower) return
    while (!connection.congested) {
      const { snapshot } = follower
      if (snapshot) {
        const frame = snapshot.source.frames[snapshot.next++]
        if (frame) connection.write(frame)
        else {
          follower.cursor = snapshot.source.version
          follower.snapshot = undefined
        }
        continue
      }
      const frame = this.#feed.after(follower.cursor)
      if (frame) {
        connection.write(frame)
        follower.cursor++
      } else if (follower.cursor < this.#feed.version) this.#restart(follower)
      else return
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer as NodeJS.Timeout)
    clearImmediate(this.#timer as NodeJS.Immediate)
    this.#followers.clear()
  }

  #restart(follower: Follower): void {
    follower.snapshot = { source: this.#feed.snapshot(), next: 0 }
  }

  #push(): void {
    this.#timer = undefined
    this.#pushedAt = this.#now()
    const versions = this.#feed.flush()
    for (const connection of this.#followers.keys()) this.pump(connection)
    if (versions > 0) this.#onPush({ versions, waited: this.#now() - this.#firstChangeAt })
  }
}
