/** What the reports say about each member of a ledger. */
import type { LedgerMember, MemberId, MemberReport } from '../catalog/index.ts'
import type { Facts, MemberHost, Sighting } from './facts.ts'

/** It is part of the primary component and has its data. */
export const inPrimary = ({ process, status }: MemberReport): boolean =>
  process === 'running' && (status?.role === 'ready' || status?.role === 'donor')

/**
 * There is a primary component, by what it says: it is in one, or catches up in one. One that receives its
 * state says nothing of the kind: whoever gives it may be gone.
 */
export const showsPrimary = (report: MemberReport): boolean =>
  inPrimary(report) ||
  (report.process === 'running' &&
    report.status?.role === 'joining' &&
    report.status.component !== null)

/** Its folder is one that this ledger has let in, and has not given up. */
export const isRecognised = (member: LedgerMember, { volume }: MemberReport): boolean =>
  volume !== null &&
  volume !== member.discarded &&
  (volume === member.volume || volume === member.admitted)

/** A member of the ledger with what is known of it. */
export interface Seen {
  id: MemberId
  member: LedgerMember
  /** Of the host that it belongs to; undefined when there was never one. */
  report: MemberReport | undefined
  heard: boolean
  agentless: boolean
  /** Undefined when the operator has removed its host. */
  host: MemberHost | undefined
}

/** Number of a member: `shop_db-12` is 12. */
export const numberOf = (id: MemberId): number => Number(/-(\d+)$/.exec(id)?.[1] ?? 0)

/** By number. */
export const byNumber = (a: { id: MemberId }, b: { id: MemberId }): number =>
  numberOf(a.id) - numberOf(b.id)

/** All members of the ledger, by number. */
export const seenMembers = ({ ledger, sightings, hosts }: Facts): Seen[] =>
  Object.entries(ledger.members)
    .map(([id, member]): Seen => {
      const sighting = sightings.find(
        ({ report }) => report.id === id && report.host === member.host,
      )
      const host = hosts.find((each) => each.id === member.host)
      return {
        id,
        member,
        report: sighting?.report,
        heard: host !== undefined && sighting?.sight === 'heard',
        agentless: host !== undefined && sighting?.sight === 'agentless',
        host,
      }
    })
    .sort(byNumber)

/** A member whose report is a present observation. */
export type Heard = Seen & { report: MemberReport }
export const isHeardNow = (seen: Seen): seen is Heard => seen.heard && seen.report !== undefined

/** It has data that a person could decide for. */
export const isCopy = (seen: Seen): boolean =>
  isHeardNow(seen) && seen.report.data === 'good' && isRecognised(seen.member, seen.report)

/** Members that are heard to be in the primary component, with data that the ledger knows. */
export const primaries = (seen: readonly Seen[]): Heard[] =>
  seen.filter(
    (each): each is Heard =>
      isHeardNow(each) && inPrimary(each.report) && isRecognised(each.member, each.report),
  )

/** Those of them that take traffic. */
export const readyOnes = (seen: readonly Seen[]): Heard[] =>
  primaries(seen).filter(({ report }) => report.ready)

/**
 * Swarm calls its host down, or it is drained, and neither an agent nor a kernel there answers. It may
 * run all the same, cut off from here.
 */
export const isLost = ({ heard, agentless, host }: Seen): boolean =>
  host !== undefined && host.awayFor > 0 && !heard && !agentless

/**
 * Those who take traffic are most of the cluster without it, so it can be neither primary nor a
 * majority; and what replicates to all sees nobody in its component whom nobody here hears.
 */
export const isOutvoted = (
  { topology, ledger }: Pick<Facts, 'topology' | 'ledger'>,
  seen: readonly Seen[],
  lost: Seen,
): boolean => {
  const ready = readyOnes(seen).filter(({ id }) => id !== lost.id)
  const known = primaries(seen).length
  const alone =
    topology.recovers === 'itself' ||
    (topology.outside !== true && ready.every(({ report }) => (report.status?.size ?? 0) <= known))
  return alone && ledger.writer !== lost.id && ready.length * 2 > seen.length
}

/** What a person can do about members of lost hosts. */
export const lostText = (lost: readonly Seen[]): string[] =>
  lost.map(({ id, host }) => {
    const name = host?.name ?? ''
    return `${name}, the host of ${id}, is lost: start it, or if it is gone for good: muster node rm ${name}`
  })

/** The others, as far as an agent knows them, that are observed to be in the primary component. */
export const livePrimary = (others: readonly Sighting[], epoch: number): MemberReport | undefined =>
  others.find(
    ({ report, sight }) => sight === 'heard' && inPrimary(report) && report.epoch >= epoch,
  )?.report

export const listText = (ids: readonly { id: MemberId }[]): string =>
  ids.map(({ id }) => id).join(', ')
