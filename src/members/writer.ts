/** Who takes the writes. It stays who it is while it can. */
import type { Handover, Ledger } from '../catalog/index.ts'
import { waitFor, write } from './decisions.ts'
import type { Action, Decision, Facts } from './facts.ts'
import { comparePositions } from './position.ts'
import { type Heard, type Seen, byNumber, inPrimary, isHeardNow, readyOnes } from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

/**
 * The best of those who are ready. All have what was acknowledged. Not on the host of Swarm's leader, if
 * there is another: losing both at once, nobody could name the next writer until there is another leader.
 * Then the most advanced, by number among equals.
 */
export const bestWriter = ({ ledger }: Facts, ready: readonly Heard[]): Heard | undefined =>
  ready
    .filter(({ id, member }) => id !== ledger.writer && member.volume !== null && !member.leaving)
    .sort((a, b) => {
      const [p, q] = [a.report.position, b.report.position]
      return (
        Number(a.host?.leads ?? false) - Number(b.host?.leads ?? false) ||
        (p && q ? comparePositions(q, p) : 0) ||
        byNumber(a, b)
      )
    })[0]

/** The ledger with another writer; the old one is asked to refuse writes once it is known. */
export const moveWriter = (
  { ledger, verbs }: Facts,
  to: Heard,
  { from, why }: { from: Heard | undefined; why: string },
): Decision => {
  const before: Action[] = verbs.has('writable')
    ? [{ do: 'verb', verb: 'writable', inside: to.id, member: to.id }]
    : []
  const after: Action[] =
    verbs.has('readonly') && from
      ? [{ do: 'verb', verb: 'readonly', inside: from.id, member: from.id }]
      : []
  const next: Ledger = { ...ledger, writer: to.id, handover: null }
  return write(next, `${to.id} takes the writes: ${why}`, { before, after })
}

/**
 * It runs as part of the cluster, and has been ready a moment ago: a view that changes, a state that
 * it gives. Then the others are no better off, or it is over sooner than all clients have moved.
 */
const isBusy = ({ writerIdleFor }: Facts, writer: Seen): boolean =>
  isHeardNow(writer) &&
  inPrimary(writer.report) &&
  !writer.member.leaving &&
  writerIdleFor < MEMBER_TUNABLES.writerIdle

/** Now or never: what a person wanted then may be wrong a minute later. */
const handOver = (
  facts: Facts,
  given: { handover: Handover; ready: readonly Heard[]; writer: Seen | undefined },
): Decision => {
  const { ledger } = facts
  const { handover, ready, writer } = given
  const { from, to, by, epoch } = handover
  const valid = epoch === ledger.epoch && from === ledger.writer
  const others = to === null ? ready : ready.filter(({ id }) => id === to)
  const heir = valid ? bestWriter(facts, others) : undefined
  if (heir === undefined) {
    const why = valid ? `${to ?? 'no other'} is not ready` : 'they have moved since'
    return write({ ...ledger, handover: null }, `the writes stay where they are: ${why}`)
  }
  const old = writer && isHeardNow(writer) ? writer : undefined
  return moveWriter(facts, heir, { from: old, why: `${by} wants it` })
}

/** Another one when the writer is not ready, or nothing of its host is heard. */
export const chooseWriter = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology } = facts
  if (!topology.writer) return null
  const ready = readyOnes(seen)
  const writer = seen.find(({ id }) => id === ledger.writer)
  if (ledger.handover) return handOver(facts, { handover: ledger.handover, ready, writer })
  if (writer && ready.some(({ id }) => id === writer.id)) return null
  // Its agent restarts; the member goes on.
  if (writer?.agentless && writer.report?.ready) return null
  if (writer && isBusy(facts, writer)) {
    return waitFor(`${writer.id}, which takes the writes, is not ready for a moment`)
  }
  const best = bestWriter(facts, ready)
  if (best === undefined) return writer ? null : waitFor('no member is ready to take the writes')
  const why = writer === undefined ? 'nobody does' : `${writer.id} is not ready`
  return moveWriter(facts, best, { from: undefined, why })
}
