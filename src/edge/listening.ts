import { readFile } from 'node:fs/promises'
import { parseListeners } from '../base/index.ts'

/**
 * TCP ports on which somebody in this network namespace listens so that `0.0.0.0:port` cannot be
 * bound, from /proc/net/tcp and /proc/net/tcp6. Reading takes no port away from a process that is just
 * starting, as trying to bind would. A listener on `::` is taken for one that serves IPv4 too.
 */
export const portsTaken = (tcp: string, tcp6: string): Set<number> =>
  new Set([
    ...parseListeners(tcp).map(({ port }) => port),
    ...parseListeners(tcp6).flatMap(({ port, everywhere }) => (everywhere ? [port] : [])),
  ])

/** The same, of the caller's own network namespace. */
export const listeningPorts = async (): Promise<Set<number>> =>
  portsTaken(
    await readFile('/proc/self/net/tcp', 'utf8'),
    // Absent where IPv6 is off.
    await readFile('/proc/self/net/tcp6', 'utf8').catch(() => ''),
  )
