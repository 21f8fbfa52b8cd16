/** Containers of clustered services take traffic when their members do, not when they run. */
import type { Endpoint, EndpointId } from '../catalog/index.ts'

/** The same object for the same endpoint: that is how reports know what has changed. */
const copies = new WeakMap<Endpoint, Endpoint>()

/**
 * The endpoints as they are to be announced: what is not ready as a member is `starting`.
 * `ready`: null for what is no member.
 */
export const withMembers = (
  endpoints: ReadonlyMap<EndpointId, Endpoint>,
  ready: (endpoint: Endpoint) => boolean | null,
): ReadonlyMap<EndpointId, Endpoint> => {
  const waiting = [...endpoints.values()].filter(
    (endpoint) => endpoint.state === 'ready' && ready(endpoint) === false,
  )
  if (waiting.length === 0) return endpoints
  return new Map([...endpoints, ...waiting.map((one) => [one.id, startingCopy(one)] as const)])
}

const startingCopy = (endpoint: Endpoint): Endpoint => {
  const known = copies.get(endpoint)
  if (known) return known
  const copy: Endpoint = { ...endpoint, state: 'starting' }
  copies.set(endpoint, copy)
  return copy
}
