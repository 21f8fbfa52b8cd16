import type { Endpoint, EndpointId, ServiceId } from './model.ts'

type Endpoints = ReadonlyMap<EndpointId, Endpoint>
type Index = Map<ServiceId, readonly Endpoint[]>

/** Catalogs are values that never change, so an index belongs to the map it was made from. */
const indexes = new WeakMap<Endpoints, Index>()

/** The endpoints of one service, without looking at all the others. */
export const endpointsOf = (endpoints: Endpoints, service: ServiceId): readonly Endpoint[] =>
  indexOf(endpoints).get(service) ?? []

const indexOf = (endpoints: Endpoints): Index => {
  const known = indexes.get(endpoints)
  if (known) return known
  const index = new Map<ServiceId, Endpoint[]>()
  for (const endpoint of endpoints.values()) {
    const others = index.get(endpoint.service)
    if (others) others.push(endpoint)
    else index.set(endpoint.service, [endpoint])
  }
  indexes.set(endpoints, index)
  return index
}

/** Gives a successor of an indexed map its index, remaking only the services of `touched` ids. */
export const carryIndex = (
  from: Endpoints,
  to: Endpoints,
  touched: readonly EndpointId[],
): void => {
  const old = indexes.get(from)
  if (!old) return
  const stale = new Map<ServiceId, Set<EndpointId>>()
  const mark = (endpoint: Endpoint | undefined) => {
    if (!endpoint) return
    const ids = stale.get(endpoint.service)
    if (ids) ids.add(endpoint.id)
    else stale.set(endpoint.service, new Set([endpoint.id]))
  }
  for (const id of touched) {
    mark(from.get(id))
    mark(to.get(id))
  }
  const index: Index = new Map(old)
  for (const [service, ids] of stale) {
    const kept = (old.get(service) ?? []).filter(({ id }) => !ids.has(id))
    for (const id of ids) {
      const endpoint = to.get(id)
      if (endpoint?.service === service) kept.push(endpoint)
    }
    if (kept.length > 0) index.set(service, kept)
    else index.delete(service)
  }
  indexes.set(to, index)
}
