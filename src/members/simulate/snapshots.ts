/** Copies of the data that members put beside them, and data that are made of one. */
import type { DataSnapshot, Ledger } from '../../catalog/index.ts'
import { dueSnapshot } from '../order.ts'
import { wallClock } from './clocks.ts'
import { BLANK, newUid } from './disk.ts'
import { type Folder, type Place, type SimHost, type World, count, note } from './world.ts'

const KEEP = 3

/** As the agent reports it. */
export const newestSnapshot = (folder: Folder | undefined): DataSnapshot | null => {
  const newest = folder?.snapshots.at(-1)
  return newest ? { name: newest.name, position: newest.position, at: newest.at } : null
}

/** A member that is with the majority makes one. */
export const makeSnapshot = (world: World, host: SimHost): void => {
  const place = world.random.pick([...host.places.values()])
  const { process } = place ?? {}
  if (!process || process.role !== 'ready' || world.topology.recovers !== 'itself') return
  const { folder, history, log } = process
  const at = Math.max(wallClock(world, host), (folder.snapshots.at(-1)?.at ?? 0) + 1)
  const position = { history, sequence: String(log.length) }
  const name = `${history}-${log.length}-${at}`
  folder.snapshots = [
    ...folder.snapshots.slice(1 - KEEP),
    { name, position, at, log: [...log], whole: true },
  ]
  count(world, 'snapshots')
}

/** One is not whole any more, which nobody sees before it is needed. */
export const damageSnapshot = (world: World, host: SimHost): void => {
  const folder = world.random.pick([...host.folders.values()])
  const hit = folder && world.random.pick(folder.snapshots)
  if (!hit) return
  folder.snapshots = folder.snapshots.map((each) =>
    each === hit ? { ...each, whole: false } : each,
  )
  count(world, 'snapshots damaged')
}

/**
 * Does the next of what a person has decided about a folder at rest: makes the data, makes it another
 * folder, says so. True if something was done.
 */
export const restore = (
  world: World,
  ledger: Ledger | null,
  { folder, place }: { folder: Folder; place: Place },
): boolean => {
  const { member, marker, data } = folder
  const order = dueSnapshot(ledger, { member: { id: member }, marker })
  if (order === null) return false
  const snapshot = folder.snapshots.find(({ name }) => name === order.snapshot)
  if (snapshot === undefined) return false
  place.recovered = null
  if (!snapshot.whole) {
    folder.snapshots = folder.snapshots.filter((each) => each !== snapshot)
    count(world, 'snapshots not whole')
    note(world, `${member} finds ${snapshot.name} damaged`)
    return true
  }
  const history = `S${order.at}`
  if (data?.history !== history) {
    const lineage = { id: ++world.serial, voters: new Set([folder.uid]) }
    folder.data = { history, log: snapshot.log, partial: false, lineage }
    note(world, `${member} has data of ${snapshot.name}`)
    return true
  }
  if (data.unclaimed !== true) {
    folder.uid = newUid(world, member)
    folder.marker = { ...BLANK, epoch: marker.epoch }
    folder.data = { ...data, unclaimed: true }
    return true
  }
  const lineage = { id: ++world.serial, voters: new Set([folder.uid]) }
  folder.data = { history, log: data.log, partial: false, lineage }
  folder.marker = { ...marker, restored: order.at }
  count(world, 'snapshots restored')
  return true
}
