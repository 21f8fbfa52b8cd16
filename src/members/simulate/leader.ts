/** The leader's loop: facts, a decision, and its execution one step later. Any manager may think it leads. */
import type { Grant, Ledger, MemberId } from '../../catalog/index.ts'
import { decide } from '../decide.ts'
import type { Action, Facts } from '../facts.ts'
import { foundersOf } from '../founders.ts'
import { monotonic, wallClock } from './clocks.ts'
import { sightingsOf } from './manager.ts'
import { reconfigure } from './voters.ts'
import {
  type Leading,
  type SimHost,
  type World,
  connected,
  count,
  hasQuorum,
  note,
  processes,
  violate,
} from './world.ts'

/** Swarm calls a host down that it has not heard for so long. */
const DOWN_MS = 15_000

export const factsOf = (world: World, host: SimHost): Facts | null => {
  const manager = host.agent?.manager
  if (!manager?.leading) return null
  const { leading } = manager
  const now = monotonic(world, host)
  remember(world, host, { leading, now })
  return {
    now: wallClock(world, host),
    ledger: world.store.ledger,
    topology: world.topology,
    verbs: world.verbs,
    wanted: world.wanted,
    founders: foundersOf(world, {}, world.wanted),
    sightings: sightingsOf(world, host),
    hosts: world.hosts
      .filter(({ removed }) => !removed)
      .map((each) => {
        const known = manager.heard.get(each.id)
        const heard = known !== undefined && connected(host, each) && each.agent === known.agent
        return {
          id: each.id,
          name: each.id,
          eligible: each.up,
          unheardFor: heard ? 0 : now - Math.max(leading.since, known?.at ?? 0),
          awayFor: awayFor(leading.silent.get(each.id), now),
          leads: each === host,
        }
      }),
    services: [...world.services.values()].map(
      ({ member, host: home, running, version, restart }) => ({
        member,
        running,
        current: version === world.headVersion,
        updating: running ? restart : isOn(world, { member, home }),
      }),
    ),
    quietFor: now - leading.primaryAt,
    writerIdleFor: now - leading.writerAt,
    markedFor: now - leading.mark.at,
  }
}

/** Swarm hears the engine, whatever its agent does; it cannot tell a lost host from a cut network. */
const remember = (
  world: World,
  host: SimHost,
  { leading, now }: { leading: Leading; now: number },
): void => {
  for (const each of world.hosts) {
    if (each.up && connected(host, each)) leading.silent.delete(each.id)
    else if (!leading.silent.has(each.id)) leading.silent.set(each.id, now)
  }
  const { mark } = leading
  const { highWater } = world.store.ledger
  if (mark.value !== highWater) {
    leading.mark = { value: highWater, at: mark.value === undefined ? mark.at : now }
  }
}

const awayFor = (since: number | undefined, now: number): number =>
  since === undefined ? 0 : Math.max(0, now - since - DOWN_MS)

const isOn = (world: World, { member, home }: { member: MemberId; home: string }): boolean =>
  world.hosts.some((each) => each.id === home && each.up && each.places.get(member)?.process)

/** Decides, or does the next of what it decided. */
export const stepLeader = (world: World, host: SimHost): boolean => {
  const leading = host.agent?.manager.leading
  if (!leading || !host.up) return false
  if (leading.pending === null) {
    if (!hasQuorum(world, host)) return false
    const facts = factsOf(world, host)
    if (facts === null) return false
    const decision = decide(facts)
    if (decision.kind === 'wait') return false
    leading.pending = { decision, version: world.store.version }
    return true
  }
  const { decision, version } = leading.pending
  leading.pending = null
  if (!hasQuorum(world, host) || decision.kind === 'wait') return true
  if (decision.kind === 'act') {
    for (const action of decision.actions) {
      // The leader may end in the midst of it.
      if (world.random.chance(0.05)) break
      perform(world, host, action)
    }
    return true
  }
  if (!decision.before.every((action) => perform(world, host, action))) return true
  if (world.store.version !== version) {
    count(world, 'lost races for the ledger')
    return true
  }
  const before = world.store.ledger
  world.store = { version: version + 1, ledger: decision.ledger }
  note(
    world,
    `${host.id}: ${decision.explain.join('; ')} [${decision.ledger.phase} ${decision.ledger.epoch}]`,
  )
  if (decision.ledger.phase === 'held' && before.phase !== 'held') count(world, 'holds')
  countForgotten(world, before, decision.ledger)
  countBeginnings(world, before, decision.ledger)
  const { grant } = decision.ledger
  if (grant && grant.epoch === decision.ledger.epoch && before.grant?.epoch !== grant.epoch) {
    count(world, grant.position ? 'elections' : 'formings')
    if (grant.position) judgeElection(world, grant, before)
  }
  for (const action of decision.after) perform(world, host, action)
  return true
}

/** Recoveries, and those in which the members could have found each other again. */
const countBeginnings = (world: World, before: Ledger, after: Ledger): void => {
  if (before.phase !== 'formed' || after.phase !== 'recovering') return
  count(world, 'recoveries')
  const all = processes(world)
  const whole = all.some(
    ({ view, last }) =>
      view === null &&
      last !== null &&
      [...last.members].every(
        (each) => each.view === null && each.last === last && all.includes(each),
      ),
  )
  if (whole) count(world, 'recoveries of what was whole')
  if (all.some(({ view, role }) => view !== null && role === 'ready')) {
    count(world, 'recoveries beside a primary')
  }
}

/** Members that have left without a word from their host, of which some still run. */
const countForgotten = (world: World, before: Ledger, after: Ledger): void => {
  for (const [id, { host }] of Object.entries(before.members)) {
    const home = world.hosts.find((each) => each.id === host)
    if (after.members[id] !== undefined || home === undefined || home.removed) continue
    if (!home.up) count(world, 'forgotten without power')
    else if (home.places.get(id)?.process) count(world, 'forgotten while they ran')
  }
}

/** Nobody may be chosen with less than what is known, or with another history, but by a person. */
const judgeElection = (world: World, grant: Grant, before: Ledger): void => {
  const { ledger } = world.store
  const [winner = ''] = Object.keys(grant.members)
  const home = world.hosts.find(({ id }) => id === ledger.members[winner]?.host)
  const log = home?.places.get(winner)?.process?.log ?? home?.folders.get(winner)?.data?.log ?? []
  if (ledger.order?.epoch === ledger.epoch) {
    count(world, 'orders')
    const kept = new Set(log)
    for (const each of world.writes) if (!kept.has(each.id)) each.excused ??= 'a person has decided'
    return
  }
  const { position } = grant
  const known = before.highWater
  if (position === null || known === null) return
  if (position.history !== known.history) violate(world, `${winner} is first with another history`)
  else if (BigInt(position.sequence) < BigInt(known.sequence)) {
    violate(world, `${winner} is first with older data than the cluster is known to have had`)
  }
}

const perform = (world: World, host: SimHost, action: Action): boolean => {
  const service = world.services.get(action.member)
  switch (action.do) {
    case 'create':
      if (!service) {
        world.services.set(action.member, {
          member: action.member,
          host: action.host,
          running: true,
          version: world.headVersion,
          restart: false,
        })
      }
      return true
    case 'start':
    case 'stop':
      if (service) service.running = action.do === 'start'
      return true
    case 'update':
      if (service && service.version !== world.headVersion) {
        service.version = world.headVersion
        service.restart = true
        count(world, 'updates')
      }
      return true
    case 'remove':
      world.services.delete(action.member)
      return true
    case 'verb': {
      const inside = processes(world).find(({ member }) => member === action.inside)
      if (!inside || !connected(host, inside.host)) return false
      if (action.verb === 'remove')
        return reconfigure(world, inside, { member: action.member, to: 'out' })
      if (action.verb === 'settle')
        return reconfigure(world, inside, { member: action.member, to: 'voter' })
      return true
    }
    default:
      return true
  }
}
