import type { Ledger, MemberId, Order } from '../catalog/index.ts'

/**
 * What a person decides about a cluster that is held. Its `at` is later than that of any order before,
 * whatever the clocks show of the hosts on which they were given: it is what tells them apart.
 */
export const orderOf = (
  { epoch, order }: Ledger,
  { from, snapshot }: { from: MemberId; snapshot: string | null },
  { by, now }: { by: string; now: number },
): Order => ({ epoch, from, snapshot, by, at: Math.max(now, (order?.at ?? 0) + 1) })
