/** Processes that end, and what they leave on their disks. */
import type { MemberId } from '../../catalog/index.ts'
import {
  type Folder,
  type Marker,
  type Place,
  type Process,
  type SimHost,
  type World,
  connected,
  note,
  processes,
} from './world.ts'

export const BLANK: Marker = {
  epoch: 0,
  founded: 0,
  clean: false,
  claim: { kind: '', epoch: 0 },
  restored: null,
}

export const newFolder = (world: World, member: MemberId): Folder => {
  const uid = newUid(world, member)
  return { uid, member, data: null, snapshots: [], marker: BLANK }
}

/** Identity of a folder. */
export const newUid = (world: World, member: MemberId): string => {
  const uid = `f${++world.serial}`
  world.owners.set(uid, member)
  return uid
}

export const placeOf = (host: SimHost, member: MemberId): Place => {
  let place = host.places.get(member)
  if (place === undefined) {
    place = { member, state: 'rest', process: null, recovered: null }
    host.places.set(member, place)
  }
  return place
}

/** The process is gone; `clean`: it took its leave and wrote everything down. */
export const endProcess = (
  world: World,
  host: SimHost,
  { place, clean }: { place: Place; clean: boolean },
): void => {
  const { process } = place
  place.state = 'rest'
  place.process = null
  place.recovered = null
  if (process === null) return
  save(process, clean ? process.log.length : process.durable)
  if (clean) {
    process.folder.marker = { ...process.folder.marker, clean: true }
    // The others hear of it only if they can be reached; else it is as if it had crashed.
    const all = [...(process.view?.members ?? [])]
    if (all.every((each) => connected(each.host, host))) process.view?.members.delete(process)
  }
  if (process.view?.members.size === 0) world.views.delete(process.view)
  note(
    world,
    `${process.member} ${clean ? 'stops' : 'crashes'} at ${process.folder.data?.log.length}`,
  )
  if (!clean) excuseLost(world, 'its last copy was in a memory')
}

/** Writes the log to the folder, up to a length. */
export const save = (process: Process, length: number): void => {
  const { folder, history, log, lineage, role, empty } = process
  process.durable = Math.max(process.durable, length)
  folder.data = empty
    ? role === 'joining'
      ? { history: '', log: [], partial: true, lineage: null }
      : folder.data
    : { history, log: log.slice(0, length), partial: false, lineage }
}

/** Writes of which no copy is left anywhere are lost to physics. */
export const excuseLost = (world: World, why: string): void => {
  const held = new Set<number>()
  for (const { log } of processes(world)) for (const id of log) held.add(id)
  for (const { folders, removed } of world.hosts) {
    if (removed) continue
    for (const { data } of folders.values()) for (const id of data?.log ?? []) held.add(id)
  }
  for (const each of world.writes) if (!held.has(each.id)) each.excused ??= why
}
