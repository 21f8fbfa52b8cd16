import { isIPv4 } from 'node:net'
import {
  mayKeep,
  routed,
  clientPorts,
  type Catalog,
  type Endpoint,
  type NetworkId,
} from '../catalog/index.ts'
import { returnPathChains, type ReturnPath } from './return-path.ts'

/** One virtual IP that a container can reach, and where its new connections go. IPv4 only. */
export interface VirtualService {
  vip: string
  /** Addresses on the same network; empty: refused at once. Sorted, no duplicates. */
  targets: string[]
  /** Ports of TCP that lead elsewhere. Absent: none. */
  ports?: PortTargets[]
}

/** A port of a clustered service for its clients. */
export interface PortTargets {
  port: number
  /** Empty: refused at once. Sorted. */
  targets: string[]
  /** A port for writes: addresses at which open connections may stay. Sorted. */
  keeps?: string[]
}

/** What the rules in one container's network namespace are a function of. */
export interface VipTable {
  /** Sorted by virtual IP. */
  services: VirtualService[]
  /** The edges that may speak to the container in the name of clients. Sorted by address. */
  returns: readonly ReturnPath[]
}

/** An address whose container is gone: connections to it are refused instead of left in silence. */
export interface DeadAddress {
  address: string
  /** Seconds, after which the kernel forgets it by itself. */
  seconds: number
}

/** Every virtual IP on the networks of a container. Equal catalogs give equal tables. */
export const vipTable = (
  catalog: Catalog,
  networks: readonly NetworkId[],
  returns: readonly ReturnPath[] = [],
): VipTable => {
  const services = new Map<string, VirtualService>()
  for (const service of [...catalog.services.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    for (const network of networks) {
      const vip = service.virtualIps[network]
      if (vip === undefined || !isIPv4(vip)) continue
      // An address belongs to one service only; two that claim it are a catalog caught in a change.
      if (services.has(vip)) continue
      const on = (endpoints: Iterable<Endpoint>): string[] =>
        [
          ...new Set(
            [...endpoints].flatMap(({ addresses }) => addresses[network] ?? []).filter(isIPv4),
          ),
        ].sort()
      const keepsOf = (kept: ReturnType<typeof mayKeep>) =>
        kept === null ? {} : { keeps: on(kept.values()) }
      const ports = clientPorts(catalog, service).map(({ port }) => ({
        port,
        targets: on(routed(catalog, service, { network, port })),
        ...keepsOf(mayKeep(catalog, service, port)),
      }))
      services.set(vip, {
        vip,
        targets: on(routed(catalog, service, { network, port: null })),
        ...(ports.length > 0 && { ports }),
      })
    }
  }
  return {
    services: [...services.values()].sort((a, b) => (a.vip < b.vip ? -1 : 1)),
    returns,
  }
}

/**
 * The table as an nft script: one transaction that replaces whatever was there. Connections that are
 * open keep their endpoint, because conntrack remembers it and only new ones see a nat chain.
 *
 * The order of the hooks for a packet that a container sends:
 *
 *     -200  conntrack: known connections are recognised
 *     -150  mangle: engines before 18.09 mark packets for a virtual IP here, for IPVS; `to-edge`
 *           (return-path.ts) sends answers back to the edge that they belong to
 *     -140  `guard`: the mark is cleared, new connections to services without endpoints are refused
 *     -101  `output` (nat): a new connection gets one endpoint at random; iptables' nat is at -100
 *      -98  IPVS: sees an endpoint's address and no mark, and leaves the packet alone
 *        0  `dead` (filter): what still goes to a container that is gone is refused
 *
 * Later engines keep IPVS in a namespace of its own that owns the virtual IP; packets that leave here
 * with an endpoint's address never reach it. `forwarded` does the same for containers inside the
 * container (Docker in Docker).
 */
export const renderVipScript = (table: VipTable, dead: readonly DeadAddress[] = []): string => {
  const balanced = table.services.filter(
    (each) => each.targets.length > 0 || served(each).length > 0,
  )
  const empty = table.services.filter((service) => !balanced.includes(service))
  const lines = [
    'add table ip muster',
    'delete table ip muster',
    'table ip muster {',
    ...balanced.flatMap((service, index) => [
      `  chain service-${index} {`,
      ...(service.ports ?? []).flatMap(({ port, targets }) =>
        targets.length === 0 ? [] : [`    tcp dport ${port} dnat to ${targetExpression(targets)}`],
      ),
      ...(service.targets.length === 0 ? [] : [`    dnat to ${targetExpression(service.targets)}`]),
      '  }',
    ]),
    '  chain services {',
    ...(balanced.length === 0
      ? []
      : [
          `    ip daddr vmap { ${balanced
            .map((service, index) => `${ipv4(service.vip)} : goto service-${index}`)
            .join(', ')} }`,
        ]),
    '  }',
    '  chain output {',
    '    type nat hook output priority -101; policy accept',
    '    jump services',
    '  }',
    '  chain forwarded {',
    '    type nat hook prerouting priority -101; policy accept',
    '    jump services',
    '  }',
    '  chain refuse {',
    '    meta l4proto tcp reject with tcp reset',
    '    reject with icmp type port-unreachable',
    '  }',
    '  chain guard {',
    '    type filter hook output priority -140; policy accept',
    ...(balanced.length === 0
      ? []
      : [`    ip daddr ${addressSet(balanced.map(({ vip }) => vip))} meta mark set 0`]),
    ...(empty.length === 0
      ? []
      : [`    ip daddr ${addressSet(empty.map(({ vip }) => vip))} ct state new goto refuse`]),
    ...balanced.flatMap(refusals),
    '  }',
    '  set gone {',
    '    type ipv4_addr',
    '    flags timeout',
    ...(dead.length === 0
      ? []
      : [
          `    elements = { ${dead
            .map(({ address, seconds }) => `${ipv4(address)} timeout ${Math.ceil(seconds)}s`)
            .join(', ')} }`,
        ]),
    '  }',
    '  chain dead {',
    '    type filter hook output priority 0; policy accept',
    '    ip daddr @gone goto refuse',
    '  }',
    ...returnPathChains(table.returns),
    '}',
  ]
  return `${lines.join('\n')}\n`
}

/** Ports of their own that lead somewhere. */
const served = ({ ports = [] }: VirtualService): number[] =>
  ports.filter(({ targets }) => targets.length > 0).map(({ port }) => port)

/** What is refused of a service of which something leads somewhere. */
const refusals = (service: VirtualService): string[] => {
  const vip = ipv4(service.vip)
  const nowhere = (service.ports ?? []).filter(({ targets }) => targets.length === 0)
  return [
    ...nowhere.map(({ port }) => `    ip daddr ${vip} tcp dport ${port} ct state new goto refuse`),
    ...(service.targets.length > 0
      ? []
      : [
          `    ip daddr ${vip} tcp dport { ${served(service).join(', ')} } accept`,
          `    ip daddr ${vip} ct state new goto refuse`,
        ]),
  ]
}

const targetExpression = (targets: string[]): string =>
  targets.length === 1
    ? ipv4(targets[0] ?? '')
    : `numgen random mod ${targets.length} map { ${targets
        .map((target, index) => `${index} : ${ipv4(target)}`)
        .join(', ')} }`

const addressSet = (addresses: string[]): string => `{ ${addresses.map(ipv4).join(', ')} }`

/** Addresses come from the network; nothing else may reach a script that runs as root. */
const ipv4 = (address: string): string => {
  if (!isIPv4(address)) throw new Error(`not an IPv4 address: ${JSON.stringify(address)}`)
  return address
}
