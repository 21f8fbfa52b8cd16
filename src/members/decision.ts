/** What the leader's loop asks of `decide`, and what it does with the answer. Plain values. */
import type {
  ClusterName,
  HostId,
  HostState,
  Ledger,
  MemberId,
  MemberReport,
} from '../catalog/index.ts'
import type { Topology } from '../recipes/index.ts'

/** The Swarm service of a member, as it is now. */
export interface ServiceSight {
  host: HostId
  /** It wants its task. */
  running: boolean
  /** A container of it may still be there: a task that has not ended. */
  tasks: number
  /** It is made from what the head says now. */
  current: boolean
}

/** A host of the swarm. One that is not there was removed by the operator. */
export interface HostSight {
  /** By the catalog: `alive` means that what its agent reports is a present observation. */
  state: HostState
  /** By Swarm: it is down. Milliseconds since 1970 when this was first seen; null while it is not. */
  downSince: number | null
  /** A new member may be put here: it takes tasks, and the head's constraints allow it. */
  allowed: boolean
  /** It is being emptied (`node drain`). */
  drained: boolean
}

/** Everything about one clustered service at one moment. */
export interface Sight {
  cluster: ClusterName
  /** Null: it has none yet. */
  ledger: Ledger | null
  recipe: string
  topology: Topology
  /** Members that its head asks for; 0 to stop them all in order; null: there is no head any more. */
  wanted: number | null
  services: ReadonlyMap<MemberId, ServiceSight>
  /** Of every host, also the last ones of hosts that are not heard. */
  reports: readonly MemberReport[]
  hosts: ReadonlyMap<HostId, HostSight>
  /** Milliseconds since 1970. */
  now: number
  /** For the identity of a new cluster: random, as long as the sight is about a cluster without ledger. */
  freshUid: string
}

export type Action =
  /** Make its service, with a task. */
  | { kind: 'create'; member: MemberId; host: HostId }
  /** Give it its task back. */
  | { kind: 'start'; member: MemberId }
  /** Take its task away; its service stays. */
  | { kind: 'stop'; member: MemberId }
  /** Bring its service to what the head says: its task is replaced. */
  | { kind: 'update'; member: MemberId }
  /** Its service goes. */
  | { kind: 'remove'; member: MemberId }
  /** A verb of the recipe in the container of `at`; `about` for verbs that speak of a member. */
  | { kind: 'verb'; verb: 'promote'; at: MemberId }
  | { kind: 'verb'; verb: 'writable'; at: MemberId; on: boolean }
  | { kind: 'verb'; verb: 'add' | 'remove' | 'settle'; at: MemberId; about: MemberId }

/** What to do now. With a ledger: it is written first, and then decided again; no action is done. */
export interface Decision {
  ledger: Ledger | null
  actions: Action[]
  /** Why, one sentence each; for `muster why` and logs. */
  explain: string[]
  /** Milliseconds after which something may be decided though nothing has changed; null: never. */
  againIn: number | null
}

export type Decide = (sight: Sight) => Decision
