/** What the data at rest in a member's folder are. Pure. */
import type { DataState, Ledger } from '../../catalog/index.ts'
import type { Marker } from '../../volumes/index.ts'

/**
 * `holds`: the recipe sees a member's data in it. `lost`: there were good data, and now there are
 * none. Data of a member that never joined are worth nothing: it is as `empty`.
 */
export const classify = (
  { joined, claim }: Pick<Marker, 'joined' | 'claim'>,
  holds: boolean,
  ledger: Pick<Ledger, 'uid'> | null,
): DataState | 'lost' => {
  if (!holds) return joined === null ? 'empty' : 'lost'
  if (joined === null) {
    // Nobody of ours has put them there.
    if (claim === null) return 'foreign'
    return ledger === null || claim.ledger === ledger.uid ? 'empty' : 'foreign'
  }
  return ledger === null || joined === ledger.uid ? 'good' : 'foreign'
}
