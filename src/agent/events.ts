/** What a person would call news, between one catalog and the next. Pure. */
import type {
  Catalog,
  CatalogHost,
  Endpoint,
  MemberReport,
  MemberRole,
  Phase,
} from '../catalog/index.ts'

/** One line of `GET /v1/events`. Names, not ids, but for the task. */
export type CatalogEvent =
  | {
      type: 'endpoint'
      change: 'starting' | 'ready' | 'unhealthy' | 'leaving' | 'gone'
      /** Swarm's task id. */
      task: string
      service: string
      slot: number
      host: string
    }
  | {
      type: 'host'
      change: 'added' | 'alive' | 'agentless' | 'suspected' | 'engine-down' | 'engine-up' | 'gone'
      host: string
    }
  | { type: 'leader'; host: string }
  | { type: 'service'; change: 'added' | 'changed' | 'removed'; service: string }
  | { type: 'cluster'; cluster: string; phase: Phase; epoch: number }
  | { type: 'writer'; cluster: string; member: string | null }
  | { type: 'member'; member: string; host: string; change: MemberChange }

/** What a member does: at its gate, at rest, or what it is in its cluster. */
export type MemberChange = 'rest' | 'gate' | 'starting' | MemberRole | 'gone'

/** Everything that differs, services and hosts before their endpoints. */
export const eventsBetween = (before: Catalog, after: Catalog): CatalogEvent[] => {
  const events: CatalogEvent[] = []
  for (const host of after.hosts.values()) {
    events.push(...hostEvents(before.hosts.get(host.id), host))
  }
  for (const { id, name } of before.hosts.values()) {
    if (!after.hosts.has(id)) events.push({ type: 'host', change: 'gone', host: name })
  }
  for (const service of after.services.values()) {
    const old = before.services.get(service.id)
    if (old === service) continue
    const change = old ? 'changed' : 'added'
    events.push({ type: 'service', change, service: service.name })
  }
  for (const { id, name } of before.services.values()) {
    if (!after.services.has(id)) events.push({ type: 'service', change: 'removed', service: name })
  }
  events.push(...clusterEvents(before, after), ...memberEvents(before, after))
  events.push(...endpointEvents(before, after))
  return events
}

const clusterEvents = (before: Catalog, after: Catalog): CatalogEvent[] =>
  [...after.clusters.values()].flatMap(({ id: cluster, ledger }): CatalogEvent[] => {
    const old = before.clusters.get(cluster)?.ledger
    const { phase, epoch, writer } = ledger
    return [
      ...(old?.phase === phase && old.epoch === epoch
        ? []
        : [{ type: 'cluster' as const, cluster, phase, epoch }]),
      ...((old?.writer ?? null) === writer
        ? []
        : [{ type: 'writer' as const, cluster, member: writer }]),
    ]
  })

const changeOf = ({ process, status }: MemberReport): MemberChange =>
  process === 'running' ? (status?.role ?? 'starting') : process

const memberEvents = (before: Catalog, after: Catalog): CatalogEvent[] => {
  if (before.members === after.members) return []
  const tell = ({ id: member, host }: MemberReport, change: MemberChange): CatalogEvent => ({
    type: 'member',
    member,
    host: after.hosts.get(host)?.name ?? host,
    change,
  })
  const news = [...after.members].flatMap(([key, report]) => {
    const old = before.members.get(key)
    const change = changeOf(report)
    return old && changeOf(old) === change ? [] : [tell(report, change)]
  })
  const gone = [...before.members].flatMap(([key, report]) =>
    after.members.has(key) ? [] : [tell(report, 'gone')],
  )
  return [...news, ...gone]
}

const hostEvents = (before: CatalogHost | undefined, after: CatalogHost): CatalogEvent[] => {
  const events: CatalogEvent[] = []
  const host = after.name
  if (!before) events.push({ type: 'host', change: 'added', host })
  else if (before.state !== after.state) events.push({ type: 'host', change: after.state, host })
  if (before && before.engineDown !== after.engineDown) {
    events.push({ type: 'host', change: after.engineDown ? 'engine-down' : 'engine-up', host })
  }
  if (after.leader && before?.leader !== true) events.push({ type: 'leader', host })
  return events
}

const endpointEvents = (before: Catalog, after: Catalog): CatalogEvent[] => {
  const events: CatalogEvent[] = []
  const tell = (
    catalog: Catalog,
    endpoint: Endpoint,
    change: Extract<CatalogEvent, { type: 'endpoint' }>['change'],
  ) => {
    events.push({
      type: 'endpoint',
      change,
      task: endpoint.id,
      service: catalog.services.get(endpoint.service)?.name ?? endpoint.service,
      slot: endpoint.slot,
      host: catalog.hosts.get(endpoint.host)?.name ?? endpoint.host,
    })
  }
  if (before.endpoints !== after.endpoints) {
    for (const endpoint of after.endpoints.values()) {
      const old = before.endpoints.get(endpoint.id)
      if (old?.state !== endpoint.state) tell(after, endpoint, endpoint.state)
    }
    for (const endpoint of before.endpoints.values()) {
      if (!after.endpoints.has(endpoint.id)) tell(before, endpoint, 'gone')
    }
  }
  for (const id of after.leaving) {
    const endpoint = after.endpoints.get(id)
    if (endpoint && !before.leaving.has(id)) tell(after, endpoint, 'leaving')
  }
  return events
}
