import { endpointsOf, type Catalog, type Endpoint, type NetworkId } from '../catalog/index.ts'
import type { CutReason } from './flows.ts'

/** Connections to this address, on this network, are to end. */
export interface Cut {
  network: NetworkId
  address: string
  reason: CutReason
}

/**
 * Follows the endpoints on some networks from one catalog to the next and tells which have died. An
 * endpoint that is missing from a catalog that is not `complete` (its manager has just taken over) is
 * neither alive nor dead: it is asked for again next time.
 */
export class EndpointTracker {
  readonly #known = new Map<string, { endpoint: Endpoint; suspected: boolean }>()

  /** The deaths since the last call. */
  update(
    catalog: Catalog,
    networks: ReadonlySet<NetworkId>,
    { complete }: { complete: boolean },
  ): Cut[] {
    const cuts: Cut[] = []
    for (const [id, { endpoint }] of this.#known) {
      if (catalog.endpoints.has(id)) continue
      if (!complete) continue
      this.#known.delete(id)
      cuts.push(...cutsOf(endpoint, networks, 'gone'))
    }
    for (const service of catalog.services.values()) {
      if (!service.networks.some((network) => networks.has(network))) continue
      for (const endpoint of endpointsOf(catalog.endpoints, service.id)) {
        const suspected = catalog.hosts.get(endpoint.host)?.state === 'suspected'
        if (suspected && this.#known.get(endpoint.id)?.suspected === false) {
          cuts.push(...cutsOf(endpoint, networks, 'suspected'))
        }
        this.#known.set(endpoint.id, { endpoint, suspected })
      }
    }
    if (cuts.length === 0) return cuts
    const alive = this.addresses()
    return cuts.filter(({ network, address }) => !alive.has(`${network} ${address}`))
  }

  /** `network address` of every endpoint that is not dead: an address is soon somebody else's. */
  addresses(): Set<string> {
    const addresses = new Set<string>()
    for (const { endpoint, suspected } of this.#known.values()) {
      if (suspected) continue
      for (const [network, address] of Object.entries(endpoint.addresses)) {
        addresses.add(`${network} ${address}`)
      }
    }
    return addresses
  }
}

const cutsOf = (endpoint: Endpoint, networks: ReadonlySet<NetworkId>, reason: CutReason): Cut[] =>
  Object.entries(endpoint.addresses)
    .filter(([network]) => networks.has(network))
    .map(([network, address]) => ({ network, address, reason }))
