import type { Endpoint, EndpointId, ServiceId } from '../catalog/index.ts'

export interface ReturnGateOptions {
  /** Whether a service's containers get connections that need a way back of their own. */
  wants: (service: ServiceId) => boolean
  /** Whether a container's way back is there. */
  ready: (container: string) => boolean
  now: () => number
  /** An endpoint has waited long enough and is announced as it is. */
  onLate: (endpoint: Endpoint) => void
}

/** Ways back are there milliseconds after the container; without them other traffic still works. */
const LIMIT_MS = 5000

/**
 * Announces an endpoint as ready only once its container can answer clients whose own addresses it
 * gets to see: the first connection would otherwise wait for its next SYN. What has been announced
 * once stays so; so nothing is taken back when an agent starts, which at first knows of no rules.
 */
export class ReturnGate {
  readonly #options: ReturnGateOptions
  readonly #passed = new Set<EndpointId>()
  /** When they were first held back. */
  readonly #held = new Map<EndpointId, number>()
  /** The same object for the same endpoint: that is how reports know what has changed. */
  readonly #copies = new WeakMap<Endpoint, Endpoint>()

  constructor(options: ReturnGateOptions) {
    this.#options = options
  }

  /** The endpoints as they are to be announced now. */
  view(endpoints: ReadonlyMap<EndpointId, Endpoint>): ReadonlyMap<EndpointId, Endpoint> {
    for (const id of [...this.#passed, ...this.#held.keys()]) {
      if (endpoints.has(id)) continue
      this.#passed.delete(id)
      this.#held.delete(id)
    }
    const waiting = [...endpoints.values()].filter((endpoint) => !this.#passes(endpoint))
    if (waiting.length === 0) return endpoints
    return new Map([...endpoints, ...waiting.map((one) => [one.id, this.#copy(one)] as const)])
  }

  /** When `view` has to be asked again, whatever happens; null if nothing waits. */
  get nextAt(): number | null {
    return this.#held.size === 0 ? null : Math.min(...this.#held.values()) + LIMIT_MS
  }

  #passes(endpoint: Endpoint): boolean {
    const { id, service, container, state } = endpoint
    if (state !== 'ready' || this.#passed.has(id)) return true
    const { wants, ready, now, onLate } = this.#options
    if (wants(service) && !ready(container)) {
      const since = this.#held.get(id) ?? now()
      this.#held.set(id, since)
      if (now() - since < LIMIT_MS) return false
      onLate(endpoint)
    }
    this.#held.delete(id)
    this.#passed.add(id)
    return true
  }

  #copy(endpoint: Endpoint): Endpoint {
    const known = this.#copies.get(endpoint)
    if (known !== undefined) return known
    const copy: Endpoint = { ...endpoint, state: 'starting' }
    this.#copies.set(endpoint, copy)
    return copy
  }
}
