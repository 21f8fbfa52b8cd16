/** Heads and ledgers, as Swarm has them, become the catalog's clusters. */
import { LABEL } from '../base/index.ts'
import {
  type Cluster,
  CorruptMessage,
  type Head,
  type Ledger,
  type ServiceId,
  fromJson,
  headOf,
  schema,
} from '../catalog/index.ts'
import type { Config, Service } from '../engine/index.ts'
import type { Read } from './swarm-objects.ts'

/** Null for a config that is no ledger, and for one that cannot be read. */
export const ledgerOf = (config: Config): Read<Ledger | null> => {
  const label = config.Spec.Labels?.[LABEL.ledger]
  if (label === undefined) return { value: null, problems: [] }
  try {
    return { value: fromJson(label, schema.ledger, `label ${LABEL.ledger}`), problems: [] }
  } catch (error) {
    if (!(error instanceof CorruptMessage)) throw error
    return { value: null, problems: [`config ${config.Spec.Name}: ${error.message}`] }
  }
}

/** Puts together what is read at different times. */
export class ClustersRead {
  readonly #heads = new Map<ServiceId, Head>()
  #ledgers: readonly Ledger[] = []

  get clusters(): Cluster[] {
    const heads = new Map([...this.#heads.values()].map((head) => [head.cluster, head]))
    return this.#ledgers.map((ledger) => ({
      id: ledger.cluster,
      ledger,
      head: heads.get(ledger.cluster) ?? null,
    }))
  }

  /** All services, or with `only` these of them. Returns what is wrong with them. */
  setServices(services: readonly Service[], only?: ReadonlySet<ServiceId>): string[] {
    for (const id of only ?? [...this.#heads.keys()]) this.#heads.delete(id)
    return services.flatMap((service) => {
      try {
        const head = headOf(service.Spec)
        if (head) this.#heads.set(service.ID, head)
        return []
      } catch (error) {
        if (!(error instanceof CorruptMessage)) throw error
        return [`service ${service.Spec.Name}: ${error.message}`]
      }
    })
  }

  /** All configs that are ledgers. Returns what is wrong with them. */
  setConfigs(configs: readonly Config[]): string[] {
    const read = configs.map(ledgerOf)
    this.#ledgers = read.flatMap(({ value }) => value ?? [])
    return read.flatMap(({ problems }) => problems)
  }
}
