/** Software that votes: a fixed set of voters, of which more than half must agree, on their disks. */
import { save } from './disk.ts'
import {
  type Lineage,
  type Process,
  type World,
  connected,
  count,
  note,
  processes,
} from './world.ts'

const isVoter = ({ lineage, folder }: Process): boolean => lineage?.voters.has(folder.uid) === true

/** Those that can be reached from it, of the same lineage. */
const around = (world: World, process: Process): Process[] =>
  processes(world).filter(
    (each) =>
      each.lineage !== null &&
      each.lineage === process.lineage &&
      connected(each.host, process.host),
  )

const hasMajority = (group: readonly Process[], lineage: Lineage): boolean =>
  group.filter(isVoter).length * 2 > lineage.voters.size

/** Who is together elects, and follows the longest log of a majority. */
export const vote = (world: World): void => {
  const done = new Set<Process>()
  for (const process of processes(world)) {
    if (process.first) forceNew(world, process)
    if (process.lineage === null) enter(world, process)
    if (done.has(process) || process.lineage === null) continue
    const group = around(world, process)
    for (const each of group) done.add(each)
    const primary = hasMajority(group, process.lineage)
    const log = group
      .filter(isVoter)
      .reduce<number[]>((a, b) => (b.log.length > a.length ? b.log : a), [])
    for (const each of group) {
      if (!primary) {
        each.role = 'outside'
        continue
      }
      each.log = [...log]
      each.empty = false
      save(each, log.length)
      each.role = isVoter(each) ? 'ready' : 'joining'
    }
  }
}

/** Alone, with what it has: the others are no voters any more. */
const forceNew = (world: World, process: Process): void => {
  process.first = false
  process.lineage = { id: ++world.serial, voters: new Set([process.folder.uid]) }
  process.empty = false
  save(process, process.log.length)
  count(world, 'forced')
  note(world, `${process.member} votes alone, at ${process.log.length}`)
}

/** An empty one asks a majority to be taken in; who it was before is taken out. */
const enter = (world: World, process: Process): void => {
  for (const other of processes(world)) {
    const { lineage } = other
    if (lineage === null || other.role !== 'ready' || !connected(other.host, process.host)) continue
    if (!hasMajority(around(world, other), lineage)) continue
    takeOut(world, lineage, process.member)
    process.lineage = lineage
    process.history = other.history
    count(world, 'whole transfers')
    return
  }
}

const takeOut = (world: World, lineage: Lineage, member: string): void => {
  for (const uid of lineage.voters) if (world.owners.get(uid) === member) lineage.voters.delete(uid)
}

/** Takes a folder's vote away, or gives it one, in a member that has a majority with it. */
export const reconfigure = (
  world: World,
  inside: Process,
  { member, to }: { member: string; to: 'out' | 'voter' },
): boolean => {
  const { lineage } = inside
  if (lineage === null || !hasMajority(around(world, inside), lineage)) return false
  const target = processes(world).find((each) => each.member === member)
  if (to === 'voter') {
    if (target?.lineage !== lineage || target.log.length < inside.log.length) return false
    lineage.voters.add(target.folder.uid)
    return true
  }
  takeOut(world, lineage, member)
  return true
}

/** Agreed on by a majority, on their disks. */
export const commitByVote = (world: World, origin: Process, id: number): boolean => {
  const { lineage } = origin
  if (lineage === null || origin.role !== 'ready') return false
  const group = around(world, origin)
  if (!hasMajority(group, lineage) || group.some((each) => each.log.length > origin.log.length))
    return false
  const followers = group.filter((each) => each.log.length === origin.log.length)
  if (followers.filter(isVoter).length * 2 <= lineage.voters.size) return false
  for (const each of followers) {
    each.log.push(id)
    save(each, each.log.length)
  }
  return true
}

/** Lineages that could commit something now. */
export const writableLineages = (world: World): Lineage[] => {
  const found = new Set<Lineage>()
  for (const each of processes(world)) {
    if (each.lineage && each.role === 'ready' && hasMajority(around(world, each), each.lineage)) {
      found.add(each.lineage)
    }
  }
  return [...found]
}
