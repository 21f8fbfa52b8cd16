import type { Clock } from '../base/index.ts'
import type { EdgeConfig, EdgeConflict } from './config.ts'

/** Another process listens there; or HAProxy did not take a configuration in which the port was new. */
export type BlockReason = 'taken' | 'refused'

/**
 * Ports of this host that HAProxy cannot have for now. One such port in its configuration would make
 * HAProxy refuse all of it.
 */
export class BlockedPorts {
  readonly #blocked = new Map<number, { until: number; reason: BlockReason }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  block(ports: Iterable<number>, reason: BlockReason, ms: number): void {
    for (const port of ports) this.#blocked.set(port, { until: this.#clock.now() + ms, reason })
  }

  unblock(ports: Iterable<number>): void {
    for (const port of ports) this.#blocked.delete(port)
  }

  /** Ports blocked now, and why. */
  get ports(): ReadonlyMap<number, BlockReason> {
    const now = this.#clock.now()
    for (const [port, { until }] of this.#blocked) if (until <= now) this.#blocked.delete(port)
    return new Map([...this.#blocked].map(([port, { reason }]) => [port, reason]))
  }
}

const REASONS: Record<BlockReason, (port: number) => string> = {
  taken: (port) => `port ${port} of this host is taken by another process`,
  refused: (port) => `HAProxy of this host has not taken port ${port} yet`,
}

/** A configuration without some listeners, and the conflicts that say so. Backends stay. */
export const withoutPorts = (
  config: EdgeConfig,
  blocked: ReadonlyMap<number, BlockReason>,
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
        reason: REASONS[blocked.get(listener.port) ?? 'taken'](listener.port),
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
