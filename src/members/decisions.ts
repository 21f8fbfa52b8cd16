/** Small words that the decisions are written with. */
import type { Ledger, LedgerMember, MemberId } from '../catalog/index.ts'
import type { Action, Decision } from './facts.ts'

export const write = (
  ledger: Ledger,
  explain: string,
  { before = [], after = [] }: { before?: Action[]; after?: Action[] } = {},
): Decision => ({ kind: 'write', ledger, before, after, explain: [explain] })

export const act = (actions: Action[], explain: string): Decision => ({
  kind: 'act',
  actions,
  explain: [explain],
})

export const waitFor = (explain: string): Decision => ({ kind: 'wait', explain: [explain] })

/** The ledger with one member changed. */
export const withMember = (ledger: Ledger, id: MemberId, change: Partial<LedgerMember>): Ledger => {
  const member = ledger.members[id]
  if (member === undefined) return ledger
  return { ...ledger, members: { ...ledger.members, [id]: { ...member, ...change } } }
}

/** The ledger without a member. */
export const withoutMember = (ledger: Ledger, id: MemberId): Ledger => {
  const { [id]: _gone, ...members } = ledger.members
  return {
    ...ledger,
    members,
    view: ledger.view.filter((each) => each !== id),
    writer: ledger.writer === id ? null : ledger.writer,
  }
}

/** Nothing of this cluster has ever run as primary, as far as anybody knows. */
export const neverFormed = (ledger: Ledger): boolean =>
  ledger.view.length === 0 &&
  ledger.highWater === null &&
  ledger.cleanStop === null &&
  Object.values(ledger.members).every(({ volume }) => volume === null)

/** What a person has decided, if it is about the ledger's present epoch. */
export const validOrder = ({ order, epoch }: Ledger): Ledger['order'] =>
  order !== null && order.epoch === epoch ? order : null
