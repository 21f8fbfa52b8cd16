import type { Catalog, EndpointId } from '../catalog/index.ts'

/**
 * Why an endpoint takes no new connections any more, which decides about its open ones.
 * - `lost`: nothing of its host answers, or another takes the writes now. Open connections are ended at once: HAProxy then sends
 *   idempotent requests that had no answer yet to another server, and everybody else learns it now
 *   instead of after a time limit.
 * - `leaving`: its connections end by themselves. Swarm is stopping it, its health check fails (Swarm
 *   stops it then), or better endpoints exist: what it works on is going to be answered. Or its
 *   container is gone, and the kernel has closed its connections: HAProxy has seen that already, and
 *   may still be handing the last answers to slow clients.
 */
export type Departure = 'lost' | 'leaving'

/**
 * For endpoints that `routed` of the catalog does not name (any more). `keeps`: the endpoints at which
 * connections may stay; a member that does not take the writes any more may keep none.
 */
export const departureOf = (
  catalog: Catalog,
  id: EndpointId,
  keeps: readonly EndpointId[] | null = null,
): Departure => {
  if (keeps !== null && !keeps.includes(id)) return 'lost'
  const host = catalog.endpoints.get(id)?.host
  return host !== undefined && catalog.hosts.get(host)?.state === 'suspected' ? 'lost' : 'leaving'
}
