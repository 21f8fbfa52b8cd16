import { same } from '../catalog/index.ts'
import { waitFor, write } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import type { Seen } from './sight.ts'

/**
 * Nothing safe can be decided: what is known of each copy is written down, and a person decides.
 * Written again only when something in it is new.
 */
export const hold = (facts: Facts, seen: readonly Seen[], reason: string): Decision => {
  const { ledger, now } = facts
  const copies = seen.map(({ id, member, report, heard }) => ({
    member: id,
    host: member.host,
    data: heard && report ? report.data : ('unheard' as const),
    position: report?.position ?? null,
  }))
  const known = ledger.phase === 'held' ? ledger.held : null
  const held = { at: known?.at ?? now, reason, copies }
  return known !== null && same(known, held)
    ? waitFor(`held: ${reason}`)
    : write({ ...ledger, phase: 'held', held }, `held: ${reason}`)
}
