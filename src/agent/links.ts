import {
  type Catalog,
  CatalogFollower,
  type Downward,
  type HostId,
  type ManagerSight,
  type Usage,
  chooseManager,
} from '../catalog/index.ts'
import { Link, type LinkOptions, type ManagerAddress } from './link.ts'

export interface LinksOptions extends Omit<
  LinkOptions,
  'manager' | 'onMessage' | 'onChange' | 'onEnd'
> {
  onCatalog: (catalog: Catalog) => void
  /** Another manager is followed, or none. */
  onFollow: (manager: HostId | null) => void
  /** A version was missing. */
  onResync: (manager: HostId) => void
  onEnd: LinkOptions['onEnd']
}

/** An agent's streams to all managers: reports to each, the catalog from one. */
export class Links implements AsyncDisposable {
  readonly #options: LinksOptions
  readonly #links = new Map<HostId, Link>()
  readonly #follower = new CatalogFollower()
  #followed: HostId | null = null
  /** A snapshot has been asked for: what comes before it is of no use. */
  #awaiting = false

  constructor(options: LinksOptions) {
    this.#options = options
  }

  get followed(): HostId | null {
    return this.#followed
  }

  /** The last catalog, as its manager sent it. */
  get catalog(): Catalog {
    return this.#follower.catalog
  }

  get managers(): ManagerSight[] {
    return [...this.#links.values()].map((link) => link.sight)
  }

  /** Opens streams to managers that are new, closes those to hosts that are none any more. */
  async setManagers(managers: readonly ManagerAddress[]): Promise<void> {
    const wanted = new Map(managers.map((manager) => [manager.id, manager]))
    const closing: Link[] = []
    for (const [id, link] of this.#links) {
      const { address, port } = wanted.get(id) ?? {}
      if (address === link.manager.address && port === link.manager.port) continue
      this.#links.delete(id)
      closing.push(link)
    }
    for (const manager of wanted.values()) {
      if (this.#links.has(manager.id)) continue
      const link = new Link({
        ...this.#options,
        manager,
        onMessage: (from, message) => this.#onMessage(from, message),
        onChange: (changed) => {
          // A stream that is new knows nothing of what was asked on the old one.
          if (changed.manager.id === this.#followed && !changed.sight.connected) {
            this.#followed = null
          }
          this.#choose()
        },
      })
      this.#links.set(manager.id, link)
      link.start()
    }
    this.#choose()
    await Promise.all(closing.map((link) => link[Symbol.asyncDispose]()))
  }

  /** The host's own endpoints have changed. */
  report(): void {
    for (const link of this.#links.values()) link.report()
  }

  reportUsage(usage: Usage): void {
    for (const link of this.#links.values()) link.reportUsage(usage)
  }

  /** To be called every `TUNABLES.tick` of src/catalog. */
  tick(): void {
    for (const link of this.#links.values()) link.tick()
    this.#choose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#links.values()]
    this.#links.clear()
    await Promise.all(links.map((link) => link[Symbol.asyncDispose]()))
  }

  #choose(): void {
    const choice = chooseManager(this.managers, this.#followed)
    if (choice === this.#followed) return
    const old = this.#followed === null ? undefined : this.#links.get(this.#followed)
    old?.unfollow()
    this.#followed = choice
    this.#options.onFollow(choice)
    const link = choice === null ? undefined : this.#links.get(choice)
    if (!link) return
    const { origin, version } = this.#follower.catalog
    this.#awaiting = false
    this.#follower.abandon()
    link.follow(origin, version)
  }

  #onMessage(link: Link, message: Downward): void {
    if (link.manager.id !== this.#followed) return
    if (message.type === 'snapshot') this.#awaiting = false
    if (
      message.type !== 'snapshot' &&
      message.type !== 'part' &&
      message.type !== 'complete' &&
      message.type !== 'delta'
    ) {
      return
    }
    if (this.#awaiting) return
    const outcome = this.#follower.receive(message)
    if (outcome === 'changed') this.#options.onCatalog(this.#follower.catalog)
    if (outcome !== 'resync') return
    this.#awaiting = true
    this.#options.onResync(link.manager.id)
    link.follow('', 0)
  }
}
