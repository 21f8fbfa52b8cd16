import type { DataState, MemberId, Position } from '../catalog/index.ts'
import type { Task } from '../engine/index.ts'

/** One member, as a person sees it. */
export interface MemberRow {
  id: MemberId
  /** `db-2` */
  name: string
  /** Name of its host; empty while it has none. */
  host: string
  /**
   * `writer`, `reader`, `leader`, `member`, `donor`, `joining`, `outside`, `starting`, `waiting`,
   * `leaving`, `stopped`, `unheard`.
   */
  role: string
  ready: boolean
  position: Position | null
  /** What its folder holds; undefined while its agent is not heard. */
  data: DataState | undefined
  /** Swarm calls its host down. */
  lost: boolean
  /** What it waits for, or what is wrong; empty when there is nothing to say. */
  note: string
  task: Task | undefined
  /** It runs what the head says now. */
  current: boolean
  image: string
}
