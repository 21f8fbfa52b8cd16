import { isIPv4 } from 'node:net'
import type { EndpointPortConfig } from './endpoint.ts'
import type { Port, Service } from '../compose/index.ts'
import type { Problem } from './check.ts'
import type { PortRequest } from './desired.ts'
import type { MusterOptions } from './x-muster.ts'

export interface ServicePorts {
  /** Served by the edges. */
  edge: PortRequest[]
  /** Left to Swarm: mode host, UDP and SCTP. */
  swarm: EndpointPortConfig[]
}

/** Who publishes each port of a service, and how. */
export const servicePorts = (
  key: string,
  service: Service,
  { muster: options, problems }: { muster: MusterOptions; problems: Problem[] },
): ServicePorts => {
  const result: ServicePorts = { edge: [], swarm: [] }
  const used = new Set<string>()
  for (const [i, port] of (service.ports ?? []).entries()) {
    const path = ['services', key, 'ports', i]
    const range = parsePublished(port.published)
    if (range === 'bad') {
      problems.push({
        path: [...path, 'published'],
        message: `expected a port or a range of ports, got "${port.published}".`,
      })
    } else if (!isEdgePort(port)) {
      if (typeof range === 'object') {
        problems.push({
          path: [...path, 'published'],
          message: 'a range is possible only for TCP ports that are not in mode host.',
          hint: 'Name one port.',
        })
        continue
      }
      if (port.mode !== 'host' && service.deploy?.endpoint_mode === 'dnsrr') {
        problems.push({
          path,
          message: `a ${port.protocol} port cannot be published with endpoint_mode dnsrr.`,
          hint: 'Use mode: host, or endpoint_mode vip.',
        })
        continue
      }
      result.swarm.push(swarmPort(port, range))
    } else {
      const own = options.ports?.[port.published ?? '']
      used.add(port.published ?? '')
      result.edge.push({
        published: range,
        target: port.target,
        mode: own?.mode ?? (port.app_protocol === 'http' ? 'http' : 'tcp'),
        proxyProtocol: own?.proxy_protocol ?? options.proxy_protocol ?? false,
        ...(isIPv4(port.host_ip ?? '') && port.host_ip !== '0.0.0.0'
          ? { hostIp: port.host_ip ?? '' }
          : {}),
      })
    }
  }
  for (const published of Object.keys(options.ports ?? {})) {
    if (used.has(published)) continue
    problems.push({
      path: ['services', key, 'x-muster', 'ports', published],
      message: `x-muster: the service publishes no TCP port ${published} through the edges.`,
    })
  }
  return result
}

/** Served by the edges; all others are Swarm's own. */
export const isEdgePort = ({ mode, protocol }: Pick<Port, 'mode' | 'protocol'>): boolean =>
  mode !== 'host' && (protocol ?? 'tcp') === 'tcp'

const swarmPort = (port: Port, published: number | undefined): EndpointPortConfig => ({
  ...(port.name === undefined ? {} : { Name: port.name }),
  Protocol: port.protocol === 'udp' || port.protocol === 'sctp' ? port.protocol : 'tcp',
  TargetPort: port.target,
  ...(published === undefined ? {} : { PublishedPort: published }),
  PublishMode: port.mode === 'host' ? 'host' : 'ingress',
})

const parsePublished = (
  text: string | undefined,
): number | { from: number; to: number } | undefined | 'bad' => {
  if (text === undefined || text === '' || text === '0') return undefined
  const match = /^(\d+)(?:-(\d+))?$/.exec(text)
  if (match === null) return 'bad'
  const from = Number(match[1])
  const to = match[2] === undefined ? from : Number(match[2])
  if (from < 1 || to > 65535 || to < from) return 'bad'
  return from === to ? from : { from, to }
}
