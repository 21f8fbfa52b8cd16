import type { Catalog, EndpointId } from '../catalog/index.ts'

/**
 * Why an endpoint takes no new connections any more, which decides about its open ones.
 * - `dead`: it is gone, or nothing of its host answers. Open connections are ended at once: HAProxy
 *   then sends idempotent requests that had no answer yet to another server, and everybody else
 *   learns it now instead of after a time limit.
 * - `leaving`: it still works. Swarm is stopping it, its health check fails (Swarm stops it then), or
 *   better endpoints exist. Ending its connections would lose requests that are going to be answered.
 */
export type Departure = 'dead' | 'leaving'

/**
 * For endpoints that `serving` of the catalog does not name (any more). A catalog that is not
 * `complete` (its manager has just taken over) proves nothing by what it lacks.
 */
export const departureOf = (
  catalog: Catalog,
  id: EndpointId,
  { complete }: { complete: boolean },
): Departure => {
  const endpoint = catalog.endpoints.get(id)
  if (endpoint === undefined) return complete ? 'dead' : 'leaving'
  return catalog.hosts.get(endpoint.host)?.state === 'suspected' ? 'dead' : 'leaving'
}
