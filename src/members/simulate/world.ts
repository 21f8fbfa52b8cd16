/** The simulated world: hosts, folders, processes, the network between them, and Raft's ledger. */
import type { Ledger, MemberId, MemberReport, Position } from '../../catalog/index.ts'
import type { Topology } from '../../recipes/index.ts'
import type { Decision, LeaderVerb, Sighting } from '../facts.ts'
import { firstLedger } from '../first-ledger.ts'
import { type HostClocks, newClocks } from './clocks.ts'
import type { Random } from './random.ts'

/** What lies on a disk. Its log are numbers of writes; each write has one of its own. */
export interface Data {
  history: string
  log: readonly number[]
  /** State was being received into it. */
  partial: boolean
  /** Software that votes: the configuration it belongs to. */
  lineage: Lineage | null
  /** Made of a snapshot, which the marker does not say yet. */
  unclaimed?: true
}

/** A copy of the data beside them. */
export interface Snapshot {
  name: string
  position: Position
  at: number
  log: readonly number[]
  /** It can be read. */
  whole: boolean
}

/** What lies beside the data. */
export interface Marker {
  epoch: number
  founded: number
  clean: boolean
  claim: { kind: string; epoch: number }
  /** `at` of the order for which the data were made of a snapshot. */
  restored: number | null
}

export interface Folder {
  uid: string
  member: MemberId
  data: Data | null
  /** Oldest first. */
  snapshots: readonly Snapshot[]
  marker: Marker
}

/** A primary component of software without a configuration of its own. */
export interface View {
  id: number
  /** Processes in it. Those that leave in good order are taken out at once. */
  members: Set<Process>
}

/** Voters and what they have agreed on. */
export interface Lineage {
  id: number
  /** Folder identities that vote. */
  voters: Set<string>
}

export type Role = 'outside' | 'joining' | 'ready'

/** A running member. */
export interface Process {
  member: MemberId
  host: SimHost
  folder: Folder
  history: string
  log: number[]
  /** Length of the log that would survive a crash. */
  durable: number
  role: Role
  view: View | null
  /** The last view that it was part of. */
  last: View | null
  lineage: Lineage | null
  /** To be first as soon as it is up. */
  first: boolean
  empty: boolean
}

/** One member on its host. */
export interface Place {
  member: MemberId
  state: 'rest' | 'gate' | 'running'
  process: Process | null
  /** Position as recovered, and in which epoch; in the agent's memory. */
  recovered: { epoch: number; position: Position | null } | null
}

export interface SimHost {
  id: string
  up: boolean
  removed: boolean
  /** Hosts of the same group hear each other. */
  group: number
  clocks: HostClocks
  agent: Agent | null
  folders: Map<MemberId, Folder>
  places: Map<MemberId, Place>
  /** Older copies of folders, as a backup tool might have made them. */
  backups: Folder[]
}

/** What an agent has in memory. */
export interface Agent {
  view: { ledger: Ledger; sightings: readonly Sighting[] } | null
  /** Catalogs with an older version of the ledger are not believed: only after its disk was put back. */
  floor: number
  /** All reports that it has sent, oldest first. */
  sent: (readonly MemberReport[])[]
  manager: Manager
}

/** A manager's share of an agent. */
export interface Manager {
  /** As it last read it. */
  store: World['store'] | null
  /** By host: what was last heard, when by its own clock, and which of the agent's reports it was. */
  heard: Map<string, { agent: Agent; index: number; at: number }>
  /** Catalogs that it has made, newest last. */
  catalogs: { store: World['store']; sightings: readonly Sighting[] }[]
  leading: Leading | null
}

/** What a leader remembers; times by its own clock. */
export interface Leading {
  since: number
  primaryAt: number
  writerAt: number
  /** The ledger's high-water mark, and since when it is that. */
  mark: { value: Ledger['highWater'] | undefined; at: number }
  /** Since when hosts are not heard by Swarm. */
  silent: Map<string, number>
  pending: { decision: Decision; version: number } | null
}

export interface SimService {
  member: MemberId
  host: string
  running: boolean
  version: number
  /** Its task is to be replaced. */
  restart: boolean
}

export interface Write {
  id: number
  origin: MemberId
  /** Why its loss would be nobody's fault; null when it would be a fault. */
  excused: string | null
}

export interface Counters {
  [name: string]: number
}

export interface World {
  random: Random
  now: number
  topology: Topology
  verbs: ReadonlySet<LeaderVerb>
  hosts: SimHost[]
  /** Where members run that are not Muster's; null: there are none. Others look after it. */
  elsewhere: SimHost | null
  store: { version: number; ledger: Ledger }
  services: Map<MemberId, SimService>
  headVersion: number
  wanted: number
  views: Set<View>
  writes: Write[]
  counters: Counters
  trace: string[]
  violations: string[]
  serial: number
  /** Whose folder it is or was. */
  owners: Map<string, MemberId>
}

export const CLUSTER = 'shop_db'

export const newAgent = (): Agent => ({
  view: null,
  floor: 0,
  sent: [],
  manager: { store: null, heard: new Map(), catalogs: [], leading: null },
})

export const newHost = (id: string, random: Random): SimHost => ({
  id,
  up: true,
  removed: false,
  group: 0,
  clocks: newClocks(random),
  agent: null,
  folders: new Map(),
  places: new Map(),
  backups: [],
})

export const newWorld = (
  random: Random,
  {
    topology,
    verbs,
    hosts,
    wanted,
  }: {
    topology: Topology
    verbs: ReadonlySet<LeaderVerb>
    hosts: number
    wanted: number
  },
): World => ({
  random,
  now: 1_000_000,
  topology,
  verbs,
  hosts: Array.from({ length: hosts }, (_, i) => ({
    ...newHost(`h${i + 1}`, random),
    agent: newAgent(),
  })),
  elsewhere: null,
  store: { version: 1, ledger: { ...firstLedger(CLUSTER, 'simulated'), uid: 'u1' } },
  services: new Map(),
  headVersion: 1,
  wanted,
  views: new Set(),
  writes: [],
  counters: {},
  trace: [],
  violations: [],
  serial: 0,
  owners: new Map(),
})

export const count = (world: World, name: string): void => {
  world.counters[name] = (world.counters[name] ?? 0) + 1
}

export const note = (world: World, text: string): void => {
  world.trace.push(`${((world.now - 1_000_000) / 1000).toFixed(1)}s ${text}`)
}

export const violate = (world: World, text: string): void => {
  note(world, `VIOLATION ${text}`)
  world.violations.push(text)
}

export const connected = (a: SimHost, b: SimHost): boolean =>
  a.up && b.up && !a.removed && !b.removed && (a === b || a.group === b.group)

/** Raft answers there: more than half of the managers can be reached. */
export const hasQuorum = (world: World, host: SimHost): boolean => {
  const managers = world.hosts.filter(({ removed }) => !removed)
  return managers.filter((other) => connected(host, other)).length * 2 > managers.length
}

export const processes = (world: World): Process[] => {
  const found: Process[] = []
  for (const { places } of [...world.hosts, ...(world.elsewhere ? [world.elsewhere] : [])]) {
    for (const { process } of places.values()) if (process) found.push(process)
  }
  return found
}
