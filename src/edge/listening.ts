import { readFile } from 'node:fs/promises'

const LISTEN = '0A'
const ANY = /^0+$/

/**
 * TCP ports on which somebody in this network namespace listens so that `0.0.0.0:port` cannot be
 * bound, from /proc/net/tcp and /proc/net/tcp6. Reading takes no port away from a process that is just
 * starting, as trying to bind would. A listener on `::` is taken for one that serves IPv4 too.
 */
export const parseListening = (tcp: string, tcp6: string): Set<number> => {
  const ports = new Set<number>()
  for (const [text, v6] of [
    [tcp, false],
    [tcp6, true],
  ] as const) {
    for (const line of text.split('\n').slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/)
      const [address, port] = local?.split(':') ?? []
      if (state !== LISTEN || address === undefined || port === undefined) continue
      if (!v6 || ANY.test(address)) ports.add(Number.parseInt(port, 16))
    }
  }
  return ports
}

/** The same, of the caller's own network namespace. */
export const listeningPorts = async (): Promise<Set<number>> =>
  parseListening(
    await readFile('/proc/self/net/tcp', 'utf8'),
    // Absent where IPv6 is off.
    await readFile('/proc/self/net/tcp6', 'utf8').catch(() => ''),
  )
