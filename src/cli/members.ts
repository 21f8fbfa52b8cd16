/** What people call members, and who they are. */
import { hostname, userInfo } from 'node:os'
import { LABEL } from '../base/index.ts'
import type { Ledger, MemberId } from '../catalog/index.ts'
import type { Engine, Service } from '../engine/index.ts'
import { readStoredLedgers, type StoredLedger } from '../members/index.ts'
import { findService, notFound } from '../stack/index.ts'

/** The ledger of a clustered service, or of the one that a member's service belongs to. Throws NOT_FOUND. */
export const ledgerNamed = async (
  engine: Engine,
  name: string,
): Promise<{ service: Service; stored: StoredLedger }> => {
  const { service } = findService(await engine.listServices(), name)
  const cluster = service.Spec.Labels?.[LABEL.cluster] ?? service.Spec.Name
  const stored = (await readStoredLedgers(engine)).ledgers.get(cluster)
  if (stored === undefined) throw notFound('clustered service', name, [])
  return { service, stored }
}

/** A member by its full name, its name in the stack, or its number. Throws NOT_FOUND. */
export const memberNamed = (ledger: Ledger, name: string): MemberId => {
  const ids = Object.keys(ledger.members)
  const found = ids.find(
    (id) =>
      id === name ||
      id.endsWith(`_${name}`) ||
      id === `${ledger.cluster}-${/^(?:.*[.-])?(\d+)$/.exec(name)?.[1]}`,
  )
  if (found === undefined) throw notFound('member', name, ids)
  return found
}

/** For the record of what a person has decided: `root@host-1`. */
export const whoAmI = (): string => {
  const user = process.env.SUDO_USER ?? userInfo().username
  return `${user}@${hostname()}`
}
