import { LABEL } from '../base/index.ts'
import { CorruptMessage, fromJson, type Ledger, schema } from '../catalog/index.ts'
import type { Config, Engine } from '../engine/index.ts'

/** The ledgers among all configs, by name of their cluster. One that cannot be read is left out. */
export const ledgersIn = (configs: readonly Config[]): Map<string, Ledger> => {
  const ledgers = new Map<string, Ledger>()
  for (const { Spec: spec } of configs) {
    const label = spec.Labels?.[LABEL.ledger]
    if (label === undefined) continue
    try {
      const ledger = fromJson(label, schema.ledger, `label ${LABEL.ledger}`)
      ledgers.set(ledger.cluster, ledger)
    } catch (error) {
      if (!(error instanceof CorruptMessage)) throw error
    }
  }
  return ledgers
}

/** The ledgers of all clustered services. */
export const readLedgers = async (
  engine: Pick<Engine, 'listConfigs'>,
): Promise<Map<string, Ledger>> => ledgersIn(await engine.listConfigs({ label: [LABEL.ledger] }))
