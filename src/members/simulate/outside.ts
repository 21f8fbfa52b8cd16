/** Members that Muster does not run: a cluster that was there before, on a host of other people. */
import { newFolder, placeOf } from './disk.ts'
import { bootstrap, commit, regroup } from './galera.ts'
import { type Process, type World, count, newHost, note, processes } from './world.ts'

/** So many members run elsewhere, and have data. */
export const beginOutside = (world: World, members: number): void => {
  world.elsewhere = newHost('elsewhere', world.random)
  world.topology = { ...world.topology, outside: true }
  for (let i = 1; i <= members; i++) start(world, `outside-${i}`, i === 1)
  regroup(world)
}

/** Other people start it as one that joins, or as the first. */
const start = (world: World, member: string, first: boolean): void => {
  const { elsewhere: host } = world
  if (host === null) return
  const folder = host.folders.get(member) ?? newFolder(world, member)
  host.folders.set(member, folder)
  const { data } = folder
  const usable = data !== null && !data.partial
  const process: Process = {
    member,
    host,
    folder,
    history: usable ? data.history : '',
    log: usable ? [...data.log] : [],
    durable: usable ? data.log.length : 0,
    role: 'outside',
    view: null,
    last: null,
    lineage: null,
    first: false,
    empty: !usable,
  }
  const place = placeOf(host, member)
  place.state = 'running'
  place.process = process
  if (first) bootstrap(world, process)
}

/** Whose process has ended is started again. */
export const keepOutside = (world: World): void => {
  for (const [member, { process }] of world.elsewhere?.places ?? []) {
    if (process === null) start(world, member, false)
  }
}

/** A client of other people's writes there. */
export const writeOutside = (world: World): void => {
  const origin = world.random.pick(
    processes(world).filter(({ host, role }) => host === world.elsewhere && role === 'ready'),
  )
  if (!origin) return
  const id = ++world.serial
  if (!commit(world, origin, id)) return
  count(world, 'writes outside')
  world.writes.push({ id, origin: origin.member, excused: null })
}

/** Members outside are primary, so nobody has anything to decide here. */
export const runsOutside = (world: World): boolean =>
  processes(world).some(({ host, view }) => host === world.elsewhere && view !== null)

/** Nothing is left anywhere but with the other people, who make a cluster of what they have. */
export const beginAgainOutside = (world: World): void => {
  const [best] = processes(world)
    .filter(({ host, empty }) => host === world.elsewhere && !empty)
    .sort((a, b) => b.log.length - a.log.length)
  if (!best || runsOutside(world)) return
  count(world, 'begun again outside')
  bootstrap(world, best)
  const kept = new Set(best.log)
  for (const each of world.writes) {
    if (!kept.has(each.id)) each.excused ??= 'other people have decided'
  }
}

/** They cannot be reached, or can again. */
export const cutOff = (world: World): void => {
  if (world.elsewhere === null) return
  world.elsewhere.group = world.random.below(3)
  note(world, `those outside are in the network's part ${world.elsewhere.group}`)
  count(world, 'outside cut off')
}
