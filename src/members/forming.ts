/** From nothing to a cluster: who is first, decided once. */
import type { Ledger } from '../catalog/index.ts'
import { neverFormed, validOrder, waitFor, withoutMember, write } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import { grantUsed, release, unreleased, withdraw } from './grants.ts'
import { hold } from './hold.ts'
import { addMembers } from './scale.ts'
import { type Heard, type Seen, isCopy, isHeardNow, listText } from './sight.ts'

/** Null when the cluster has been formed before. */
export const forming = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger, topology } = facts
  if (topology.outside) return joiningOutside(facts, seen)
  if (ledger.phase === 'forming') {
    return (
      grantUsed(facts, seen) ?? release(facts, seen) ?? impossible(facts, seen) ?? begun(ledger)
    )
  }
  if (ledger.phase !== 'new' && !(ledger.phase === 'held' && neverFormed(ledger))) return null
  return (
    homeless(facts, seen) ??
    addMembers(facts, seen) ??
    olderData(facts, seen) ??
    choose(facts, seen)
  )
}

/** It exists elsewhere: there is nothing to form, and a right to form it is taken back. */
const joiningOutside = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const { ledger } = facts
  if (ledger.phase === 'forming') {
    return (
      grantUsed(facts, seen) ??
      release(facts, seen) ??
      withdraw(ledger, 'the cluster is said to run outside: nobody forms it')
    )
  }
  if (ledger.phase !== 'new' && !(ledger.phase === 'held' && neverFormed(ledger))) return null
  // It has got in, and nobody has seen it there.
  if (ledger.phase === 'held' && seen.some(isCopy)) return null
  return (
    homeless(facts, seen) ??
    addMembers(facts, seen) ??
    olderData(facts, seen) ??
    write({ ...ledger, phase: 'formed', held: null }, 'the cluster runs outside: members join it')
  )
}

/** Members whose hosts were removed before there was anything of them. */
const homeless = ({ ledger }: Facts, seen: readonly Seen[]): Decision | null => {
  const lost = seen.find(({ host }) => host === undefined)
  return lost ? write(withoutMember(ledger, lost.id), `the host of ${lost.id} is removed`) : null
}

const begun = (ledger: Ledger): Decision =>
  waitFor(`${Object.keys(ledger.grant?.members ?? {}).join(', ')} forms the cluster`)

/** Data that nobody knows of could be somebody's only copy: nothing new is made beside it. */
const olderData = (facts: Facts, seen: readonly Seen[]): Decision | null => {
  const copies = facts.sightings.filter(
    ({ report }) => report.data !== 'empty' && report.data !== 'none' && report.data !== 'unknown',
  )
  if (copies.length === 0) return null
  const order = validOrder(facts.ledger)
  const from = order && seen.find(({ id }) => id === order.from)
  if (from && isHeardNow(from) && from.report.volume !== null && from.report.recovered) {
    const { position, volume } = from.report
    if (position !== null && from.report.epoch === facts.ledger.epoch) {
      const epoch = facts.ledger.epoch + 1
      return write(
        {
          ...facts.ledger,
          phase: 'recovering',
          epoch,
          grant: null,
          order: { ...order, epoch },
          members: {
            ...facts.ledger.members,
            [from.id]: { ...from.member, volume },
          },
          highWater: { ...position, at: facts.now },
        },
        `${order.by} has decided for the data of ${from.id}`,
      )
    }
  }
  const names = copies.map(({ report }) => `${report.id} on ${report.host}`).join(', ')
  return hold(facts, seen, `there is data of an earlier cluster: ${names}`)
}

const choose = (facts: Facts, seen: readonly Seen[]): Decision => {
  const { ledger, topology, founders } = facts
  const present = seen.filter(
    (each): each is Heard =>
      isHeardNow(each) &&
      !each.member.leaving &&
      each.report.process === 'gate' &&
      each.report.volume !== null &&
      (each.report.data === 'empty' || each.report.data === 'none'),
  )
  if (present.length < founders) {
    const absent = seen.filter((each) => !present.some(({ id }) => id === each.id))
    return waitFor(
      `${present.length} of the ${founders} members that form the cluster are there` +
        (absent.length > 0 ? `, ${listText(absent)} still to come` : ''),
    )
  }
  // The others join them, one by one.
  const chosen = present.slice(0, topology.forms === 'all' ? founders : 1)
  const epoch = ledger.epoch + 1
  return write(
    {
      ...ledger,
      phase: 'forming',
      epoch,
      held: null,
      grant: {
        epoch,
        position: null,
        members: Object.fromEntries(chosen.map(({ id, report }) => [id, report.volume ?? ''])),
      },
    },
    `${listText(chosen)} is to form the cluster`,
  )
}

/** The folder that was to be first is gone, or its host is. */
const impossible = ({ ledger }: Facts, seen: readonly Seen[]): Decision | null => {
  const { grant } = ledger
  if (grant === null || grant.epoch !== ledger.epoch) return null
  const able = Object.entries(grant.members).filter(([id, volume]) => {
    const member = seen.find((each) => each.id === id)
    if (member?.host === undefined) return false
    return !isHeardNow(member) || member.report.volume === volume
  })
  // Those who form it by vote can do without a minority.
  if (able.length * 2 > Object.keys(grant.members).length) return null
  const left = unreleased(grant, seen)
  return withdraw(ledger, `${listText(left) || 'who was to be first'} cannot form the cluster`)
}
