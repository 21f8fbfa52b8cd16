/** A socket that waits for connections, or a UDP socket that takes datagrams from anybody. */
export interface Listener {
  port: number
  /** On every address of its family. */
  everywhere: boolean
  /** Reachable from the same network namespace alone. */
  loopback: boolean
}

const TCP_LISTEN = '0A'
/** Of a UDP socket: unconnected. */
const UDP_BOUND = '07'
const ANY = /^0+$/
/** 127.0.0.0/8, also as an IPv4 address in IPv6, and ::1: words in the kernel's own byte order. */
const LOOPBACK = /^(?:[0-9A-F]{6}7F|0{16}FFFF0000[0-9A-F]{6}7F|0{24}01000000)$/

/** The listeners in a table of the kernel: /proc/net/tcp, tcp6, udp or udp6. */
export const parseListeners = (table: string): Listener[] => {
  const listeners: Listener[] = []
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/)
    const [address, port] = local?.split(':') ?? []
    if (address === undefined || port === undefined) continue
    if (state !== TCP_LISTEN && state !== UDP_BOUND) continue
    listeners.push({
      port: Number.parseInt(port, 16),
      everywhere: ANY.test(address),
      loopback: LOOPBACK.test(address),
    })
  }
  return listeners
}
