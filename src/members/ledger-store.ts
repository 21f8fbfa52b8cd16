/** The ledgers in Swarm's Raft store: one config each, whose label holds the JSON. */
import { LABEL, MusterError } from '../base/index.ts'
import {
  type ClusterName,
  CorruptMessage,
  fromJson,
  type Ledger,
  schema,
} from '../catalog/index.ts'
import type { Config, Engine } from '../engine/index.ts'
import { ledgerName } from './member-spec.ts'

type Store = Pick<Engine, 'listConfigs' | 'createConfig' | 'updateConfig'>

/** A ledger as it was read. */
export interface StoredLedger {
  ledger: Ledger
  config: Config
}

/** What the config itself holds; all that changes is in its label. */
const DATA = Buffer.from(
  'The ledger of a clustered service is the label of this config.\n',
).toString('base64')

/** Every ledger by name of its cluster; `problems` says which cannot be read. */
export const readStoredLedgers = async (
  engine: Pick<Store, 'listConfigs'>,
): Promise<{ ledgers: Map<ClusterName, StoredLedger>; problems: Map<ClusterName, string> }> => {
  const ledgers = new Map<ClusterName, StoredLedger>()
  const problems = new Map<ClusterName, string>()
  for (const config of await engine.listConfigs({ label: [LABEL.ledger] })) {
    const name = config.Spec.Labels?.[LABEL.cluster] ?? ''
    // The one that its name belongs to: a copy under another name decides nothing.
    if (config.Spec.Name !== ledgerName(name)) continue
    try {
      const label = config.Spec.Labels?.[LABEL.ledger] ?? ''
      const ledger = fromJson(label, schema.ledger, `label ${LABEL.ledger}`)
      if (ledger.cluster === name) ledgers.set(name, { ledger, config })
      else problems.set(name, `the ledger of ${name} is ${ledger.cluster}'s`)
    } catch (error) {
      if (!(error instanceof CorruptMessage)) throw error
      problems.set(name, `the ledger of ${name}: ${error.message}`)
    }
  }
  return { ledgers, problems }
}

/**
 * Forgets a clustered service of which there are no data left: its ledger and its secrets. False if
 * there was no ledger.
 */
export const dropLedger = async (
  engine: Pick<Engine, 'listConfigs' | 'removeConfig' | 'listSecrets' | 'removeSecret'>,
  cluster: ClusterName,
): Promise<boolean> => {
  const label = [`${LABEL.cluster}=${cluster}`]
  const configs = (await engine.listConfigs({ label })).filter(
    ({ Spec }) => Spec.Name === ledgerName(cluster),
  )
  for (const { ID } of configs) await engine.removeConfig(ID)
  for (const { ID } of await engine.listSecrets({ label })) await engine.removeSecret(ID)
  return configs.length > 0
}

/**
 * Writes a ledger that follows from `before` (undefined: there was none). False if somebody else was
 * faster: nothing of what follows from it may be done then.
 */
export const writeLedger = async (
  engine: Store,
  next: Ledger,
  before: StoredLedger | undefined,
): Promise<boolean> => {
  const labels = { [LABEL.cluster]: next.cluster, [LABEL.ledger]: JSON.stringify(next) }
  try {
    if (before === undefined) {
      await engine.createConfig({ Name: ledgerName(next.cluster), Labels: labels, Data: DATA })
    } else {
      const { config } = before
      await engine.updateConfig(config.ID, config.Version.Index, { ...config.Spec, Labels: labels })
    }
    return true
  } catch (error) {
    if (error instanceof MusterError && ['CONFLICT', 'NOT_FOUND'].includes(error.code)) return false
    throw error
  }
}
