import type { Clock } from '../base/index.ts'
import type { EdgeConfig, EdgeConflict } from './config.ts'

/**
 * Ports of this host that HAProxy cannot have for now, because another process listens there. One such
 * port in its configuration would make HAProxy refuse all of it.
 */
export class BlockedPorts {
  readonly #until = new Map<number, number>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  block(ports: Iterable<number>, ms: number): void {
    for (const port of ports) this.#until.set(port, this.#clock.now() + ms)
  }

  unblock(ports: Iterable<number>): void {
    for (const port of ports) this.#until.delete(port)
  }

  /** Ports blocked now. */
  get ports(): ReadonlySet<number> {
    const now = this.#clock.now()
    for (const [port, until] of this.#until) if (until <= now) this.#until.delete(port)
    return new Set(this.#until.keys())
  }
}

/** A configuration without some listeners, and the conflicts that say so. Backends stay. */
export const withoutPorts = (
  config: EdgeConfig,
  blocked: ReadonlySet<number>,
): { config: EdgeConfig; conflicts: EdgeConflict[] } => {
  const services = new Map(config.backends.map((backend) => [backend.name, backend.service]))
  const conflicts = config.listeners
    .filter((listener) => blocked.has(listener.port))
    .map((listener) => {
      const backend = listener.mode === 'tcp' ? listener.backend : listener.routes[0]?.backend
      return {
        port: listener.port,
        service: services.get(backend ?? '') ?? '',
        winner: null,
        reason: `port ${listener.port} of this host is taken by another process`,
      }
    })
  if (conflicts.length === 0) return { config, conflicts }
  return {
    config: {
      ...config,
      listeners: config.listeners.filter((listener) => !blocked.has(listener.port)),
    },
    conflicts,
  }
}
