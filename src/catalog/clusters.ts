/**
 * Clustered services: what their agents see of each member, and the ledger that the leader keeps.
 * Plain values. Reports are written only by the agent of the member's host, ledgers only by the
 * leader.
 */
import type { HostId, NetworkId } from './model.ts'

/** Full Swarm name of the clustered service: `shop_db`. */
export type ClusterName = string
/** Full Swarm name of one member's service: `shop_db-1`. Numbers are never used twice. */
export type MemberId = string

/** How far a copy of the data is. Positions compare only within one history. */
export interface Position {
  /** Identity of the history: Galera's state UUID, etcd's cluster id. */
  history: string
  /** Decimal, of any size; compared as integers. */
  sequence: string
}

/**
 * - `none`: there is no data folder
 * - `empty`: a folder without a member's data
 * - `good`: data of this member of this cluster
 * - `foreign`: data of something else, or of another cluster, or a copy put back from elsewhere
 * - `damaged`: a transfer or restore into it was cut off, or its own recovery fails
 * - `unknown`: not looked at yet
 */
export const DATA_STATES = ['none', 'empty', 'good', 'foreign', 'damaged', 'unknown'] as const
export type DataState = (typeof DATA_STATES)[number]

/**
 * - `rest`: no process of it runs, and none will start but by a decision of the reported epoch or later
 * - `gate`: a container of it waits for permission to start
 * - `running`: its process was let through the gate and has not ended
 */
export const PROCESS_STATES = ['rest', 'gate', 'running'] as const
export type ProcessState = (typeof PROCESS_STATES)[number]

/**
 * - `outside`: not in the primary component; refuses queries
 * - `joining`: receives state
 * - `donor`: gives state to another; may lag
 * - `ready`: in the primary component and up to date
 */
export const MEMBER_ROLES = ['outside', 'joining', 'donor', 'ready'] as const
export type MemberRole = (typeof MEMBER_ROLES)[number]

/** What a running member says of itself. */
export interface MemberStatus {
  role: MemberRole
  /** Members that it counts in its component. */
  size: number
  /** Identity of that component as it names it; null if it is in none. */
  component: string | null
  /** It leads (etcd); null where the software has no leader of its own. */
  leads: boolean | null
}

/** A copy of the data that a running member has put beside them, for when the data cannot be used. */
export interface DataSnapshot {
  /** Of its file. */
  name: string
  /** It holds at least this. */
  position: Position
  /** When it was made; milliseconds since 1970. */
  at: number
}

/** A member's name together with its host: two hosts may hold data under the same name. */
export type ReportId = string
export const reportId = ({ host, id }: Pick<MemberReport, 'host' | 'id'>): ReportId =>
  `${host}.${id}`

/** One member as the agent of its host sees it. */
export interface MemberReport {
  id: MemberId
  cluster: ClusterName
  host: HostId
  /** Identity of its data folder, made with it; null when there is none. */
  volume: string | null
  data: DataState
  process: ProcessState
  /** Newest epoch of the ledger that this agent obeys: it acts on no older decision any more. */
  epoch: number
  /** At rest or at the gate: as recovered from the data. Running: the newest known. */
  position: Position | null
  /** The position was recovered from data at rest, in the reported epoch. */
  recovered: boolean
  /**
   * It has left the primary component in an orderly way and has not been seen in it since: the others
   * may have gone on without it. A start alone does not undo this. Durable.
   */
  clean: boolean
  /** Highest epoch in which this folder's data was the first of its cluster and became primary; 0 for never. Durable. */
  founded: number
  /** The newest beside its data. */
  snapshot: DataSnapshot | null
  /** `at` of the order for which its data were made of a snapshot; null if they were not. Durable. */
  restored: number | null
  status: MemberStatus | null
  /** Takes traffic: ready, its causal probe has passed, and its clock shows no gap. */
  ready: boolean
  container: string | null
  /** IPv4 of the container on each overlay network. */
  addresses: Record<NetworkId, string>
  /** Why it waits, is refused, or fails; for people. */
  problem: string | null
}

/**
 * - `new`: never formed
 * - `forming`: its first members have a grant to form it
 * - `formed`: has been formed; members join what runs
 * - `recovering`: nothing of it runs as primary; positions are collected, then one member has a grant
 * - `held`: cannot be decided safely; a person decides
 */
export const PHASES = ['new', 'forming', 'formed', 'recovering', 'held'] as const
export type Phase = (typeof PHASES)[number]

/** The right to be the first. Valid for one epoch and exactly these data folders. */
export interface Grant {
  /**
   * In the ledger's own epoch it may be used. An older one is being withdrawn: nobody else gets one
   * until whoever has it has promised to obey the new epoch.
   */
  epoch: number
  /** Folder identity by member; one member, or all first members of software that forms by vote. */
  members: Record<MemberId, string>
  /** What the winner must have recovered; null when the cluster is new. */
  position: Position | null
}

export interface LedgerMember {
  host: HostId
  /** Identity of the folder that it has joined with; null before it has joined. */
  volume: string | null
  /** Identity of the folder, empty then, with which it may join. */
  admitted: string | null
  /** Identity of a folder whose data are given up: they are set aside, and it becomes another folder. */
  discarded: string | null
  /** Chosen to leave; it is stopped, taken out, then forgotten. */
  leaving: boolean
}

/** The record of one clustered service. Kept in Raft; every change is a compare-and-swap. */
export interface Ledger {
  cluster: ClusterName
  /** Random, made once. Part of what the replicas call their cluster. */
  uid: string
  recipe: string
  phase: Phase
  /** Grows with every decision about who may be first. */
  epoch: number
  grant: Grant | null
  members: Record<MemberId, LedgerMember>
  /** Number of the next new member. */
  next: number
  /** Members of the primary component, as last seen. */
  view: MemberId[]
  /** The newest position ever seen in the primary component. */
  highWater: (Position & { at: number }) | null
  /** Who takes writes. */
  writer: MemberId | null
  /** The last time that all were stopped on purpose, one after another; null after any later start. */
  cleanStop: { at: number; last: MemberId } | null
  held: Hold | null
  /** What a person has decided with `muster recover`. This and the next are not the leader's. */
  order: Order | null
  /** What a person wants with `muster switchover`; done, or dropped, by the leader's next decision. */
  handover: Handover | null
}

/** The ledger of a cluster that has never been. `uid` is random. */
export const newLedger = (cluster: ClusterName, recipe: string, uid: string): Ledger => ({
  cluster,
  uid,
  recipe,
  phase: 'new',
  epoch: 0,
  grant: null,
  members: {},
  next: 1,
  view: [],
  highWater: null,
  writer: null,
  cleanStop: null,
  held: null,
  order: null,
  handover: null,
})

/** Whose copy is the truth. Valid in the epoch that it was given in. */
export interface Order {
  epoch: number
  from: MemberId
  /** Name of the snapshot beside that member's data of which they are to be made anew; null: the data. */
  snapshot: string | null
  /** Who said so, for the record. */
  by: string
  /** Milliseconds since 1970, and later than any order before: by this it is known again. */
  at: number
}

/** Another member is to take the writes. Valid in its epoch, and while `from` takes them. */
export interface Handover {
  epoch: number
  from: MemberId
  /** Null: the best of the others. */
  to: MemberId | null
  /** Who said so, for the record. */
  by: string
  /** Milliseconds since 1970. */
  at: number
}

/** Why a person must decide, with what is known of each copy. */
export interface Hold {
  /** Milliseconds since 1970. */
  at: number
  reason: string
  copies: {
    member: MemberId
    host: HostId
    data: DataState | 'unheard'
    position: Position | null
  }[]
}
