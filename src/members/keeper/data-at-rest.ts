import { type Clock, MusterError, messageOf } from '../../base/index.ts'
import type { Cluster } from '../../catalog/index.ts'
import type { Recipe } from '../../recipes/index.ts'
import type { VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import type { HelperEngine } from './helper.ts'
import { lookAt } from './look.ts'
import { occupantsOf } from './occupants.ts'
import type { Look } from './report.ts'
import { dueSnapshot } from '../order.ts'
import { restoreSnapshot } from './snapshots.ts'

export interface DataAtRestOptions {
  engine: HelperEngine
  store: VolumeStore
  clock: Clock
  signal: AbortSignal
}

/** Data that could not be looked at are not looked at again before. */
const LOOK_AGAIN_MS = 10_000

/** What is known of a member's data while no process is at them. Looks once, until a process was. */
export class DataAtRest {
  readonly #options: DataAtRestOptions
  #look: Look | null = null
  /** Identity of the ledger that the data were compared with. */
  #ledger: string | null = null
  #failed: { at: number; reason: string } | null = null
  #looking: AbortController | null = null

  constructor(options: DataAtRestOptions) {
    this.#options = options
  }

  get look(): Look | null {
    return this.#look
  }

  /** A process has been, or will be, at the data. */
  forget(): void {
    this.#look = null
    this.#failed = null
  }

  /** A process is at the data: whoever looks at them stops, and throws CONFLICT. */
  interrupt(): void {
    this.#looking?.abort(new MusterError('CONFLICT', 'its data are in use'))
  }

  /**
   * Looks, if that has not been done; `deep`: also at how far the data are. False while somebody uses
   * them. Throws when they cannot be told.
   */
  async examine(
    record: VolumeRecord,
    recipe: Recipe,
    how: { cluster: Cluster | null; deep: boolean; image: string | null },
  ): Promise<boolean> {
    const { engine, store, clock } = this.#options
    const { cluster, deep } = how
    const ledger = cluster?.ledger.uid ?? null
    const order = dueSnapshot(cluster?.ledger ?? null, record)
    if (order !== null) this.#look = null
    if (this.#look && this.#ledger === ledger && (this.#look.recovered || !deep)) return true
    if (this.#failed && clock.now() - this.#failed.at < LOOK_AGAIN_MS) {
      throw new MusterError('ENGINE_REFUSED', this.#failed.reason)
    }
    const occupants = await occupantsOf(engine, record.name)
    if (occupants.some(({ running }) => running)) return false
    const image =
      how.image ?? occupants.find((each) => each.image !== null)?.image ?? record.marker.image
    this.#looking = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, this.#looking.signal])
    try {
      const restored =
        order === null || cluster === null || image === null
          ? record
          : await this.#restore(order, { record, recipe, cluster, image, signal })
      const options = { engine, store, record: restored, recipe, cluster, signal }
      this.#look = await lookAt({ ...options, image: deep ? image : null })
    } catch (error) {
      this.#failed = { at: clock.now(), reason: messageOf(error) }
      throw error
    } finally {
      this.#looking = null
    }
    // Whoever has taken its leave may have been gone on without: better said once too often.
    if (this.#look.clean && !record.marker.clean) await store.mark(record.name, { clean: true })
    this.#failed = null
    this.#ledger = ledger
    return true
  }

  #restore(
    order: NonNullable<ReturnType<typeof dueSnapshot>>,
    what: {
      record: VolumeRecord
      recipe: Recipe
      cluster: Cluster
      image: string
      signal: AbortSignal
    },
  ): Promise<VolumeRecord> {
    const { engine, store } = this.#options
    const { record, recipe, cluster, image, signal } = what
    const { user, env } = recipe.container(cluster.head?.choice.options ?? {})
    const run = { engine, image, user, env, signal }
    return restoreSnapshot(order, { store, record, recipe, ledger: cluster.ledger, run })
  }

  /** Takes the data out of the way: the folder is another one from then on, and empty. */
  async reset(record: VolumeRecord): Promise<void> {
    const { store } = this.#options
    await store.setAside(record.name)
    await store.renew(record.name)
    this.forget()
  }
}
