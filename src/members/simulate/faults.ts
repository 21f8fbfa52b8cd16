/** Everything that can go wrong, and everything that people do. */
import { monotonic, someSkew } from './clocks.ts'
import { endProcess, excuseLost, newFolder } from './disk.ts'
import { type SimHost, type World, count, newAgent, note } from './world.ts'

const crashAll = (world: World, host: SimHost): void => {
  for (const place of host.places.values()) {
    if (place.state !== 'rest') endProcess(world, host, { place, clean: false })
  }
}

export const powerOff = (world: World, host: SimHost): void => {
  if (!host.up) return
  note(world, `${host.id} loses power`)
  crashAll(world, host)
  host.up = false
  host.agent = null
}

export const powerOn = (world: World, host: SimHost): void => {
  if (host.up || host.removed) return
  note(world, `${host.id} has power`)
  host.up = true
  host.agent = newAgent()
}

export const restartAgent = (world: World, host: SimHost): void => {
  if (!host.up) return
  host.agent = host.agent === null ? newAgent() : null
  note(world, `agent of ${host.id} ${host.agent ? 'starts' : 'is killed'}`)
}

export const killMember = (world: World, host: SimHost): void => {
  const place = world.random.pick([...host.places.values()].filter(({ state }) => state !== 'rest'))
  if (!place) return
  endProcess(world, host, { place, clean: world.random.chance(0.3) })
}

/** A volume is deleted; its member does not run then. */
export const loseVolume = (world: World, host: SimHost): void => {
  const folder = world.random.pick([...host.folders.values()])
  if (!folder) return
  const place = host.places.get(folder.member)
  if (place && place.state !== 'rest') endProcess(world, host, { place, clean: false })
  note(world, `${folder.member} loses its volume`)
  count(world, 'volumes lost')
  host.folders.delete(folder.member)
  if (place?.state === 'gate') host.folders.set(folder.member, newFolder(world, folder.member))
  excuseLost(world, 'all disks that held it are lost')
}

/** What lies in a folder cannot be read any more; what lies beside it can. */
export const corrupt = (world: World, host: SimHost): void => {
  const folder = world.random.pick([...host.folders.values()])
  if (!folder?.data) return
  const place = host.places.get(folder.member)
  if (place && place.state !== 'rest') endProcess(world, host, { place, clean: false })
  note(world, `the data of ${folder.member} are broken`)
  count(world, 'data broken')
  folder.data = { history: '', log: [], partial: true, lineage: null }
  if (place) place.recovered = null
  excuseLost(world, 'the only disk that held it was broken')
}

export const backUp = (host: SimHost): void => {
  for (const folder of host.folders.values()) {
    if (folder.data && !folder.data.partial) {
      host.backups.push({ ...folder, marker: { ...folder.marker }, data: { ...folder.data } })
    }
  }
}

/**
 * An older state of a folder comes back. Its agent forgets what it knew with it; it believes no
 * catalog that is older than this moment.
 */
export const restoreVolume = (world: World, host: SimHost): void => {
  const copy = world.random.pick(host.backups)
  if (!copy || world.topology.recovers === 'itself') return
  const folder = host.folders.get(copy.member)
  const place = host.places.get(copy.member)
  if (place && place.state !== 'rest') endProcess(world, host, { place, clean: false })
  if (folder === undefined) return
  note(world, `${copy.member} gets an older state (${copy.data?.log.length}) of its volume`)
  count(world, 'volumes put back')
  host.folders.set(copy.member, { ...copy, marker: { ...copy.marker } })
  if (host.up) {
    host.agent = newAgent()
    host.agent.floor = world.store.version
  }
  excuseLost(world, 'the only disk that held it was put back')
}

/** Somebody copies the files of another cluster into a folder; the marker beside them stays. */
export const transplant = (world: World, host: SimHost): void => {
  const folder = world.random.pick([...host.folders.values()])
  if (!folder?.data || folder.data.partial || world.topology.recovers === 'itself') return
  const place = host.places.get(folder.member)
  if (place && place.state !== 'rest') endProcess(world, host, { place, clean: false })
  note(world, `${folder.member} gets the data of another cluster`)
  count(world, 'data of other clusters')
  const log = Array.from({ length: world.random.below(40) }, () => -++world.serial)
  folder.data = { history: `X${++world.serial}`, log, partial: false, lineage: null }
  if (place) place.recovered = null
  excuseLost(world, 'the only disk that held it was overwritten')
}

/** The operator gives up a host that has no power. */
export const removeHost = (world: World, host: SimHost): void => {
  const left = world.hosts.filter(({ removed }) => !removed)
  if (host.up || host.removed || left.length <= 3) return
  note(world, `${host.id} is removed`)
  count(world, 'hosts removed')
  host.removed = true
  excuseLost(world, 'the host that held it was removed')
}

export const partition = (world: World): void => {
  for (const host of world.hosts) host.group = world.random.below(2)
  note(world, `network: ${world.hosts.map(({ group }) => group).join('')}`)
  count(world, 'partitions')
}

export const heal = (world: World): void => {
  for (const host of world.hosts) host.group = 0
  if (world.elsewhere) world.elsewhere.group = 0
  note(world, 'network healed')
}

/** Somebody sets its date, or it was not running for a while. */
export const jumpClocks = (world: World, host: SimHost): void => {
  const { random } = world
  if (random.chance(0.5)) host.clocks.skew = someSkew(random)
  else host.clocks.ahead += random.below(120_000)
  count(world, 'clocks jump')
  note(world, `the clocks of ${host.id} jump`)
}

/** Another manager thinks that it leads; one that led may not know it any more. */
export const electLeader = (world: World): void => {
  const able = world.hosts.filter(({ up, agent }) => up && agent)
  const host = world.random.pick(able)
  if (!host?.agent) return
  if (!world.random.chance(0.3)) {
    for (const each of able) if (each.agent) each.agent.manager.leading = null
  } else if (able.some(({ agent }) => agent?.manager.leading)) count(world, 'two leaders')
  const now = monotonic(world, host)
  host.agent.manager.leading = {
    since: now,
    primaryAt: now,
    writerAt: now,
    mark: { value: undefined, at: -Infinity },
    silent: new Map(),
    pending: null,
  }
}
