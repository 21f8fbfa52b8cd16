/** What runs on a cluster while faults come, and how it is judged afterwards. */
import { messageOf } from '../../src/base/index.ts'
import type { ImageSource } from '../../src/lab/index.ts'
import type { MemberLab } from '../member-lab.ts'

/** A member that runs, and where. */
export interface Placed {
  /** Short name, as `muster ps` shows it: `db-2`. */
  member: string
  host: string
  container: string
}

/** What is wrong. Any of these ends a run. */
export interface Violation {
  /** In few words: `acknowledged and lost`. */
  what: string
  /** Which rows, members, values. */
  evidence: string
}

/** Where a workload works. */
export interface WorkloadPlace {
  lab: MemberLab
  /** Folder on the machine, out of reach of all faults, for the client's log. */
  folder: string
  say: (line: string) => void
}

/** A kind of software to torment: what is deployed, and who works with it. */
export interface WorkloadKind {
  /** Name of the stack, and of the clustered service in it. */
  readonly stack: string
  readonly service: string
  /** The service has one member that takes the writes. */
  readonly hasWriter: boolean
  readonly images: readonly ImageSource[]
  /** The Compose file, with so many members; another `revision` makes it a rolling update. */
  compose(options: { members: number; revision: number }): string
  /** The clients; they do nothing yet. */
  open(place: WorkloadPlace): Workload
}

/** Clients of a cluster, and what has to hold of what they were told. */
export interface Workload extends Disposable {
  /** Once, when all members are ready. */
  prepare(): Promise<void>
  /** Clients begin, or go on. */
  start(): void
  /** Clients stop; resolves when nothing of theirs is under way any more. */
  stop(): Promise<void>
  /** Something that needs much room on every member's disk, while one is full. Fails quietly. */
  fill?(): Promise<void>
  /** Addresses of hosts whose published port does not lead to the service now, and why. */
  brokenWays(): Promise<string[]>
  /** With clients stopped and all members ready. Empty if all is well. */
  check(members: readonly Placed[]): Promise<Violation[]>
  /** Longest time without an acknowledged write between two moments (Date.now), ms. */
  longestGap(from: number, to: number): number
  /** How many writes have been acknowledged since a moment (Date.now). */
  acknowledgedSince(from: number): number
  /** What the clients have seen so far, in numbers. */
  summary(): Record<string, number>
}

/** Of all ways, those that cannot be gone, and why. */
export const broken = async (
  ways: readonly string[],
  go: (way: string) => Promise<unknown>,
): Promise<string[]> => {
  const tried = await Promise.all(
    ways.map((way) =>
      go(way).then(
        () => [],
        (error: unknown) => [`${way}: ${messageOf(error)}`],
      ),
    ),
  )
  return tried.flat()
}
