import { endpointsOf } from './by-service.ts'
import type { Catalog, Endpoint, NetworkId, ServiceId } from './model.ts'

/**
 * Who gets the traffic of a service: its ready endpoints that Swarm is not stopping, on hosts that
 * answer. Endpoints of a host whose engine is down still work, but not for long: they are used only
 * when there is nothing better. With `network`, only endpoints that have an address there.
 * Sorted by slot, then id, so that equal catalogs give equal routes.
 */
export const serving = (catalog: Catalog, service: ServiceId, network?: NetworkId): Endpoint[] => {
  const firm: Endpoint[] = []
  const fading: Endpoint[] = []
  for (const endpoint of endpointsOf(catalog.endpoints, service)) {
    if (endpoint.state !== 'ready') continue
    if (network !== undefined && endpoint.addresses[network] === undefined) continue
    const host = catalog.hosts.get(endpoint.host)
    if (host?.state === 'suspected') continue
    if (catalog.leaving.has(endpoint.id) || host?.engineDown === true) fading.push(endpoint)
    else firm.push(endpoint)
  }
  return (firm.length > 0 ? firm : fading).sort((a, b) => a.slot - b.slot || (a.id < b.id ? -1 : 1))
}
