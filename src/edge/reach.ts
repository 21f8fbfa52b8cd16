/** What published ports lead to. Pure. */
import type { EndpointId, NetworkId } from '../catalog/index.ts'
import type { EdgeBackend, EdgeConfig } from './config.ts'

/** What the edge of a host does with some ports right now. */
export interface EdgeReach {
  /** Those that it listens on. */
  ports: number[]
  /** Who gets new connections to them. */
  endpoints: EndpointId[]
  /** Why it does not listen on the others, as far as it knows: one clause each. */
  conflicts: string[]
}

/** The backends behind some ports. */
export const backendsOf = (config: EdgeConfig, ports: ReadonlySet<number>): EdgeBackend[] => {
  const names = new Set(
    config.listeners
      .filter(({ port }) => ports.has(port))
      .flatMap((listener) =>
        listener.mode === 'tcp'
          ? [listener.backend]
          : listener.routes.map(({ backend }) => backend),
      ),
  )
  return config.backends.filter(({ name }) => names.has(name))
}

/**
 * What is missing until connections to some ports of a host get where they should, one clause each:
 * `it does not listen on port 80 yet`. `config`: what its edge is to serve; `networks`: those that its
 * edge is in.
 */
export const missing = (
  { config, ports }: { config: EdgeConfig; ports: readonly number[] },
  { reach, networks }: { reach: EdgeReach; networks: ReadonlySet<NetworkId> },
): string[] => {
  const asked = new Set(ports)
  const listened = new Set(config.listeners.map(({ port }) => port).filter((p) => asked.has(p)))
  const reached = new Set(reach.endpoints)
  const backends = backendsOf(config, asked)
  return [
    ...[...listened.difference(new Set(reach.ports))].map(
      (port) => `it does not listen on port ${port} yet`,
    ),
    ...backends.flatMap(({ service, servers, network }) => {
      const late = servers.filter(({ endpoint }) => !reached.has(endpoint)).length
      const outside = servers.length > 0 && network !== null && !networks.has(network)
      return [
        ...(late === 0 ? [] : [`it does not know ${late} of ${service} yet`]),
        ...(outside ? [`it is not in the network of ${service} yet`] : []),
      ]
    }),
  ]
}
