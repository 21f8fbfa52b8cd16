import { z } from 'zod'
import type { HttpRoute, PortMode, PublishedPort } from '../catalog/index.ts'
import { AGENT_PORT, LABEL, METRICS_PORT } from '../base/index.ts'
import type { Service } from '../engine/index.ts'
import type { DesiredService, PortRequest } from './desired.ts'

/** Something that a service holds on every host, or on the hosts that it runs on. */
export interface Claim {
  /** Full name of the service. */
  service: string
  port: number
  protocol: string
  /** `edge`: a whole port; `route`: a host and path on it; `ingress`, `host`: Swarm's own. */
  by: 'edge' | 'route' | 'ingress' | 'host'
  /** Of a route. */
  route?: { host: string; path: string }
  /** The only address that it is about; absent: every one. */
  hostIp?: string
}

const portsSchema = z.array(
  z.object({
    published: z.number(),
    target: z.number(),
    mode: z.enum(['tcp', 'http']),
    proxyProtocol: z.boolean(),
    hostIp: z.ipv4().exactOptional(),
  }),
)
const routesSchema = z.array(
  z.object({
    host: z.string(),
    path: z.string(),
    published: z.number(),
    target: z.number(),
  }),
)

const parseLabel = <T>(schema: z.ZodType<T[]>, text: string | undefined): T[] => {
  if (text === undefined) return []
  try {
    return schema.safeParse(JSON.parse(text)).data ?? []
  } catch {
    return []
  }
}

/** The edge ports in a service's labels; unreadable labels publish nothing. */
export const labelledPorts = (labels: Record<string, string> | undefined): PublishedPort[] =>
  parseLabel(portsSchema, labels?.[LABEL.ports])

/** The HTTP routes in a service's labels. */
export const labelledRoutes = (labels: Record<string, string> | undefined): HttpRoute[] =>
  parseLabel(routesSchema, labels?.[LABEL.http])

/** What a service of the cluster holds. */
export const claimsOf = (service: Service): Claim[] => {
  const name = service.Spec.Name
  const ports = service.Endpoint?.Ports ?? service.Spec.EndpointSpec?.Ports ?? []
  return [
    ...labelledPorts(service.Spec.Labels).map((port) => edgeClaim(name, port)),
    ...labelledRoutes(service.Spec.Labels).map((route) => routeClaim(name, route)),
    ...ports.flatMap((port) => (port.PublishedPort ? [swarmClaim(name, port)] : [])),
  ]
}

/** A port in http mode is the route of every host and path that nobody else has. */
const edgeClaim = (
  service: string,
  { published, mode, hostIp }: { published: number; mode: PortMode; hostIp?: string },
): Claim => ({
  service,
  port: published,
  protocol: 'tcp',
  ...(hostIp === undefined ? {} : { hostIp }),
  ...(mode === 'http' ? { by: 'route', route: { host: '*', path: '/' } } : { by: 'edge' }),
})

const routeClaim = (service: string, route: HttpRoute): Claim => ({
  service,
  port: route.published,
  protocol: 'tcp',
  by: 'route',
  route: { host: route.host, path: route.path },
})

const swarmClaim = (
  service: string,
  port: { Protocol?: string; PublishedPort?: number; PublishMode?: string },
): Claim => ({
  service,
  port: port.PublishedPort ?? 0,
  protocol: port.Protocol ?? 'tcp',
  by: port.PublishMode === 'host' ? 'host' : 'ingress',
})

/** Ports of every host that are not for services. */
const RESERVED: Claim[] = [
  { service: "Muster's agent", port: AGENT_PORT, protocol: 'tcp', by: 'edge' },
  { service: "Muster's metrics", port: METRICS_PORT, protocol: 'tcp', by: 'edge' },
  { service: 'Swarm (cluster management)', port: 2377, protocol: 'tcp', by: 'edge' },
  { service: 'Swarm (gossip)', port: 7946, protocol: 'tcp', by: 'edge' },
  { service: 'Swarm (gossip)', port: 7946, protocol: 'udp', by: 'edge' },
  { service: 'Swarm (overlay networks)', port: 4789, protocol: 'udp', by: 'edge' },
]

/** Two claims that cannot both be had. */
export const conflicting = (a: Claim, b: Claim): boolean => {
  if (a.port !== b.port || a.protocol !== b.protocol) return false
  if (a.hostIp !== undefined && b.hostIp !== undefined && a.hostIp !== b.hostIp) return false
  if (a.hostIp === b.hostIp && a.by === 'route' && b.by === 'route') {
    return a.route?.host === b.route?.host && a.route?.path === b.route?.path
  }
  // Swarm puts tasks that want the same port of a host on different hosts.
  return !(a.by === 'host' && b.by === 'host' && a.service !== b.service)
}

const describe = (claim: Claim): string =>
  claim.by === 'route' && (claim.route?.host !== '*' || claim.route.path !== '/')
    ? `http://${claim.route?.host}:${claim.port}${claim.route?.path}`
    : `port ${claim.hostIp === undefined ? '' : `${claim.hostIp}:`}${claim.port}/${claim.protocol}`

/** A claim that is somebody else's already, with the service of the file that wants it. */
export interface PortConflict {
  key: string
  message: string
  hint: string
}

/** Where an unnamed port is taken from; the range that Swarm uses too. */
const FIRST = 30000
const LAST = 32767

/**
 * Gives every port of the desired services its number and checks all claims, against each other and
 * against the services of other stacks. A port that the file leaves open stays what it is, if it is
 * something already.
 */
export const settlePorts = (
  desired: readonly DesiredService[],
  others: readonly Service[],
  existing: ReadonlyMap<string, Service>,
): { ports: Map<string, PublishedPort[]>; conflicts: PortConflict[] } => {
  const taken: Claim[] = [...RESERVED, ...others.flatMap((each) => claimsOf(each))]
  const conflicts: PortConflict[] = []
  const claim = (key: string, wanted: Claim) => {
    const holder = taken.find((each) => conflicting(each, wanted))
    if (holder === undefined) taken.push(wanted)
    else conflicts.push({ key, ...explain(wanted, holder) })
  }
  for (const service of desired) {
    for (const port of service.ports) {
      const { published } = port
      if (typeof published === 'number') {
        claim(service.key, edgeClaim(service.name, { ...port, published }))
      }
    }
    for (const route of service.http) claim(service.key, routeClaim(service.name, route))
    for (const port of service.spec.EndpointSpec?.Ports ?? []) {
      if (port.PublishedPort) claim(service.key, swarmClaim(service.name, port))
    }
  }
  const ports = new Map<string, PublishedPort[]>()
  for (const service of desired) {
    const before = labelledPorts(existing.get(service.name)?.Spec.Labels)
    ports.set(
      service.name,
      service.ports.map((request) => {
        if (typeof request.published === 'number')
          return { ...request, published: request.published }
        const published = choose(service, request, { before, taken })
        if (published === undefined) {
          conflicts.push({
            key: service.key,
            message: `${service.name}: no port is free for ${request.target}.`,
            hint: 'Name one that is.',
          })
        } else taken.push(edgeClaim(service.name, { ...request, published }))
        return { ...request, published: published ?? 0 }
      }),
    )
  }
  return { ports, conflicts }
}

const explain = (wanted: Claim, holder: Claim): { message: string; hint: string } => ({
  message: `${describe(wanted)}: ${wanted.service} wants it, but ${holder.service} has it already${
    holder.by === 'host' ? ' (mode: host)' : ''
  }.`,
  hint:
    wanted.by === 'edge' && holder.by !== 'ingress' && wanted.port !== AGENT_PORT
      ? 'Publish another port, or share one between services by host name: x-muster: { http: [...] }.'
      : 'Publish another port.',
})

const choose = (
  service: DesiredService,
  request: PortRequest,
  { before, taken }: { before: readonly PublishedPort[]; taken: readonly Claim[] },
): number | undefined => {
  const free = (port: number) =>
    !taken.some((each) =>
      conflicting(each, edgeClaim(service.name, { published: port, mode: 'tcp' })),
    )
  const range =
    typeof request.published === 'object' ? request.published : { from: FIRST, to: LAST }
  const kept = before.find(
    (each) =>
      each.target === request.target &&
      each.published >= range.from &&
      each.published <= range.to &&
      free(each.published),
  )
  if (kept !== undefined) return kept.published
  const size = range.to - range.from + 1
  const start =
    typeof request.published === 'object' ? 0 : spread(`${service.name}:${request.target}`) % size
  for (let i = 0; i < size; i++) {
    const port = range.from + ((start + i) % size)
    if (free(port)) return port
  }
  return undefined
}

/** The same port for the same service on every try, different ones for different services. */
const spread = (text: string): number => {
  let hash = 0
  for (const char of text) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0
  return hash
}
