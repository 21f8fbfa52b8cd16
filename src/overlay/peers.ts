/** Who is on an overlay network beyond this host, and what the kernel has to know to reach them. Pure. */
import { isIPv4 } from 'node:net'
import {
  type Catalog,
  type CatalogHost,
  type HostId,
  type NetworkId,
  decoders,
} from '../catalog/index.ts'

/** A container on another host. */
export interface OverlayPeer {
  /** IPv4 on the overlay network. */
  address: string
  mac: string
  /** IPv4 of its host: where its VXLAN tunnel ends. */
  host: string
}

/** What the kernel holds of one overlay network. */
export interface Tables {
  /** Name of its VXLAN device. */
  device: string
  /** Addresses whose MAC is known. */
  neighbors: ReadonlySet<string>
  /** Which host each MAC is behind: its IPv4. */
  forwarded: ReadonlyMap<string, string>
}

/** The MAC address that Docker gives a container on an overlay network: its IPv4 address is in it. */
export const macOf = (address: string): string =>
  `02:42:${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`

/**
 * Everybody on these networks who is on another host, by network. Only hosts whose agents are heard and
 * whose engines answer; not an address that two hosts claim.
 */
export const remotePeers = (
  catalog: Catalog,
  self: HostId,
  networks: ReadonlySet<NetworkId>,
): Map<NetworkId, OverlayPeer[]> => {
  const found = new Map<NetworkId, Map<string, OverlayPeer | null>>()
  const add = (network: NetworkId, peer: OverlayPeer): void => {
    if (!networks.has(network) || !isIPv4(peer.address) || !isIPv4(peer.host)) return
    const peers = found.get(network) ?? new Map<string, OverlayPeer | null>()
    const known = peers.get(peer.address)
    peers.set(peer.address, known === undefined || known?.host === peer.host ? peer : null)
    found.set(network, peers)
  }
  const remote = (id: HostId): CatalogHost | undefined => {
    const host = catalog.hosts.get(id)
    return id !== self && host?.state === 'alive' && !host.engineDown ? host : undefined
  }
  for (const { host: id, addresses } of catalog.endpoints.values()) {
    const host = remote(id)?.address
    if (host === undefined) continue
    for (const [network, address] of Object.entries(addresses)) {
      add(network, { address, mac: macOf(address), host })
    }
  }
  for (const { id } of catalog.hosts.values()) {
    const host = remote(id)
    if (host === undefined) continue
    for (const [network, { address, mac }] of Object.entries(host.edge)) {
      add(network, { address, mac, host: host.address })
    }
  }
  return new Map(
    [...found].map(([network, peers]) => [
      network,
      [...peers.values()].filter((peer) => peer !== null),
    ]),
  )
}

/**
 * The peers that the kernel lacks an entry of, or looks for behind another one of these hosts. Tunnels
 * that end at addresses of their own are the operator's, and stay.
 */
export const missingPeers = (
  peers: readonly OverlayPeer[],
  { neighbors, forwarded }: Tables,
  hosts: ReadonlySet<string>,
): OverlayPeer[] =>
  peers.filter(({ address, mac, host }) => {
    const behind = forwarded.get(mac)
    return !neighbors.has(address) || behind === undefined || (behind !== host && hosts.has(behind))
  })

/** Prints what `readTables` reads. */
export const SHOW_TABLES = [
  'ip -j link show type vxlan || exit 5',
  'ip -j neigh show || exit 5',
  'bridge -j fdb show || exit 5',
].join('\n')

const { anyText, fallback, list, object } = decoders
const word = anyText(256)
const links = list(object({ ifname: word }))
const neighbors = list(object({ dst: word, dev: word, lladdr: fallback(word, '') }))
const forwarding = list(object({ mac: word, ifname: word, dst: fallback(word, '') }))

/**
 * What `SHOW_TABLES` has printed. Null if the network has not exactly one VXLAN device: with several
 * subnets it has several. Throws CorruptMessage or SyntaxError.
 */
export const readTables = (text: string): Tables | null => {
  const [first, second, third] = text.split('\n').filter((line) => line.trim() !== '')
  const parse = (line: string | undefined): unknown => JSON.parse(line ?? '')
  const devices = links(parse(first), 'ip link')
  const [device] = devices
  if (device === undefined || devices.length > 1) return null
  const own = ({ dev }: { dev: string }) => dev === device.ifname
  return {
    device: device.ifname,
    neighbors: new Set(
      neighbors(parse(second), 'ip neigh')
        .filter((each) => own(each) && each.lladdr !== '')
        .map(({ dst }) => dst),
    ),
    forwarded: new Map(
      forwarding(parse(third), 'bridge fdb')
        .filter(({ ifname, dst }) => ifname === device.ifname && dst !== '')
        .map(({ mac, dst }) => [mac, dst]),
    ),
  }
}

/** Shell commands that tell the kernel of peers, as the engine would. */
export const repairCommands = (peers: readonly OverlayPeer[], { device }: Tables): string => {
  const dev = fit(device, /^[A-Za-z0-9_.-]{1,15}$/)
  return peers
    .map(({ address, mac, host }) => {
      const [to, at] = [fit(mac, /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/), ip(host)]
      return [
        `ip neigh replace ${ip(address)} lladdr ${to} dev ${dev} nud permanent || exit 5`,
        `bridge fdb replace ${to} dev ${dev} dst ${at} self permanent || exit 5`,
      ].join('\n')
    })
    .join('\n')
}

const fit = (value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw new Error(`not fit for a command: ${JSON.stringify(value)}`)
  return value
}
const ip = (value: string): string => {
  if (!isIPv4(value)) throw new Error(`not fit for a command: ${JSON.stringify(value)}`)
  return value
}
