import { DEFAULT_SETTINGS } from '../base/index.ts'
import { type Changes, noChanges } from './changes.ts'
import type { MemberReport } from './clusters.ts'
import type { Cluster } from './heads.ts'
import type {
  Catalog,
  CatalogHost,
  CatalogService,
  ClusterSettings,
  Endpoint,
  EndpointId,
} from './model.ts'
import { same } from './same.ts'

/** What is kept by id. */
interface Kinds {
  hosts: CatalogHost
  services: CatalogService
  endpoints: Endpoint
  members: MemberReport
  clusters: Cluster
}

/**
 * The catalog as a manager keeps it: changed in place, remembering what has changed since it was
 * last asked. Several changes of one object between two questions are one change.
 */
export class CatalogTable {
  readonly hosts = new Map<string, CatalogHost>()
  readonly services = new Map<string, CatalogService>()
  readonly endpoints = new Map<string, Endpoint>()
  readonly leaving = new Set<EndpointId>()
  readonly members = new Map<string, MemberReport>()
  readonly clusters = new Map<string, Cluster>()
  readonly #dirty = {
    hosts: new Set<string>(),
    services: new Set<string>(),
    endpoints: new Set<string>(),
    leaving: new Set<string>(),
    members: new Set<string>(),
    clusters: new Set<string>(),
    settings: false,
  }
  readonly #onChange: () => void
  settings: ClusterSettings = DEFAULT_SETTINGS

  /** `onChange` is called at each real change; `take` has something then. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Sets a value, or removes it with undefined. Setting an equal value is no change. */
  put<K extends keyof Kinds>(kind: K, id: string, value: Kinds[K] | undefined): void {
    const map: Map<string, unknown> = this[kind]
    if (value === undefined ? !map.has(id) : same(map.get(id), value)) return
    if (value === undefined) map.delete(id)
    else map.set(id, value)
    this.#dirty[kind].add(id)
    this.#onChange()
  }

  setLeaving(id: EndpointId, leaving: boolean): void {
    if (this.leaving.has(id) === leaving) return
    if (leaving) this.leaving.add(id)
    else this.leaving.delete(id)
    this.#dirty.leaving.add(id)
    this.#onChange()
  }

  setSettings(settings: ClusterSettings): void {
    if (same(this.settings, settings)) return
    this.settings = settings
    this.#dirty.settings = true
    this.#onChange()
  }

  /** The changes since the last call, at most `limit` of them; null when there are none. */
  take(limit: number): Changes | null {
    const changes = noChanges()
    let left = limit
    const drain = (ids: Set<string>, each: (id: string) => void) => {
      for (const id of ids) {
        if (left === 0) return
        left--
        ids.delete(id)
        each(id)
      }
    }
    const split =
      <T>(map: Map<string, T>, set: T[], gone: string[]) =>
      (id: string) => {
        const value = map.get(id)
        if (value === undefined) gone.push(id)
        else set.push(value)
      }
    drain(this.#dirty.hosts, split(this.hosts, changes.hosts, changes.hostsGone))
    drain(this.#dirty.services, split(this.services, changes.services, changes.servicesGone))
    drain(this.#dirty.endpoints, split(this.endpoints, changes.endpoints, changes.endpointsGone))
    drain(this.#dirty.members, split(this.members, changes.members, changes.membersGone))
    drain(this.#dirty.clusters, split(this.clusters, changes.clusters, changes.clustersGone))
    drain(this.#dirty.leaving, (id) =>
      (this.leaving.has(id) ? changes.leaving : changes.staying).push(id),
    )
    if (this.#dirty.settings && left > 0) {
      left--
      this.#dirty.settings = false
      changes.settings = this.settings
    }
    return left === limit ? null : changes
  }

  /** Everything, in parts of at most `limit`. Nothing may be waiting to be taken. */
  *parts(limit: number): Generator<Changes> {
    for (const hosts of chunks(this.hosts.values(), limit)) yield { ...noChanges(), hosts }
    for (const services of chunks(this.services.values(), limit)) {
      yield { ...noChanges(), services }
    }
    for (const endpoints of chunks(this.endpoints.values(), limit)) {
      yield { ...noChanges(), endpoints }
    }
    for (const members of chunks(this.members.values(), limit)) yield { ...noChanges(), members }
    for (const clusters of chunks(this.clusters.values(), limit)) {
      yield { ...noChanges(), clusters }
    }
    for (const leaving of chunks(this.leaving, limit)) yield { ...noChanges(), leaving }
    yield { ...noChanges(), settings: this.settings }
  }

  /** A copy that does not change any more. */
  catalog(origin: string, version: number): Catalog {
    return {
      origin,
      version,
      hosts: new Map(this.hosts),
      services: new Map(this.services),
      endpoints: new Map(this.endpoints),
      leaving: new Set(this.leaving),
      members: new Map(this.members),
      clusters: new Map(this.clusters),
      settings: this.settings,
    }
  }
}

const chunks = function* <T>(values: Iterable<T>, size: number): Generator<T[]> {
  let chunk: T[] = []
  for (const value of values) {
    chunk.push(value)
    if (chunk.length === size) {
      yield chunk
      chunk = []
    }
  }
  if (chunk.length > 0) yield chunk
}
