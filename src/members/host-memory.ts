import type { Clock } from '../base/index.ts'
import type { Catalog, HostId } from '../catalog/index.ts'
import type { Node } from '../engine/index.ts'

/** Swarm calls it down, or it is drained; a host that is removed is not away but gone. */
export const isAway = (node: Node | undefined): boolean =>
  node !== undefined && (node.Status?.State === 'down' || node.Spec.Availability === 'drain')

/** Since when hosts are not heard, or away; as far as this leader has seen. */
export class HostMemory {
  readonly #clock: Clock
  readonly #began: number
  readonly #heard = new Map<HostId, number>()
  readonly #away = new Map<HostId, number>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began = clock.now()
  }

  update(catalog: Catalog, nodes: readonly Node[]): void {
    const now = this.#clock.now()
    for (const { id, state } of catalog.hosts.values()) {
      if (state === 'alive') this.#heard.set(id, now)
    }
    for (const node of nodes) {
      if (!isAway(node)) this.#away.delete(node.ID)
      else if (!this.#away.has(node.ID)) this.#away.set(node.ID, now)
    }
  }

  unheardFor(host: HostId): number {
    return this.#clock.now() - (this.#heard.get(host) ?? this.#began)
  }

  awayFor(host: HostId): number {
    const since = this.#away.get(host)
    return since === undefined ? 0 : Math.max(1, this.#clock.now() - since)
  }
}
