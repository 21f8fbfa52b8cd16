/** What a member's folder must remember before anybody hears that the member is primary. Pure. */
import type { Ledger } from '../../catalog/index.ts'
import type { Answer } from '../../recipes/index.ts'
import type { VolumeRecord } from '../../volumes/index.ts'

/** What is to be written beside the data. */
export interface Memory {
  /** The last epoch in which it was the first. */
  founded: number
  /** uid of the ledger whose cluster it has joined. */
  joined: string | null
  clean: false
}

/** Null when the folder knows it already, or the answer says nothing that it must know. */
export const memoryOf = (
  { status }: Pick<Answer, 'status'>,
  { name, uid, marker }: VolumeRecord,
  ledger: Ledger | undefined,
): Memory | null => {
  const primary = status.component !== null && ['ready', 'donor'].includes(status.role)
  if (!primary) return null
  const { claim, founded, joined, clean } = marker
  const granted =
    ledger !== undefined &&
    (ledger.phase === 'forming' || ledger.phase === 'recovering') &&
    ledger.grant?.epoch === ledger.epoch &&
    ledger.grant.members[name] === uid
  const first = claim !== null && (claim.kind === 'form' || claim.kind === 'first')
  const epoch = Math.max(founded, first ? claim.epoch : 0, granted ? ledger.epoch : 0)
  const of = claim?.ledger ?? ledger?.uid ?? null
  if (epoch === founded && joined === of && !clean) return null
  return { founded: epoch, joined: of, clean: false }
}
