import type { Ledger, MemberId, Order } from '../catalog/index.ts'
import { validOrder } from './decisions.ts'

/**
 * What a person decides about a cluster that is held. Its `at` is later than that of any order before,
 * whatever the clocks show of the hosts on which they were given: it is what tells them apart.
 */
export const orderOf = (
  { epoch, order }: Ledger,
  { from, snapshot }: { from: MemberId; snapshot: string | null },
  { by, now }: { by: string; now: number },
): Order => ({ epoch, from, snapshot, by, at: Math.max(now, (order?.at ?? 0) + 1) })

/** What a person has decided about the data of a folder, if they are still to be made of a snapshot. */
export const dueSnapshot = (
  ledger: Ledger | null,
  {
    member,
    marker,
  }: { member: { id: MemberId } | null; marker: { epoch: number; restored: number | null } },
): (Order & { snapshot: string }) | null => {
  if (ledger === null || ledger.phase !== 'recovering' || marker.epoch !== ledger.epoch) return null
  const order = validOrder(ledger)
  return order !== null &&
    order.snapshot !== null &&
    order.from === member?.id &&
    order.at !== marker.restored
    ? { ...order, snapshot: order.snapshot }
    : null
}
