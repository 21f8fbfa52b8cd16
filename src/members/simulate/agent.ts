/** What an agent does for the members of its host, one step at a time: a crash may come after each. */
import type { MemberId, MemberReport, Position } from '../../catalog/index.ts'
import type { View } from '../facts.ts'
import { foundersOf } from '../founders.ts'
import { permit } from '../permit.ts'
import { standing } from '../standing.ts'
import { BLANK, endProcess, newFolder, placeOf } from './disk.ts'
import { bootstrap } from './galera.ts'
import { newestSnapshot, restore } from './snapshots.ts'
import {
  type Agent,
  CLUSTER,
  type Folder,
  type Place,
  type Process,
  type SimHost,
  type World,
  count,
  note,
  violate,
} from './world.ts'

const positionOf = (history: string, log: readonly number[]): Position | null =>
  history === '' ? null : { history, sequence: String(log.length) }

/** It looks for the others still, and answers nobody. */
const isStarting = ({ role, view, last, lineage }: Process): boolean =>
  role === 'outside' && view === null && last === null && lineage === null

/** As the agent would report the member now. */
export const reportOf = (host: SimHost, member: MemberId): MemberReport => {
  const folder = host.folders.get(member)
  const place = placeOf(host, member)
  const { process, recovered } = place
  const data = folder?.data ?? null
  const fresh = recovered !== null && recovered.epoch === folder?.marker.epoch
  const ready = process?.role === 'ready'
  return {
    id: member,
    cluster: CLUSTER,
    host: host.id,
    volume: folder?.uid ?? null,
    data:
      folder === undefined
        ? 'none'
        : data === null
          ? process === null || process.empty
            ? 'empty'
            : 'good'
          : data.partial
            ? 'damaged'
            : data.unclaimed === true
              ? 'foreign'
              : 'good',
    process: place.state,
    epoch: folder?.marker.epoch ?? 0,
    position: process
      ? process.empty || isStarting(process)
        ? null
        : positionOf(process.history, process.log)
      : fresh
        ? recovered.position
        : null,
    recovered: fresh && process === null,
    clean: folder?.marker.clean ?? false,
    founded: folder?.marker.founded ?? 0,
    snapshot: newestSnapshot(folder),
    restored: folder?.marker.restored ?? null,
    status:
      process === null
        ? null
        : {
            role: process.role,
            size: process.view?.members.size ?? 0,
            component: null,
            leads: null,
          },
    ready,
    container: null,
    addresses: {},
    problem: null,
  }
}

/** One step for one member; true if something was done. */
const stepMember = (
  world: World,
  { host, agent }: { host: SimHost; agent: Agent },
  member: MemberId,
): boolean => {
  const folder = host.folders.get(member)
  if (folder === undefined) return false
  const place = placeOf(host, member)
  const ledger = agent.view?.ledger ?? null
  const { marker } = folder
  // What it sees of its process is on the disk before anybody hears of it.
  if (place.process?.role === 'ready') {
    if (marker.clean) return keep(folder, { clean: false })
    if (marker.claim.kind !== 'join' && marker.claim.epoch > marker.founded) {
      return keep(folder, { founded: marker.claim.epoch })
    }
  }
  if (ledger !== null && ledger.epoch > marker.epoch) return keep(folder, { epoch: ledger.epoch })
  if (place.state !== 'running' && restore(world, ledger, { folder, place })) return true
  if (place.state !== 'running' && place.recovered?.epoch !== marker.epoch) {
    const { data } = folder
    place.recovered = {
      epoch: marker.epoch,
      position: data === null || data.partial ? null : positionOf(data.history, data.log),
    }
    return true
  }
  const view: View = {
    ledger,
    topology: world.topology,
    founders: foundersOf(world, {}, world.wanted),
    own: reportOf(host, member),
    others: agent.view?.sightings.filter(({ report }) => report.id !== member) ?? [],
  }
  if (place.state === 'gate') return open(world, { host, folder, place }, view)
  return place.state === 'running' ? oversee(world, { host, folder, place }, view) : false
}

const keep = (folder: Folder, change: Partial<Folder['marker']>): boolean => {
  folder.marker = { ...folder.marker, ...change }
  return true
}

interface Own {
  host: SimHost
  folder: Folder
  place: Place
}

const open = (world: World, { host, folder, place }: Own, view: View): boolean => {
  const permission = permit(view)
  const { kind } = permission
  if (kind === 'wait' || kind === 'refuse') return false
  if (kind === 'reset') {
    host.folders.set(folder.member, {
      ...newFolder(world, folder.member),
      marker: { ...BLANK, epoch: folder.marker.epoch },
    })
    place.recovered = null
    count(world, 'resets')
    note(world, `${folder.member} sets its data aside`)
    return true
  }
  const epoch = view.ledger?.epoch ?? 0
  const claim = { kind: kind === 'rejoin' ? 'join' : kind, epoch }
  // First what it is about to do, then the doing.
  if (folder.marker.claim.kind !== claim.kind || folder.marker.claim.epoch !== epoch) {
    return keep(folder, { claim })
  }
  const { data } = folder
  const usable =
    data !== null && !data.partial && !(kind === 'join' && permission.position === null)
  if (kind === 'first' || kind === 'form')
    note(world, `${folder.member} starts to be first (${kind}, epoch ${epoch})`)
  if (kind === 'form' && world.topology.forms === 'one') {
    const formed = world.writes.some(({ excused }) => excused === null)
    if (formed) violate(world, `${folder.member} forms a cluster beside acknowledged writes`)
  }
  if (kind !== 'join') judgeFounder(world, folder.member)
  place.state = 'running'
  place.recovered = null
  place.process = {
    member: folder.member,
    host,
    folder,
    history: usable ? data.history : '',
    log: usable ? [...data.log] : [],
    durable: usable ? data.log.length : 0,
    role: 'outside',
    view: null,
    last: null,
    lineage: usable ? data.lineage : null,
    first: kind === 'first' || (kind === 'form' && world.topology.forms === 'one'),
    empty: !usable,
  }
  if (kind === 'form' && world.topology.forms === 'all') formTogether(world, place, view)
  if (kind === 'join' && !usable) folder.data = null
  return true
}

/** Of a cluster that runs elsewhere nobody is the first, unless a person says so. */
const judgeFounder = (world: World, member: MemberId): void => {
  if (world.elsewhere === null || world.store.ledger.order !== null) return
  violate(world, `${member} is first, and the cluster is outside`)
}

/** All who form it name the same voters, and a token of the epoch. */
const formTogether = (world: World, { process }: Place, { ledger }: View): void => {
  if (process === null || ledger === null) return
  const { grant, epoch } = ledger
  const found = world.hosts
    .flatMap(({ places }) => [...places.values()])
    .flatMap((each) => each.process?.lineage ?? [])
    .concat(
      world.hosts.flatMap(({ folders }) =>
        [...folders.values()].flatMap(({ data }) => data?.lineage ?? []),
      ),
    )
    .find(({ id }) => id === -epoch)
  if (process.lineage === null) {
    process.lineage = found ?? { id: -epoch, voters: new Set(Object.values(grant?.members ?? {})) }
  }
  process.history = 'H'
  process.empty = false
}

const oversee = (world: World, { host, folder, place }: Own, view: View): boolean => {
  const { claim } = folder.marker
  const verdict = standing(view, claim.kind === 'first' || claim.kind === 'form' ? claim.epoch : 0)
  const { process } = place
  if (process === null || verdict.kind === 'stay') return false
  if (verdict.kind === 'stop') {
    count(world, 'stopped by their agents')
    endProcess(world, host, { place, clean: true })
    return true
  }
  const epoch = view.ledger?.epoch ?? 0
  if (claim.kind !== 'promote' || claim.epoch !== epoch)
    return keep(folder, { claim: { kind: 'promote', epoch } })
  if (process.role !== 'outside') return false
  judgeFounder(world, folder.member)
  count(world, 'promotions')
  bootstrap(world, process)
  return true
}

/** The agent looks at its members in some order and does the first thing that is to be done. */
export const stepAgent = (world: World, host: SimHost): boolean => {
  const { agent } = host
  if (!host.up || agent === null) return false
  const members = [...host.folders.keys()]
  const start = world.random.below(members.length || 1)
  const did = members.some((_, i) =>
    stepMember(world, { host, agent }, members[(start + i) % members.length] ?? ''),
  )
  publish(world, { host, agent })
  return did
}

/** Reports follow the truth; what was sent before stays on its way. */
export const publish = (world: World, { host, agent }: { host: SimHost; agent: Agent }): void => {
  const reports = [...host.folders.keys()].map((member) => reportOf(host, member))
  const last = agent.sent.at(-1)
  if (
    last &&
    reports.length === last.length &&
    reports.every((report, i) => isSame(report, last[i]))
  )
    return
  agent.sent.push(reports)
}

const isSame = (a: MemberReport, b: MemberReport | undefined): boolean =>
  b !== undefined &&
  a.id === b.id &&
  a.volume === b.volume &&
  a.data === b.data &&
  a.process === b.process &&
  a.epoch === b.epoch &&
  a.position?.sequence === b.position?.sequence &&
  a.position?.history === b.position?.history &&
  a.recovered === b.recovered &&
  a.clean === b.clean &&
  a.founded === b.founded &&
  a.snapshot?.name === b.snapshot?.name &&
  a.restored === b.restored &&
  a.status?.role === b.status?.role &&
  a.status?.size === b.status?.size
