import type { ClusterSettings } from '../base/index.ts'
import { type ReportId, reportId } from './clusters.ts'
import type { Cluster } from './heads.ts'
import { hasEnded, isLeaving } from './leaving.ts'
import type { TaskFate } from './leaving.ts'
import type {
  CatalogHost,
  CatalogService,
  Endpoint,
  EndpointId,
  HostId,
  HostState,
  ServiceId,
} from './model.ts'
import { type Reported, nothingReported } from './reports.ts'
import { same } from './same.ts'
import type { CatalogTable } from './table.ts'

/** What Swarm says of a host. */
export interface SwarmHost extends Pick<
  CatalogHost,
  'id' | 'name' | 'address' | 'manager' | 'leader'
> {
  /** Swarm calls it down. */
  down: boolean
}

/** What Swarm says of a task that has addresses. */
export interface SwarmTask extends TaskFate {
  /** What its host would report, had it an agent. */
  endpoint: Endpoint
}

/** What a manager holds about one host. */
interface HostEntry {
  swarm: SwarmHost | undefined
  state: HostState
  reported: Reported
  /** Its agent's stream is open, so what it says is all there is. */
  reporting: boolean
  /** `#passes` when its stream ended; 0 if it never reported. */
  endedAtPass: number
  /** Swarm has called it down for so long that its endpoints are forgotten. */
  forgotten: boolean
  shown: Set<EndpointId>
  shownMembers: Set<ReportId>
}

/**
 * Makes one catalog of what a manager hears from the agents and from Swarm. Agents are believed
 * about their endpoints. For a host whose agent is silent the last report stands, corrected by
 * Swarm's tasks: those that ended are out, those that run and were never reported are in. So a
 * manager that has just started is never empty, and a host does not need its agent to be reached.
 */
export class CatalogSources {
  readonly #table: CatalogTable
  readonly #hosts = new Map<HostId, HostEntry>()
  readonly #tasks = new Map<EndpointId, SwarmTask>()
  readonly #tasksOfHost = new Map<HostId, Set<EndpointId>>()
  /** Full passes over Swarm's tasks so far. */
  #passes = 0

  constructor(table: CatalogTable) {
    this.#table = table
  }

  /** Hosts that Swarm knows; none before it was asked the first time. */
  get hosts(): readonly SwarmHost[] {
    return [...this.#hosts.values()].flatMap(({ swarm }) => (swarm ? [swarm] : []))
  }

  /** Endpoints that Swarm's tasks are worth reading for. */
  isShown(id: EndpointId): boolean {
    return this.#table.endpoints.has(id)
  }

  setSettings(settings: ClusterSettings): void {
    this.#table.setSettings(settings)
  }

  /** All hosts of the swarm. */
  setHosts(hosts: readonly SwarmHost[]): void {
    const ids = new Set(hosts.map(({ id }) => id))
    for (const [id, entry] of this.#hosts) {
      if (ids.has(id)) continue
      entry.swarm = undefined
      this.#refresh(id)
      if (!entry.reporting) this.#hosts.delete(id)
    }
    for (const host of hosts) {
      const entry = this.#entry(host.id)
      if (same(entry.swarm, host)) continue
      entry.swarm = host
      this.#refresh(host.id)
    }
  }

  setHostState(id: HostId, state: HostState, forgotten = false): void {
    const entry = this.#entry(id)
    if (entry.state === state && entry.forgotten === forgotten) return
    entry.state = state
    entry.forgotten = forgotten
    this.#refresh(id)
  }

  /** What a host's agent has reported; `reporting` false when its stream has ended. */
  setReported(id: HostId, reported: Reported, reporting: boolean): void {
    const entry = this.#entry(id)
    if (entry.reporting && !reporting) entry.endedAtPass = this.#passes
    entry.reported = reported
    entry.reporting = reporting
    this.#refresh(id)
  }

  /** All services, or with `only` these of them (a service that is missing is gone). */
  setServices(services: readonly CatalogService[], only?: ReadonlySet<ServiceId>): void {
    const ids = new Set(services.map(({ id }) => id))
    for (const id of only ?? [...this.#table.services.keys()]) {
      if (!ids.has(id)) this.#table.put('services', id, undefined)
    }
    for (const service of services) this.#table.put('services', service.id, service)
  }

  /**
   * All tasks, or with `within` all tasks of which that is true.
   * Returns how many have another fate than before.
   */
  setTasks(tasks: readonly SwarmTask[], within?: (task: SwarmTask) => boolean): number {
    const touched = new Set<HostId>()
    let changed = 0
    const touch = (task: SwarmTask) => {
      changed++
      touched.add(task.endpoint.host)
    }
    const ids = new Set(tasks.map(({ id }) => id))
    for (const [id, task] of this.#tasks) {
      if (ids.has(id) || (within && !within(task))) continue
      this.#tasks.delete(id)
      this.#tasksOfHost.get(task.endpoint.host)?.delete(id)
      touch(task)
    }
    for (const task of tasks) {
      const old = this.#tasks.get(task.id)
      if (same(old, task)) continue
      this.#tasks.set(task.id, task)
      const others = this.#tasksOfHost.get(task.endpoint.host)
      if (others) others.add(task.id)
      else this.#tasksOfHost.set(task.endpoint.host, new Set([task.id]))
      touch(task)
    }
    if (!within) {
      this.#passes++
      for (const [id, { reporting }] of this.#hosts) if (!reporting) touched.add(id)
    }
    for (const id of touched) this.#refresh(id)
    return changed
  }

  /** All clustered services. */
  setClusters(clusters: readonly Cluster[]): void {
    const ids = new Set(clusters.map(({ id }) => id))
    for (const id of this.#table.clusters.keys()) {
      if (!ids.has(id)) this.#table.put('clusters', id, undefined)
    }
    for (const cluster of clusters) this.#table.put('clusters', cluster.id, cluster)
  }

  #entry(id: HostId): HostEntry {
    let entry = this.#hosts.get(id)
    if (!entry) {
      entry = {
        swarm: undefined,
        state: 'agentless',
        reported: nothingReported,
        reporting: false,
        endedAtPass: 0,
        forgotten: false,
        shown: new Set(),
        shownMembers: new Set(),
      }
      this.#hosts.set(id, entry)
    }
    return entry
  }

  /** Brings the table in line with what is known of one host. */
  #refresh(id: HostId): void {
    const entry = this.#hosts.get(id)
    if (!entry) return
    const { swarm, state, reported } = entry
    this.#table.put(
      'hosts',
      id,
      swarm && {
        id,
        name: swarm.name,
        address: swarm.address,
        manager: swarm.manager,
        leader: swarm.leader,
        state,
        engineDown: entry.reporting && reported.engineDown,
        // An edge serves on without its agent.
        edge: reported.edge,
      },
    )
    this.#refreshMembers(entry)
    const endpoints = swarm ? this.#endpointsOf(id, entry) : new Map<EndpointId, Endpoint>()
    for (const endpoint of entry.shown) {
      if (endpoints.has(endpoint)) continue
      entry.shown.delete(endpoint)
      this.#table.put('endpoints', endpoint, undefined)
      this.#table.setLeaving(endpoint, false)
    }
    for (const endpoint of endpoints.values()) {
      // Nobody takes over what another host has: a task never moves.
      const other = this.#table.endpoints.get(endpoint.id)
      if (other && other.host !== id) continue
      entry.shown.add(endpoint.id)
      this.#table.put('endpoints', endpoint.id, endpoint)
      const task = this.#tasks.get(endpoint.id)
      this.#table.setLeaving(
        endpoint.id,
        reported.leaving.has(endpoint.id) || (task !== undefined && isLeaving(task)),
      )
    }
  }

  /** Data at rest is no less there when its host is silent: only a host that is removed takes it. */
  #refreshMembers({ swarm, reported, shownMembers }: HostEntry): void {
    const members = swarm ? [...reported.members.values()] : []
    const ids = new Set(members.map(reportId))
    for (const id of shownMembers) {
      if (ids.has(id)) continue
      shownMembers.delete(id)
      this.#table.put('members', id, undefined)
    }
    for (const member of members) {
      shownMembers.add(reportId(member))
      this.#table.put('members', reportId(member), member)
    }
  }

  #endpointsOf(id: HostId, entry: HostEntry): ReadonlyMap<EndpointId, Endpoint> {
    if (entry.reporting) return entry.reported.endpoints
    const endpoints = new Map<EndpointId, Endpoint>()
    if (entry.forgotten) return endpoints
    // What Swarm said before the last report is older than it.
    const swarmIsNewer = this.#passes > entry.endedAtPass
    for (const endpoint of entry.reported.endpoints.values()) {
      const task = this.#tasks.get(endpoint.id)
      if (task ? !hasEnded(task) : !swarmIsNewer) endpoints.set(endpoint.id, endpoint)
    }
    if (!swarmIsNewer || entry.swarm?.down) return endpoints
    for (const taskId of this.#tasksOfHost.get(id) ?? []) {
      const task = this.#tasks.get(taskId)
      if (!task || task.state !== 'running' || isLeaving(task) || endpoints.has(taskId)) continue
      endpoints.set(taskId, task.endpoint)
    }
    return endpoints
  }
}
