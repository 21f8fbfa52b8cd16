/**
 * What Muster knows about clustering one kind of software. A recipe answers questions, renders
 * files and names commands. It decides nothing, and knows nothing of Docker.
 */
import type { MemberId, MemberStatus, Position, DataSnapshot } from '../catalog/index.ts'

/** How a cluster of it behaves, for the platform's decisions. */
export interface Topology {
  /** Fewest members that form it. */
  minimum: number
  /** Members when the file does not say. */
  usual: number
  /**
   * Who is first when it is formed: `one`, which the others join, or `all`, which form it by vote.
   */
  forms: 'one' | 'all'
  /**
   * After all have stopped: `elect` the member with the newest data to be first, or each starts by
   * `itself` with its own data and they vote.
   */
  recovers: 'elect' | 'itself'
  /** One of the members takes the writes, chosen by the platform. */
  writer: boolean
  /** Members in a hurry: join one after another (`true`) or all at once. */
  joinsOneByOne: boolean
  /**
   * It also has members that are not Muster's, so it may run where nobody here sees it: only a person
   * can say that it does not. A recipe says so by `outside`, of one service.
   */
  outside?: boolean
}

/** Members that Muster does not run. */
export interface Outside {
  /** Where they are, as the software takes it. Empty: the cluster is Muster's, and may be joined. */
  members: string[]
  /** Where they must reach each member of Muster's: published on its host. */
  ports: number[]
}

/** A member as others see it. */
export interface Peer {
  id: MemberId
  /** Name that resolves to it, and to it alone, on the stack's network. */
  name: string
  /** Its present IPv4 address there; null while it has none. */
  address: string | null
  ready: boolean
}

/** How a member was let through the gate. */
export type Start =
  /** Form the cluster, with an empty folder. `with`: all who form it together. */
  | { kind: 'form'; with: MemberId[] }
  /** Be the first of a cluster that exists, with the data at hand. */
  | { kind: 'first'; position: Position }
  /** Join what runs. `position` null: with an empty folder. */
  | { kind: 'join'; position: Position | null }
  /** Start with one's own data and vote. */
  | { kind: 'rejoin'; position: Position | null }

export interface Situation {
  cluster: string
  /** Of the ledger. */
  uid: string
  epoch: number
  self: MemberId
  /** Name that resolves to this member, and to it alone, on the network of the members. */
  name: string
  /**
   * CIDR of the network on which the members meet: the member's own address is known only inside its
   * container, as the one in this range.
   */
  subnet: string
  /** Address of the member's host, for members outside; null if it is not known. */
  hostAddress: string | null
  /** The other members. */
  peers: Peer[]
  /** Who may give state to a joining member, best first. */
  donors: MemberId[]
  writer: MemberId | null
  /** `x-muster: {recipe: {...}}` without the name, checked by `options`. */
  options: Record<string, unknown>
  start: Start
}

/** A file in the member's run folder, which is mounted read-only at /muster in its container. */
export interface RenderedFile {
  /** Relative: `my.cnf`. */
  path: string
  content: string
  /** Octal, default 0o644. */
  mode?: number
}

/** A command, and how what it printed is read. Null: it could not tell. */
export interface Question<T> {
  command: string[]
  timeoutMs: number
  read: (answer: { exit: number; stdout: string; stderr: string }) => T | null
}

/** What the data at rest says, as recovered by the software itself. */
export interface Recovered {
  /** Null: no data of a cluster, e.g. freshly initialised and never joined. */
  position: Position | null
  clean: boolean
  /** The data cannot be used as it is (a transfer into it was cut off, recovery failed). */
  damaged: string | null
}

/** Copies of the data that running members make now and then, each in one file beside the data. */
export interface Snapshots {
  /** Where they are, in the data folder. */
  folder: string
  /** What the name of a file there says; null: it is no whole copy. */
  read: (name: string) => Omit<DataSnapshot, 'name'> | null
  /**
   * Makes the data of one, for a cluster of this member alone; run as `recover` is. May be repeated.
   * What was there before is kept under another name. `tag`: letters and digits, of this attempt.
   */
  restore: (name: string, tag: string) => Question<{ damaged: string | null }>
}

/** What a running member says. */
export interface Answer {
  status: MemberStatus
  position: Position | null
  /** It has just proved that what it shows is not old. */
  causal: boolean
  /** Why it will never get well without being started anew: then it is stopped. */
  stuck: string | null
  /** What it is busy with, for people: `receiving state, 312 MB`. */
  doing: string | null
}

/** A program that stays in the member's container and answers whenever it is asked. */
export interface Session {
  command: string[]
  /**
   * What is written to its input to ask once: one line with its end. `mark` is a word; a line with it
   * alone ends the answer.
   */
  ask: (mark: string) => string
  /**
   * Answer without the line of the mark; after `timeoutMs` the whole lines that have come. What comes after
   * that, up to the mark, is not read. Null: it could not tell.
   */
  read: (answer: string) => Answer | null
  everyMs: number
  timeoutMs: number
}

/** What a member's container gets beside what the user's service says. */
export interface ContainerParts {
  /** Null: the image's own. */
  entrypoint: string[] | null
  command: string[] | null
  env: Record<string, string>
  user: string | null
  stopGraceMs: number
  stopSignal: string | null
  /** Of the container's own network; what the user sets goes before. */
  sysctls?: Record<string, string>
}

export interface Recipe {
  name: string
  /** Names of images that it is for, without registry and tag: `mariadb`, `library/mariadb`. */
  images: string[]
  topology: Topology
  /** Where the image keeps its data. */
  data: string
  /** Generated once per cluster as Swarm secrets, mounted at /run/secrets/NAME. Random bytes before base64url. */
  secrets: { name: string; bytes: number }[]
  /**
   * Checks the recipe's options in the file, and what it reads of the service's environment; throws
   * MusterError for people. What it gives must be accepted as given, with an empty environment, too.
   */
  options: (
    given: Record<string, unknown>,
    environment: ReadonlyMap<string, string>,
  ) => Record<string, unknown>
  /**
   * How many members have to be there before the cluster is formed (by all of them, if it `forms` so);
   * null for the topology's `usual` number if all form it, or else its `minimum`.
   */
  founders?: (options: Record<string, unknown>) => number | null
  /** For software whose members outside can be told; null: there are none. */
  outside?: (options: Record<string, unknown>) => Outside | null
  container: (options: Record<string, unknown>) => ContainerParts
  /** Quick look at the folder's names: is there a member's data in it? */
  holdsData: (names: readonly string[]) => boolean
  /** Run in a helper container of the member's image, no network, the data folder at `data`. */
  recover: Question<Recovered> | null
  snapshots?: Snapshots
  render: (situation: Situation) => RenderedFile[]
  session: Session
  verbs: {
    /** Running members that are in no primary component become one; only with a grant. */
    promote?: () => string[]
    /** Before it takes writes; after another takes them. */
    writable?: (on: boolean) => string[]
    /** Run in a ready member: before `member` starts, and after it is gone for good. */
    add?: (member: Peer) => string[]
    remove?: (member: Peer) => string[]
    /** Run in a ready member after `member` has caught up. */
    settle?: (member: Peer) => string[]
    /** A client for people, in a ready member, as its administrator; `statement` null: interactive. */
    shell?: (statement: string | null) => string[]
  }
  /** Ports of the software: `any` ready member, or the `writer`. */
  ports: { port: number; to: 'any' | 'writer' }[]
}
