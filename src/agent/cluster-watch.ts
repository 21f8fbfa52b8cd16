import {
  type ClusterSettings,
  type Clock,
  DEFAULT_SETTINGS,
  LABEL,
  type MusterError,
  messageOf,
  settingsLabels,
} from '../base/index.ts'
import { type CatalogSources, type NetworkId, type ServiceId, TUNABLES } from '../catalog/index.ts'
import { type Config, type Engine, type EngineEvent, type Service, watch } from '../engine/index.ts'
import { ClustersRead } from './clusters-read.ts'
import { type Read, hostOf, serviceOf, settingsOf } from './swarm-objects.ts'
import { TaskWatch } from './task-watch.ts'

export interface ClusterWatchOptions {
  engine: Pick<
    Engine,
    | 'events'
    | 'inspectSwarm'
    | 'listNodes'
    | 'listServices'
    | 'inspectService'
    | 'listTasks'
    | 'listNetworks'
    | 'listConfigs'
  >
  sources: CatalogSources
  clock: Clock
  /** Swarm's hosts may have changed. */
  onHosts: () => void
  /** Everything has been read at least once. */
  onReady: () => void
  /** A service was made or changed, or tasks of one moved. */
  onServices: () => void
  onDown: (error: MusterError) => void
  onProblem: (message: string) => void
}

/** How many services are read one by one; beyond, all are listed. */
const ONE_BY_ONE = 20

/** Update states in which tasks still change; the API description lacks the second. */
const UPDATING: ReadonlySet<string> = new Set(['updating', 'rollback_started'])

/** On a manager: keeps the catalog's sources in line with what Swarm says. */
export class ClusterWatch {
  readonly #options: ClusterWatchOptions
  readonly #tasks: TaskWatch
  readonly #ingress = new Set<NetworkId>()
  readonly #networks = new Set<NetworkId>()
  /** Services to read again. */
  readonly #touched = new Set<ServiceId>()
  readonly #clusters = new ClustersRead()
  #nodesTouched = false
  #configsTouched = false
  /** The cluster has settings. Swarm tells no events when it gets some. */
  #settled = false
  #reading = false
  #lastProblems = ''

  constructor(options: ClusterWatchOptions) {
    this.#options = options
    this.#tasks = new TaskWatch({
      ...options,
      isIngress: (network) => this.#ingress.has(network),
      onMoved: () => options.onServices(),
    })
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#options
    const items = watch({
      engine,
      filters: { type: ['service', 'node', 'config'] },
      list: () => this.#readAll(),
      resyncMs: TUNABLES.clusterResync,
      signal,
      clock,
    })
    const tasks = this.#tasks.run(signal)
    for await (const item of items) {
      if (item.kind === 'event') this.#onEvent(item.event)
      else if (item.kind === 'down') this.#options.onDown(item.error)
      else this.#options.onReady()
    }
    await tasks
  }

  /** Reads the hosts again, soon. */
  readHosts(): void {
    this.#nodesTouched = true
    void this.#readTouched()
  }

  async #readAll(): Promise<void> {
    const { engine, sources } = this.#options
    await this.#readNetworks()
    const [settings, services, configs] = await Promise.all([
      this.#readSettings(),
      engine.listServices(),
      this.#listLedgers(),
      this.#readNodes(),
    ])
    const read = await Promise.all(services.map((service) => this.#parse(service)))
    sources.setServices(read.map(({ value }) => value))
    const problems = [
      ...this.#clusters.setServices(services),
      ...this.#clusters.setConfigs(configs),
    ]
    sources.setClusters(this.#clusters.clusters)
    this.#tellProblems([settings, ...read, { problems }])
    await this.#tasks.readAll()
    this.#options.onServices()
  }

  async #readSettings(): Promise<Read<ClusterSettings>> {
    const { engine, sources } = this.#options
    const { Labels: labels } = (await engine.inspectSwarm()).Spec
    this.#settled = Object.keys(settingsLabels(DEFAULT_SETTINGS)).some(
      (label) => labels?.[label] !== undefined,
    )
    const settings = settingsOf(labels)
    sources.setSettings(settings.value)
    return settings
  }

  #onEvent(event: EngineEvent): void {
    const id = event.Actor?.ID
    if (event.Type === 'node') {
      this.#nodesTouched = true
      if (id !== undefined) this.#tasks.expectHost(id)
    } else if (event.Type === 'config') {
      this.#configsTouched = true
    } else if (event.Type === 'service' && id !== undefined) {
      this.#touched.add(id)
      this.#tasks.expectService(id)
    }
    void this.#readTouched()
  }

  /** Reads what events have named, one pass at a time. */
  async #readTouched(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#nodesTouched || this.#configsTouched || this.#touched.size > 0) {
        const nodes = this.#nodesTouched
        const configs = this.#configsTouched
        const services = new Set(this.#touched)
        this.#nodesTouched = false
        this.#configsTouched = false
        this.#touched.clear()
        await Promise.all([
          nodes ? this.#readNodes() : undefined,
          configs ? this.#readLedgers() : undefined,
          services.size > 0 ? this.#readServices(services) : undefined,
        ])
      }
    } catch (error) {
      // The next full pass makes good for it.
      this.#options.onProblem(`reading the cluster: ${messageOf(error)}`)
    } finally {
      this.#reading = false
    }
  }

  #listLedgers(): Promise<Config[]> {
    return this.#options.engine.listConfigs({ label: [LABEL.ledger] })
  }

  async #readLedgers(): Promise<void> {
    const { sources, onServices } = this.#options
    const problems = this.#clusters.setConfigs(await this.#listLedgers())
    sources.setClusters(this.#clusters.clusters)
    this.#tellProblems([{ problems }])
    onServices()
  }

  async #readNodes(): Promise<void> {
    const nodes = await this.#options.engine.listNodes()
    this.#options.sources.setHosts(nodes.map(hostOf))
    this.#options.onHosts()
  }

  async #readServices(ids: ReadonlySet<ServiceId>): Promise<void> {
    const { engine, sources } = this.#options
    // On a cluster that has just been made: before anything is done for its services.
    if (!this.#settled) await this.#readSettings()
    const found =
      ids.size > ONE_BY_ONE
        ? await engine.listServices()
        : await engine.listServices({ id: [...ids] })
    // The engine's filter takes prefixes too.
    const services = found.filter(({ ID }) => ids.has(ID))
    for (const id of ids) this.#tasks.setUpdating(id, false)
    const read = await Promise.all(services.map((service) => this.#parse(service)))
    sources.setServices(
      read.map(({ value }) => value),
      ids,
    )
    const problems = this.#clusters.setServices(services, ids)
    sources.setClusters(this.#clusters.clusters)
    this.#tellProblems([...read, { problems }])
    this.#options.onServices()
  }

  async #parse(service: Service): Promise<Read<ReturnType<typeof serviceOf>['value']>> {
    const named = [
      ...(service.Endpoint?.VirtualIPs ?? []).map(({ NetworkID }) => NetworkID ?? ''),
      ...(service.Spec.TaskTemplate?.Networks ?? []).map(({ Target }) => Target ?? ''),
    ]
    if (named.some((id) => !this.#networks.has(id))) {
      await this.#readNetworks()
      // One that is not listed is none that a service can be reached on; it is not asked for again.
      for (const id of named) this.#networks.add(id)
    }
    const { State: update = '' } = service.UpdateStatus ?? {}
    this.#tasks.setUpdating(service.ID, UPDATING.has(update))
    return serviceOf(service, (network) => this.#ingress.has(network))
  }

  async #readNetworks(): Promise<void> {
    const networks = await this.#options.engine.listNetworks({ driver: ['overlay'] })
    for (const { Id, Ingress } of networks) {
      this.#networks.add(Id)
      if (Ingress) this.#ingress.add(Id)
    }
  }

  /** Once, not at every pass. */
  #tellProblems(reads: readonly { problems: string[] }[]): void {
    const problems = reads.flatMap((read) => read.problems)
    const text = problems.join('\n')
    if (text === this.#lastProblems) return
    this.#lastProblems = text
    for (const problem of problems) this.#options.onProblem(problem)
  }
}
