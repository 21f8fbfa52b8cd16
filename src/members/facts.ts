/** What decisions about a clustered service are made from, and what they are. Plain values. */
import type { HostId, Ledger, MemberId, MemberReport } from '../catalog/index.ts'
import type { Topology } from '../recipes/index.ts'

/** A report, and whether it is a present observation. */
export interface Sighting {
  report: MemberReport
  /**
   * - `heard`: the agent that made it is heard
   * - `agentless`: its host answers, its agent does not: the member may well go on
   * - `silent`: nothing is heard of its host. That is no proof of anything.
   */
  sight: 'heard' | 'agentless' | 'silent'
}

/** A host of the swarm. One that the operator has removed is not there. */
export interface MemberHost {
  id: HostId
  name: string
  /** Members may be placed on it: it takes tasks, answers, and the file's constraints allow it. */
  eligible: boolean
  /** Milliseconds since its agent was last heard, or since this leader began; 0 when it is heard. */
  unheardFor: number
  /** Milliseconds for which Swarm has called it down or drained; 0 when it is up. */
  awayFor: number
  /** It is Swarm's Raft leader, without which nothing is decided for some seconds when it is lost. */
  leads: boolean
}

/** The Swarm service of a member, as the leader finds it. */
export interface MemberService {
  member: MemberId
  /** It is to have its task. */
  running: boolean
  /** It is made from the head as the head is now. */
  current: boolean
  /** Swarm still works on its last change. */
  updating: boolean
}

/** Verbs of the recipe that the leader has run in a member's container. */
export type LeaderVerb = 'add' | 'remove' | 'settle' | 'writable' | 'readonly'

/** Everything that the leader knows of one clustered service. */
export interface Facts {
  /**
   * Milliseconds since 1970 as this host has them: for people, who see it in the ledger. Never compared
   * with a time that another host has written.
   */
  now: number
  ledger: Ledger
  topology: Topology
  /** Which verbs the recipe has. */
  verbs: ReadonlySet<LeaderVerb>
  /** How many members there are to be; 0 stops all. Null: its stack is down, their services go. */
  wanted: number | null
  /** How many members have to be there before the cluster is formed; at least 1. */
  founders: number
  /** All reports of the cluster, whichever host and folder they are of. */
  sightings: readonly Sighting[]
  hosts: readonly MemberHost[]
  services: readonly MemberService[]
  /** Milliseconds since a member was last heard to be in the primary component, or since this leader began. */
  quietFor: number
  /** Milliseconds since the writer of the ledger was last ready, or since this leader began. */
  writerIdleFor: number
  /** Milliseconds since this leader saw the high-water mark change; Infinity when it never did. */
  markedFor: number
}

export type Action =
  /** Make its service. */
  | { do: 'create'; member: MemberId; host: HostId }
  /** Give its service its task, or take it away. */
  | { do: 'start' | 'stop'; member: MemberId }
  /** Bring its service in line with the head. Its task is replaced. */
  | { do: 'update'; member: MemberId }
  /** Remove its service. Its data stay. */
  | { do: 'remove'; member: MemberId }
  /** Run a verb of the recipe about `member` in the container of the member `inside`. */
  | { do: 'verb'; verb: LeaderVerb; inside: MemberId; member: MemberId }

export type Decision = (
  | {
      kind: 'write'
      /** To be written by compare-and-swap against the ledger of the facts; then decide again. */
      ledger: Ledger
      /** To be done before; if one fails, nothing is written. They can be repeated. */
      before: Action[]
      /** To be tried once it is written. */
      after: Action[]
    }
  | { kind: 'act'; actions: Action[] }
  | { kind: 'wait' }
) & {
  /** In words, for people. */
  explain: string[]
}

/** What an agent knows when it decides about a member of its own. */
export interface View {
  /** As its catalog has it; may be out of date. Null: there is none. */
  ledger: Ledger | null
  topology: Topology
  /** As in `Facts`. */
  founders: number
  /** About its own member, as true as now. */
  own: MemberReport
  /** About the others, as its catalog has them. */
  others: readonly Sighting[]
}

/** Whether and how a member at the gate may start. */
export type Permission =
  /** Form the cluster with an empty folder. */
  | { kind: 'form'; with: MemberId[] }
  /** Be the first, with the data at hand. */
  | { kind: 'first'; position: NonNullable<MemberReport['position']> }
  /** Join what runs. `position` null: with an empty folder. */
  | { kind: 'join'; position: MemberReport['position'] }
  /** Start with its own data, and vote. */
  | { kind: 'rejoin'; position: MemberReport['position'] }
  /** Set its data aside and become an empty folder of another identity; then ask again. */
  | { kind: 'reset'; reason: string }
  /** Not now: ask again when anything changes. */
  | { kind: 'wait'; reason: string }
  /** Not while nobody does anything about it. */
  | { kind: 'refuse'; reason: string }

/** What becomes of a member that runs. */
export type Standing =
  | { kind: 'stay' }
  /** Make a primary component of it: it has the grant, and runs. */
  | { kind: 'promote' }
  /** End its process; it comes to the gate again. */
  | { kind: 'stop'; reason: string }
