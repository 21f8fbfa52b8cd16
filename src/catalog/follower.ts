/** The receiving end of a catalog: what is applied, what is a hole. Pure. */
import { type Changes, applyChanges, emptyCatalog } from './changes.ts'
import { type MemberReport, reportId } from './clusters.ts'
import { CorruptMessage } from './decode.ts'
import type { Cluster } from './heads.ts'
import type { Downward } from './messages.ts'
import type {
  Catalog,
  CatalogHost,
  CatalogService,
  ClusterSettings,
  Endpoint,
  EndpointId,
} from './model.ts'

/** Messages that carry the catalog. */
export type FeedMessage = Extract<Downward, { type: 'snapshot' | 'part' | 'complete' | 'delta' }>

/** - `changed`: there is a new catalog. - `resync`: a version is missing, ask for a snapshot. */
export type FeedOutcome = 'changed' | 'nothing' | 'resync'

interface Building {
  origin: string
  version: number
  hosts: Map<string, CatalogHost>
  services: Map<string, CatalogService>
  endpoints: Map<string, Endpoint>
  leaving: Set<EndpointId>
  members: Map<string, MemberReport>
  clusters: Map<string, Cluster>
  settings: ClusterSettings | null
}

/** Puts one manager's messages together. Keeps the last whole catalog while a snapshot comes in. */
export class CatalogFollower {
  #catalog: Catalog
  #building: Building | undefined

  /** Begins with the catalog that the agent already has, from whichever manager. */
  constructor(catalog: Catalog = emptyCatalog()) {
    this.#catalog = catalog
  }

  get catalog(): Catalog {
    return this.#catalog
  }

  /** Forgets a snapshot that was only half there: its manager is not followed any more. */
  abandon(): void {
    this.#building = undefined
  }

  /** Throws CorruptMessage for what cannot come at this point. */
  receive(message: FeedMessage): FeedOutcome {
    if (message.type === 'delta') return this.#delta(message)
    if (message.type === 'snapshot') {
      this.#building = {
        origin: message.origin,
        version: message.version,
        hosts: new Map(),
        services: new Map(),
        endpoints: new Map(),
        leaving: new Set(),
        members: new Map(),
        clusters: new Map(),
        settings: null,
      }
      return 'nothing'
    }
    if (!this.#building) throw new CorruptMessage(`${message.type} of no snapshot`)
    if (message.type === 'part') {
      addPart(this.#building, message.changes)
      return 'nothing'
    }
    const { settings, ...rest } = this.#building
    this.#catalog = { ...rest, settings: settings ?? this.#catalog.settings }
    this.#building = undefined
    return 'changed'
  }

  #delta(message: Extract<FeedMessage, { type: 'delta' }>): FeedOutcome {
    // From another origin: still on its way from a manager that was followed before.
    if (message.origin !== (this.#building ?? this.#catalog).origin) return 'nothing'
    if (this.#building || message.version > this.#catalog.version + 1) return 'resync'
    if (message.version <= this.#catalog.version) return 'nothing'
    this.#catalog = applyChanges(this.#catalog, message.changes, message.version)
    return 'changed'
  }
}

const addPart = (building: Building, changes: Changes): void => {
  for (const host of changes.hosts) building.hosts.set(host.id, host)
  for (const service of changes.services) building.services.set(service.id, service)
  for (const endpoint of changes.endpoints) building.endpoints.set(endpoint.id, endpoint)
  for (const member of changes.members) building.members.set(reportId(member), member)
  for (const cluster of changes.clusters) building.clusters.set(cluster.id, cluster)
  for (const id of changes.leaving) building.leaving.add(id)
  building.settings = changes.settings ?? building.settings
}
