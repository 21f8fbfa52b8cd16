/**
 * Speaking to services in the name of clients: the edge's side. What the containers need to answer is
 * in src/vip/return-path.ts.
 */
import { networkInterfaces } from 'node:os'
import type { CatalogHost } from '../catalog/index.ts'

/**
 * Of packets that belong to connections of HAProxy under a client's address, and of the routing table
 * that keeps them in the namespace.
 */
const MARK = '0x6d75'
const TABLE = 27_893

/** nft script for the edge's network namespace: answers to clients are HAProxy's. */
export const EDGE_NETNS_SCRIPT = `add table ip muster-edge
delete table ip muster-edge
table ip muster-edge {
  chain answers {
    type filter hook prerouting priority -150; policy accept
    meta l4proto tcp socket transparent 1 meta mark set ${MARK} accept
  }
}
`

/** Shell commands for the same, to be run before the script; they end with status 5 on failure. */
export const EDGE_NETNS_COMMANDS = [
  'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$file" || exit 5; done',
  `ip -4 route replace local 0.0.0.0/0 dev lo table ${TABLE} || exit 5`,
  `[ -n "$(ip -4 rule show pref ${TABLE})" ] ||`,
  `  ip -4 rule add pref ${TABLE} fwmark ${MARK} lookup ${TABLE} || exit 5`,
].join('\n')

/** What the edge knows about the host it is on. */
export interface EdgeSurroundings {
  /** The host as all others have been told of it; undefined while nobody knows it. */
  self: CatalogHost | undefined
  /** Sources whose answers would not come back to the edge, as CIDR. Sorted. */
  local: string[]
  /** IPv4 addresses of the host. */
  addresses: ReadonlySet<string>
}

type Interfaces = ReturnType<typeof networkInterfaces>

/** Bridges that Docker makes. */
const BRIDGE = /^(?:docker0|docker_gwbridge|br-[0-9a-f]{12})$/

/** The host's own IPv4 addresses. */
export const hostAddresses = (interfaces: Interfaces = networkInterfaces()): Set<string> =>
  new Set(
    Object.values(interfaces).flatMap((each) =>
      (each ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
    ),
  )

/** The host's own addresses and the networks of Docker's bridges on it, as CIDR. Sorted. */
export const localRanges = (interfaces: Interfaces = networkInterfaces()): string[] => {
  const ranges = new Set(['127.0.0.0/8'])
  for (const [name, addresses] of Object.entries(interfaces)) {
    for (const { family, address, cidr } of addresses ?? []) {
      if (family !== 'IPv4' || address.startsWith('127.')) continue
      ranges.add(BRIDGE.test(name) && cidr !== null ? cidr : `${address}/32`)
    }
  }
  return [...ranges].sort()
}
