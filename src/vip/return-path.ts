/** How answers to clients find back to the edge that spoke in the client's name. Pure. */
import { isIPv4 } from 'node:net'
import {
  type Catalog,
  type EdgePlace,
  type HostId,
  type NetworkId,
  publisherOf,
} from '../catalog/index.ts'

/** Where answers go that belong to a connection from this edge. Nothing in it depends on order. */
export type ReturnPath = EdgePlace

/** Of `ip rule`: our own, before the tables of the kernel. */
const RULE_PRIORITY = 27_893

/**
 * Remembers where edges were last said to be: a manager that has just started may not know yet, and
 * a place that nobody is at does no harm. Only another place or the end of the host replaces one.
 */
export class EdgePlaces {
  readonly #places = new Map<HostId, Record<NetworkId, EdgePlace>>()

  update(catalog: Catalog, { complete }: { complete: boolean }): void {
    for (const { id, edge } of catalog.hosts.values()) {
      this.#places.set(id, { ...this.#places.get(id), ...edge })
    }
    if (!complete) return
    for (const id of this.#places.keys()) if (!catalog.hosts.has(id)) this.#places.delete(id)
  }

  /** On these networks, sorted by address. */
  on(networks: readonly NetworkId[]): ReturnPath[] {
    const places = new Map<string, EdgePlace>()
    for (const edge of this.#places.values()) {
      for (const network of networks) {
        const place = edge[network]
        if (place !== undefined) places.set(place.address, place)
      }
    }
    return [...places.values()].sort((a, b) => (a.address < b.address ? -1 : 1))
  }
}

/** The services of which containers must find back: those that publish bytes, not requests. */
export const wantsReturnPaths = (catalog: Catalog, id: string | undefined): boolean => {
  const service = catalog.services.get(id ?? '')
  if (service === undefined) return false
  // What a cluster publishes is written at its head, and reaches its members.
  const { ports } = publisherOf(catalog, service)
  return ports.some(({ mode, proxyProtocol }) => mode === 'tcp' && !proxyProtocol)
}

/**
 * The number of an edge: mark of its connections and of the routing table that leads back to it. Its
 * own address, so that no number ever passes from one edge to another.
 */
export const markOf = (address: string): number => {
  if (!isIPv4(address)) throw new Error(`not an IPv4 address: ${JSON.stringify(address)}`)
  return Buffer.from(address.split('.').map(Number)).readUInt32BE()
}

const hex = (mark: number): string => `0x${mark.toString(16)}`
const safe = (value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw new Error(`not fit for a script: ${JSON.stringify(value)}`)
  return value
}
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/
const SUBNET = /^\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}$/

/**
 * Chains for the container's nft table: a connection that an edge opened with a foreign source address
 * is marked with that edge, and whatever the container sends on it takes the edge's route. The packet
 * is marked already on its way in, so that the socket is (tcp_fwmark_accept), also in a container
 * that has no other route to the client.
 */
export const returnPathChains = (paths: readonly ReturnPath[]): string[] => {
  if (paths.length === 0) return []
  const bySubnet = Map.groupBy(paths, ({ subnet }) => safe(subnet, SUBNET))
  const marks = paths.map(({ address }) => hex(markOf(address))).join(', ')
  return [
    '  chain from-edge {',
    '    type filter hook prerouting priority -150; policy accept',
    ...[...bySubnet].map(
      ([subnet, places]) =>
        `    ip saddr != ${subnet} meta l4proto tcp ct mark set ether saddr map { ${places
          .map(({ mac, address }) => `${safe(mac, MAC)} : ${hex(markOf(address))}`)
          .join(', ')} }`,
    ),
    `    ct direction original ct mark { ${marks} } meta mark set ct mark`,
    '  }',
    '  chain to-edge {',
    '    type route hook output priority -150; policy accept',
    `    ct direction reply ct mark { ${marks} } meta mark set ct mark`,
    '  }',
  ]
}

/**
 * Shell commands that make the routes which the marks select. Those that are there stay untouched at
 * every moment: one answer that leaves by another route would make the client end its connection.
 */
export const returnPathCommands = (paths: readonly ReturnPath[]): string => {
  const marks = paths.map(({ address }) => hex(markOf(address)))
  return [
    // The effective value is the larger of `all` and the interface's own.
    'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$file" || exit 5; done',
    'echo 1 > /proc/sys/net/ipv4/tcp_fwmark_accept || exit 5',
    "ip -4 -batch - <<'END' || exit 5",
    ...paths.map(({ address }) => {
      const table = markOf(address)
      return `route replace default via ${address} table ${table}`
    }),
    'END',
    `rules=$(ip -4 rule show pref ${RULE_PRIORITY} | sed -n 's/.* fwmark \\(0x[0-9a-f]*\\) .*/\\1/p')`,
    `for mark in ${marks.join(' ')}; do`,
    '  case " $(echo $rules) " in *" $mark "*) continue ;; esac',
    `  ip -4 rule add pref ${RULE_PRIORITY} fwmark $mark lookup $((mark)) || exit 5`,
    'done',
    'for mark in $rules; do',
    `  case " ${marks.join(' ')} " in *" $mark "*) continue ;; esac`,
    `  ip -4 rule del pref ${RULE_PRIORITY} fwmark $mark || exit 5`,
    '  ip -4 route flush table $((mark))',
    'done',
  ].join('\n')
}
