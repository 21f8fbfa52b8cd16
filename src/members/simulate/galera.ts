/**
 * Software that replicates to all members of a primary component, and has one as long as more than
 * half of the last is together. A member that comes back receives what it lacks by number alone: if
 * what it has is not a part of what the others have, nobody notices.
 */
import { endProcess, save } from './disk.ts'
import { type Process, type View, type World, connected, count, note, processes } from './world.ts'

const newView = (world: World, members: Set<Process>): View => {
  const view = { id: ++world.serial, members }
  world.views.add(view)
  for (const each of members) {
    each.view = view
    each.last = view
    if (each.role === 'outside') each.role = 'ready'
  }
  return view
}

/** It becomes primary alone. */
export const bootstrap = (world: World, process: Process): void => {
  process.first = false
  if (process.empty) process.history = `H${++world.serial}`
  process.empty = false
  process.role = 'ready'
  save(process, process.log.length)
  newView(world, new Set([process]))
  count(world, 'bootstraps')
  note(world, `${process.member} is primary alone, at ${process.log.length}`)
}

/** Components as the network has them now; what each process learns after its timeouts. */
export const regroup = (world: World): void => {
  const all = processes(world)
  for (const process of all) if (process.first) bootstrap(world, process)
  for (const view of world.views) {
    const reachable = groupsOf(
      [...view.members].filter((each) => each.view === view && all.includes(each)),
    )
    const whole = reachable.find((group) => group.length === view.members.size)
    const heir = reachable.find((group) => group.length * 2 > view.members.size)
    const met = all.filter((each) => each.view === null && heir !== undefined && near(heir, each))
    // Among others again it learns that whoever gave it its state is gone.
    for (const each of met) if (each.role === 'joining') abort(world, each)
    const others = met.filter(({ role }) => role !== 'joining')
    if (whole && others.length === 0) continue
    world.views.delete(view)
    for (const each of view.members)
      if (each.view === view && !heir?.includes(each)) leave(world, each)
    if (heir === undefined) continue
    for (const each of others) enter(world, each, heir)
    newView(world, new Set([...heir, ...others.filter((each) => all.includes(each))]))
  }
  reunite(world, all)
}

const near = (group: readonly Process[], each: Process): boolean =>
  group.some((other) => connected(other.host, each.host))

const groupsOf = (members: readonly Process[]): Process[][] => {
  const groups: Process[][] = []
  for (const each of members) {
    const group = groups.find((others) => near(others, each))
    if (group) group.push(each)
    else groups.push([each])
  }
  return groups
}

const leave = (world: World, process: Process): void => {
  process.view = null
  count(world, 'non-primary')
  if (process.role === 'joining') {
    // Whoever gave it its state is gone: it notices, or waits for more of it for ever.
    if (world.random.chance(0.5)) count(world, 'joiners that hang')
    else abort(world, process)
  } else process.role = 'outside'
}

const abort = (world: World, process: Process): void => {
  const place = process.host.places.get(process.member)
  if (place) endProcess(world, process.host, { place, clean: false })
}

/** Into a running component: by what it lacks, or by a whole copy. */
const enter = (world: World, process: Process, heir: readonly Process[]): void => {
  const donor = heir.find(({ role }) => role === 'ready')
  if (donor === undefined) return
  const incremental =
    !process.empty && process.history === donor.history && process.log.length <= donor.log.length
  if (incremental) {
    process.log.push(...donor.log.slice(process.log.length))
    process.role = 'ready'
    count(world, 'incremental transfers')
  } else {
    process.role = 'joining'
    process.empty = true
    save(process, 0)
    count(world, 'whole transfers')
  }
}

/** All members of the last primary component that find each other again are one again. */
const reunite = (world: World, all: readonly Process[]): void => {
  for (const process of all) {
    const { last } = process
    if (process.view !== null || last === null || process.role !== 'outside') continue
    const members = [...last.members]
    const together = members.every(
      (each) =>
        each.view === null &&
        each.last === last &&
        all.includes(each) &&
        connected(each.host, process.host),
    )
    if (!together) continue
    newView(world, new Set(members))
    count(world, 'reunions')
    note(world, `${members.map(({ member }) => member).join()} are primary again`)
  }
}

/** Transfers come to their end, and logs to the disks. */
export const progress = (world: World): void => {
  for (const process of processes(world)) {
    if (process.role === 'joining' && process.view) {
      const donor = [...process.view.members].find(
        ({ role, host }) => role === 'ready' && connected(host, process.host),
      )
      if (donor && world.random.chance(0.5)) {
        process.history = donor.history
        process.log = [...donor.log]
        process.empty = false
        process.role = 'ready'
        save(process, process.log.length)
      }
    } else if (process.role !== 'joining' && !process.empty && world.random.chance(0.5)) {
      save(process, process.durable + world.random.below(process.log.length - process.durable + 1))
    }
  }
}

/** All of its view can be reached: it can commit. */
export const isWritable = (world: World, view: View): boolean => {
  const [one] = view.members
  if (one === undefined) return false
  const all = processes(world)
  return [...view.members].every(
    (each) => each.view === view && all.includes(each) && connected(each.host, one.host),
  )
}

/** One write that is acknowledged: in the memory of all, on the disk of who took it. */
export const commit = (world: World, origin: Process, id: number): boolean => {
  const { view } = origin
  if (view === null || origin.role !== 'ready' || !isWritable(world, view)) return false
  for (const each of view.members) if (each.role === 'ready') each.log.push(id)
  save(origin, origin.log.length)
  return true
}
