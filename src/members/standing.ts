import type { Ledger, MemberReport, Position } from '../catalog/index.ts'
import { validOrder } from './decisions.ts'
import type { Standing, View } from './facts.ts'
import { holdsGrant } from './permit.ts'
import { comparePositions } from './position.ts'
import { inPrimary } from './sight.ts'

/**
 * What becomes of a member that runs. While positions are compared nothing may run outside the
 * primary component but one: two that find each other again could become primary on their own, beside
 * the one that is chosen. The exception is a member whose others are all known to be at rest,
 * with nothing newer: it may be chosen as it runs, which saves a restart.
 *
 * `claimed`: the epoch in which this process was started as the first; 0 if it was not.
 */
export const standing = (view: View, claimed: number): Standing => {
  const { ledger, topology, own, others } = view
  const member = ledger?.members[own.id]
  if (ledger === null || member === undefined || own.epoch !== ledger.epoch) return { kind: 'stay' }
  if (own.volume !== null && own.volume === member.discarded) {
    return { kind: 'stop', reason: 'its data have been given up' }
  }
  if (inPrimary(own) || ledger.phase !== 'recovering') return { kind: 'stay' }
  if (claimed === ledger.epoch) return { kind: 'stay' }
  const byItself = topology.recovers === 'itself'
  if (holdsGrant(ledger, own)) {
    return byItself
      ? { kind: 'stop', reason: 'it is to start again as the first' }
      : own.status?.role === 'outside'
        ? { kind: 'promote' }
        : { kind: 'stop', reason: 'it is to be first, and does not answer' }
  }
  const alone = Object.keys(ledger.members).every(
    (id) =>
      id === own.id ||
      others.some(
        ({ report, sight }) =>
          report.id === id && sight === 'heard' && mayRest(report, { than: own, ledger }),
      ),
  )
  const order = validOrder(ledger)
  const other = order !== null && order.from !== own.id
  // One that still looks for the others answers nobody, and cannot be compared as it runs.
  const comparable = own.status?.role === 'outside' && own.position !== null
  return alone && !other && !byItself && comparable
    ? { kind: 'stay' }
    : { kind: 'stop', reason: 'it is found out which copy is the newest' }
}

/**
 * A member that rests in this epoch with nothing newer; or one whose agent has not promised the epoch yet:
 * before it does nobody is chosen, and then it says more.
 */
const mayRest = (
  other: MemberReport,
  { than, ledger }: { than: MemberReport; ledger: Ledger },
): boolean =>
  other.epoch < ledger.epoch ||
  (other.process !== 'running' &&
    !(other.data === 'good' && isBetter(other.position, than.position)))

/** Not comparable is better, too: then it is not for this member to say. */
const isBetter = (other: Position | null, own: Position | null): boolean =>
  other !== null &&
  (own === null || own.history !== other.history || comparePositions(own, other) < 0)
