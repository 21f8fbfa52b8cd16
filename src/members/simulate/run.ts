/** One history: a cluster comes up, everything goes wrong, faults end, and it has to be whole again. */
import type { Topology } from '../../recipes/index.ts'
import type { LeaderVerb } from '../facts.ts'
import { publish, stepAgent } from './agent.ts'
import {
  backUp,
  corrupt,
  electLeader,
  heal,
  jumpClocks,
  killMember,
  loseVolume,
  partition,
  powerOff,
  powerOn,
  removeHost,
  restartAgent,
  restoreVolume,
  transplant,
} from './faults.ts'
import { endProcess } from './disk.ts'
import { commit, isWritable, progress, regroup } from './galera.ts'
import { factsOf, stepLeader } from './leader.ts'
import { deliver, follow, readLedger } from './manager.ts'
import { type Random, randomOf } from './random.ts'
import { beginAgainOutside, beginOutside, cutOff, keepOutside, writeOutside } from './outside.ts'
import { nothingLeft, obeyPerson, wishWriter } from './person.ts'
import { damageSnapshot, makeSnapshot } from './snapshots.ts'
import { stepSwarm } from './swarm.ts'
import { commitByVote, vote, writableLineages } from './voters.ts'
import { type Counters, type World, count, newWorld, note, processes, violate } from './world.ts'
import { decide } from '../decide.ts'

export interface Outcome {
  seed: number
  violations: string[]
  counters: Counters
  trace: string[]
}

const GALERA: Topology = {
  minimum: 1,
  usual: 3,
  forms: 'one',
  recovers: 'elect',
  writer: true,
  joinsOneByOne: true,
}
const VOTERS: Topology = {
  minimum: 3,
  usual: 3,
  forms: 'all',
  recovers: 'itself',
  writer: false,
  joinsOneByOne: true,
}

/** One thing that happens, and how often compared with the others. */
interface Happening {
  weight: number
  run: (world: World) => void
}

const anyHost = (world: World) => world.random.pick(world.hosts)!

const daily: Happening[] = [
  { weight: 30, run: (world) => void stepAgent(world, anyHost(world)) },
  { weight: 12, run: (world) => void stepSwarm(world, anyHost(world)) },
  { weight: 30, run: (world) => deliver(world, anyHost(world), anyHost(world)) },
  { weight: 14, run: (world) => readLedger(world, anyHost(world)) },
  { weight: 20, run: (world) => follow(world, anyHost(world), anyHost(world)) },
  { weight: 20, run: (world) => void stepLeader(world, anyHost(world)) },
  { weight: 14, run: software },
  { weight: 40, run: write },
  { weight: 6, run: writeOutside },
  { weight: 5, run: (world) => makeSnapshot(world, anyHost(world)) },
  { weight: 16, run: (world) => pass(world, world.random.below(3000)) },
  { weight: 2, run: electLeader },
]

const faults: Happening[] = [
  { weight: 3, run: (world) => killMember(world, anyHost(world)) },
  { weight: 2, run: (world) => powerOff(world, anyHost(world)) },
  { weight: 4, run: (world) => powerOn(world, anyHost(world)) },
  { weight: 0.4, run: (world) => world.hosts.forEach((host) => powerOff(world, host)) },
  { weight: 1, run: (world) => world.hosts.forEach((host) => powerOn(world, host)) },
  { weight: 3, run: (world) => restartAgent(world, anyHost(world)) },
  { weight: 1, run: (world) => loseVolume(world, anyHost(world)) },
  { weight: 1, run: (world) => damageSnapshot(world, anyHost(world)) },
  { weight: 0.5, run: (world) => corrupt(world, anyHost(world)) },
  { weight: 0.3, run: disaster },
  { weight: 1, run: (world) => backUp(anyHost(world)) },
  { weight: 0.5, run: (world) => restoreVolume(world, anyHost(world)) },
  { weight: 2, run: swap },
  { weight: 0.3, run: rewind },
  { weight: 0.2, run: (world) => transplant(world, anyHost(world)) },
  { weight: 0.3, run: strand },
  { weight: 0.3, run: blackout },
  { weight: 0.3, run: shrink },
  { weight: 0.3, run: (world) => removeHost(world, anyHost(world)) },
  { weight: 1, run: partition },
  { weight: 2, run: heal },
  { weight: 1, run: cutOff },
  { weight: 1, run: (world) => jumpClocks(world, anyHost(world)) },
  { weight: 1, run: (world) => pass(world, 10_000 + world.random.below(60_000)) },
  { weight: 0.7, run: (world) => scale(world, 1 + world.random.below(5)) },
  { weight: 0.3, run: (world) => scale(world, 0) },
  { weight: 0.7, run: (world) => world.headVersion++ },
  { weight: 0.3, run: obeyPerson },
  { weight: 1, run: wishWriter },
]

/** All but one or two take their leave, or crash, one by one; those are cut off, perhaps still primary. */
function strand(world: World): void {
  const last = anyHost(world)
  const other = world.random.chance(0.4) ? anyHost(world) : last
  const clean = world.random.chance(0.6)
  for (const host of world.hosts) {
    if (host === last || host === other) continue
    for (const place of host.places.values()) {
      if (place.state !== 'rest') endProcess(world, host, { place, clean })
      if (world.random.chance(0.5)) software(world)
    }
  }
  for (const host of world.hosts) host.group = host === last || host === other ? 1 : 0
  count(world, 'stranded')
  note(world, `${last.id} and ${other.id} are left alone`)
  linger(world)
}

/** No power anywhere, and then power for all but one, for long. */
function blackout(world: World): void {
  for (const host of world.hosts) powerOff(world, host)
  const last = anyHost(world)
  for (const host of world.hosts) if (host !== last) powerOn(world, host)
  count(world, 'blackouts')
  linger(world)
}

/** Most data are broken at once, and a person decides; more goes wrong while that is done. */
function disaster(world: World): void {
  for (const host of world.hosts) if (world.random.chance(0.8)) corrupt(world, host)
  count(world, 'disasters')
  linger(world)
  obeyPerson(world)
  for (let i = world.random.below(40); i > 0; i--) {
    const fate = world.random.below(20)
    if (fate === 0) powerOff(world, anyHost(world))
    else if (fate === 1) damageSnapshot(world, anyHost(world))
    else choose(world.random, daily).run(world)
  }
}

/** Everything is backed up, the cluster goes on for a while, and everything is put back. */
function rewind(world: World): void {
  world.hosts.forEach(backUp)
  for (let i = 0; i < 6; i++) {
    for (let n = 0; n < 4; n++) write(world)
    pass(world, 5000)
    round(world)
  }
  for (const host of world.hosts) restoreVolume(world, host)
}

/** Who has just been chosen as the first gets an older state of its volume before it starts. */
function swap(world: World): void {
  const { grant, members } = world.store.ledger
  const [winner = ''] = Object.keys(grant?.members ?? {})
  const host = world.hosts.find(({ id }) => id === members[winner]?.host)
  if (host && grant?.position) restoreVolume(world, host)
}

/** A host is lost, or only cut off, and people ask for a member fewer while it is. */
function shrink(world: World): void {
  const lost = anyHost(world)
  if (world.random.chance(0.4)) powerOff(world, lost)
  else for (const host of world.hosts) host.group = host === lost ? 1 : 0
  pass(world, 10_000)
  scale(world, Math.max(1, world.wanted - 1))
  for (let i = 0; i < 15; i++) {
    round(world)
    write(world)
  }
  if (world.random.chance(0.5)) heal(world)
}

const linger = (world: World): void => {
  for (let i = 0; i < 10; i++) {
    if (i === 3) pass(world, 50_000)
    round(world)
  }
}

function pass(world: World, ms: number): void {
  world.now += ms
}

function scale(world: World, to: number): void {
  if (world.wanted !== to) note(world, `scale to ${to}`)
  world.wanted = to
}

function software(world: World): void {
  if (world.topology.recovers === 'itself') vote(world)
  else {
    regroup(world)
    progress(world)
    keepOutside(world)
  }
}

/** A client writes where some edge believes the writer to be. */
function write(world: World): void {
  const edge = anyHost(world).agent?.view?.ledger
  const takes = processes(world).filter(({ member, role, folder }) => {
    const told =
      folder.marker.claim.kind === 'join' || folder.marker.founded >= folder.marker.claim.epoch
    return role === 'ready' && told && (!world.topology.writer || member === edge?.writer)
  })
  const origin = world.random.pick(takes)
  if (!origin || edge?.phase !== 'formed') return
  const id = ++world.serial
  const done =
    world.topology.recovers === 'itself'
      ? commitByVote(world, origin, id)
      : commit(world, origin, id)
  if (!done) return
  count(world, 'writes')
  const late = world.topology.writer && world.store.ledger.writer !== origin.member
  world.writes.push({
    id,
    origin: origin.member,
    excused: late ? 'its writer was not the writer any more' : null,
  })
}

const choose = (random: Random, from: readonly Happening[]): Happening => {
  const total = from.reduce((sum, { weight }) => sum + weight, 0)
  let at = random.next() * total
  for (const each of from) {
    at -= each.weight
    if (at < 0) return each
  }
  return from[0]!
}

/** What must hold at every moment. */
const check = (world: World): void => {
  if ((world.counters['orders'] ?? 0) > 0) return
  const primary =
    world.topology.recovers === 'itself'
      ? writableLineages(world).length
      : [...world.views].filter((view) => isWritable(world, view)).length
  if (primary > 1) violate(world, `${primary} primary components take writes`)
}

/** Everybody does what is to be done, in good order. */
const round = (world: World): void => {
  for (const host of world.hosts) stepSwarm(world, host)
  for (const host of world.hosts) for (let i = 0; i < 4 && stepAgent(world, host); i++);
  software(world)
  for (const host of world.hosts)
    if (host.agent && host.up) publish(world, { host, agent: host.agent })
  for (const from of world.hosts) for (const to of world.hosts) deliver(world, from, to)
  for (const host of world.hosts) readLedger(world, host)
  for (const from of world.hosts) for (const to of world.hosts) follow(world, from, to)
  for (const host of world.hosts) for (let i = 0; i < 4 && stepLeader(world, host); i++);
  pass(world, 1000)
  check(world)
}

const isWhole = (world: World): boolean => {
  const { ledger } = world.store
  const ready = processes(world).filter(({ role }) => role === 'ready')
  const members = Object.keys(ledger.members)
  return (
    ledger.phase === 'formed' &&
    members.length === world.wanted &&
    Object.values(ledger.members).every(({ leaving }) => !leaving) &&
    members.every((id) => ready.some(({ member }) => member === id)) &&
    // One that a person has gone on without may be primary still.
    new Set(ready.map(({ view }) => view)).size <= 1 &&
    [...world.services.values()].every(
      ({ version, restart }) => version === world.headVersion && !restart,
    )
  )
}

/** The ledger knows of less than all members have. */
const isMarkBehind = (world: World): boolean => {
  const { highWater } = world.store.ledger
  return processes(world).every(
    ({ history, log }) =>
      highWater === null ||
      history !== highWater.history ||
      BigInt(highWater.sequence) < BigInt(log.length),
  )
}

const ROUNDS = 400

/** Faults end: the cluster must become whole, and have all that it ever acknowledged. */
const finish = (world: World): void => {
  heal(world)
  for (const host of world.hosts) {
    powerOn(world, host)
    if (host.up && host.agent === null) restartAgent(world, host)
  }
  if (world.wanted === 0) scale(world, 3)
  electLeader(world)
  note(world, 'faults end')
  let held = 0
  let rounds = 0
  for (; rounds < ROUNDS && !isWhole(world); rounds++) {
    round(world)
    const leads = world.hosts.some(({ agent }) => agent?.manager.leading)
    if (!leads) electLeader(world)
    if (rounds === 100 && world.store.ledger.phase === 'formed') beginAgainOutside(world)
    // Held for long with everybody there: it needs a person, and a person must be enough.
    held = world.store.ledger.phase === 'held' ? held + 1 : 0
    if (held === 60) {
      count(world, 'held at the end')
      obeyPerson(world)
    }
  }
  if (!isWhole(world) && world.store.ledger.phase === 'held' && nothingLeft(world)) {
    count(world, 'nothing left')
    return
  }
  if (!isWhole(world)) {
    const host = world.hosts.find(({ agent }) => agent?.manager.leading)
    const facts = host && factsOf(world, host)
    violate(
      world,
      `not whole after ${ROUNDS} rounds: ${facts ? decide(facts).explain.join('; ') : 'no leader'}`,
    )
    return
  }
  for (let i = 0; i < 5; i++) round(world)
  for (let i = 0; i < 60 && isMarkBehind(world); i++) round(world)
  if (isMarkBehind(world)) violate(world, 'what the cluster has is not written down')
  const logs = processes(world).map(({ member, log }) => ({ member, log }))
  const [first] = logs
  if (!first) return
  for (const { member, log } of logs) {
    if (log.length !== first.log.length || log.some((id, i) => id !== first.log[i])) {
      violate(world, `${member} and ${first.member} hold different data`)
    }
  }
  const kept = new Set(first.log)
  const gone = world.writes.filter(({ id, excused }) => excused === null && !kept.has(id))
  if (gone.length > 0)
    violate(world, `${gone.length} acknowledged writes are lost (${gone[0]?.id})`)
  for (const { id, excused } of world.writes)
    if (excused !== null && !kept.has(id)) count(world, `lost: ${excused}`)
}

const VERBS: ReadonlySet<LeaderVerb> = new Set(['remove', 'settle'])

/** Equal seeds give equal histories. */
export const runHistory = (seed: number): Outcome => {
  const random = randomOf(seed)
  const voters = random.chance(0.35)
  const topology = voters ? VOTERS : GALERA
  const world = newWorld(random, {
    topology,
    verbs: voters ? VERBS : new Set(),
    hosts: random.chance(0.7) ? 3 : 5,
    wanted: random.chance(0.8) ? 3 : 1 + random.below(5),
  })
  if (!voters && random.chance(0.25)) beginOutside(world, 1 + random.below(5))
  electLeader(world)
  // Some histories begin with a cluster that runs, some with the first moment.
  if (random.chance(0.7)) for (let i = 0; i < 30 && !isWhole(world); i++) round(world)
  const steps = 60 + random.below(340)
  const share = 0.02 + random.next() * 0.2
  const today = faults.map((each) => ({
    ...each,
    weight: each.weight * [0, 1, 1, 4][random.below(4)]!,
  }))
  for (let i = 0; i < steps; i++) {
    choose(random, random.chance(share) ? today : daily).run(world)
    pass(world, random.below(200))
    check(world)
    if (world.violations.length > 0) break
  }
  if (world.violations.length === 0) finish(world)
  return { seed, violations: world.violations, counters: world.counters, trace: world.trace }
}
