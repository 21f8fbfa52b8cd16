/** How many members there are, and where. */
import type { HostId, Ledger, MemberId } from '../catalog/index.ts'
import { act, waitFor, withMember, withoutMember, write } from './decisions.ts'
import type { Action, Decision, Facts } from './facts.ts'
import {
  type Seen,
  byNumber,
  inPrimary,
  isHeardNow,
  isLost,
  isOutvoted,
  lostText,
  readyOnes,
} from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'

/** New members, spread over the hosts; null when there are enough. */
export const addMembers = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { wanted } = facts
  const staying = seen.filter(({ member }) => !member.leaving)
  const added: MemberId[] = []
  let { ledger } = facts
  for (let count = staying.length; count < (wanted ?? 0); count++) {
    const id = `${ledger.cluster}-${ledger.next}`
    const host = hostFor(facts, { ledger, id })
    if (host === null) break
    added.push(id)
    const member = { host, volume: null, admitted: null, discarded: null, leaving: false }
    ledger = { ...ledger, next: ledger.next + 1, members: { ...ledger.members, [id]: member } }
  }
  if (added.length > 0) return write(ledger, `new: ${added.join(', ')}`)
  return staying.length === 0 && wanted !== null && wanted > 0
    ? waitFor('there is no host for a member')
    : null
}

/** The eligible host with the fewest members; one that has a folder of that name first. */
const hostFor = (
  { hosts, sightings }: Facts,
  { ledger, id }: { ledger: Ledger; id: MemberId },
): HostId | null => {
  const members = Object.values(ledger.members)
  const load = (host: HostId) => members.filter((member) => member.host === host).length
  const eligible = hosts
    .filter((host) => host.eligible)
    .sort((a, b) => load(a.id) - load(b.id) || (a.name < b.name ? -1 : 1))
  const home = sightings.find(({ report }) => report.id === id)?.report.host
  return eligible.find((host) => host.id === home)?.id ?? eligible[0]?.id ?? null
}

/**
 * One member fewer when there are too many: one whose host is lost, or else the newest that does not
 * take the writes.
 */
export const removeMember = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, wanted } = facts
  const staying = seen.filter(({ member }) => !member.leaving)
  if (wanted === null || wanted === 0 || staying.length <= wanted) return null
  if (seen.length > staying.length) return null
  const silent = staying.find(isSilent)
  if (silent) return waitFor(`who leaves is said when ${silent.id} is heard, or its host is lost`)
  const ready = readyOnes(seen)
  const candidates = staying
    .filter(({ id }) => id !== ledger.writer)
    .sort(byNumber)
    .reverse()
  // Those that do not work go first: they are missed least.
  const isReady = ({ id }: Seen) => ready.some((each) => each.id === id)
  const victim =
    candidates.find(isLost) ??
    candidates.find((each) => !isReady(each) && each.heard) ??
    candidates[0]
  if (victim === undefined) return null
  const left = ready.filter(({ id }) => id !== victim.id)
  if (left.length === 0 || (staying.length > 2 && left.length * 2 <= staying.length)) {
    const why = `${victim.id} is to leave, and stays while so few are ready`
    return waitFor([why, ...lostText(staying.filter(isLost))].join('; '))
  }
  return write(withMember(ledger, victim.id, { leaving: true }), `${victim.id} leaves`)
}

/** Swarm will call its host down, or it is heard again; who is to leave depends on which. */
const isSilent = (each: Seen): boolean =>
  (each.host?.unheardFor ?? 0) > 0 && !each.heard && !each.agentless && !isLost(each)

/** Takes out those that are leaving, as gently as the software needs it. */
export const seeOut = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, services, verbs, topology } = facts
  const leaving = seen.find(({ member }) => member.leaving)
  if (leaving === undefined) return null
  const service = services.find(({ member }) => member === leaving.id)
  const inside = readyOnes(seen).find(({ id }) => id !== leaving.id)
  const ask: Action[] =
    verbs.has('remove') && inside
      ? [{ do: 'verb', verb: 'remove', inside: inside.id, member: leaving.id }]
      : []
  const runs = isHeardNow(leaving) && leaving.report.process === 'running'
  // Those who vote take leave of each other before, the others after.
  if (topology.recovers === 'itself' && verbs.has('remove')) {
    if (inside === undefined) return waitFor(`${leaving.id} leaves when the others are ready`)
    if (runs && inPrimary(leaving.report)) return act(ask, `${leaving.id} takes its leave`)
  }
  if (service?.running) return act([{ do: 'stop', member: leaving.id }], `${leaving.id} stops`)
  // A host that is heard, and says nothing of it, has nothing of it.
  const bare = leaving.host?.unheardFor === 0 && !leaving.report && !service?.updating
  const rests = leaving.host === undefined || bare || (leaving.heard && !runs)
  const lostForLong = (leaving.host?.awayFor ?? 0) >= MEMBER_TUNABLES.replace
  const lost = isLost(leaving)
  if (!rests && !lostForLong && !(lost && isOutvoted(facts, seen, leaving))) {
    const why = `${leaving.id} has not stopped yet`
    return waitFor(lost ? [why, ...lostText([leaving])].join('; ') : why)
  }
  if (inside === undefined) return waitFor(`${leaving.id} is forgotten when the others run`)
  return write(withoutMember(ledger, leaving.id), `${leaving.id} has left`, { before: ask })
}

/** A member whose host is removed, or away for long, makes room for another. */
export const replace = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, hosts } = facts
  if (seen.some(({ member }) => member.leaving)) return null
  const lost = seen.find(
    (each) => each.host === undefined || (isLongAway(each) && hasSpare({ hosts, seen })),
  )
  if (lost === undefined) return null
  const staying = seen.filter(({ id, host }) => id !== lost.id && host !== undefined)
  const ready = readyOnes(seen).filter(({ id }) => id !== lost.id)
  if (ready.length * 2 <= staying.length) {
    return waitFor(`${lost.id} is replaced when more of the others are ready`)
  }
  const writer = ledger.writer === lost.id ? (ready[0]?.id ?? null) : ledger.writer
  const next = withMember({ ...ledger, writer }, lost.id, { leaving: true })
  return write(next, `${lost.id} is given up: its host is ${lost.host ? 'away' : 'removed'}`)
}

const isLongAway = ({ host, heard }: Seen): boolean =>
  !heard && host !== undefined && host.awayFor >= MEMBER_TUNABLES.replace

const hasSpare = ({ hosts, seen }: { hosts: Facts['hosts']; seen: readonly Seen[] }): boolean =>
  hosts.some(({ id, eligible }) => eligible && !seen.some(({ member }) => member.host === id))
