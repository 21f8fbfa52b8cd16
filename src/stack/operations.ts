import type { DesiredFile, DesiredNetwork, SettledService } from './desired.ts'

/**
 * One step of a deployment, as data: it can be shown (`describe` in words.ts), counted, compared
 * and executed (`execute` in execute.ts). What `plan` prints and what `up` does is the same list.
 */
export type Operation =
  | { kind: 'create-network'; network: DesiredNetwork }
  | { kind: 'create-file'; file: DesiredFile; replaces: boolean }
  | CreateService
  | UpdateService
  | RecreateService
  | { kind: 'remove-service'; name: string; key: string; id: string; early: boolean }
  | { kind: 'remove-network'; name: string; id: string }

export interface CreateService {
  kind: 'create-service'
  service: SettledService
  /** Created without tasks; the leader gives it its replicas when its dependencies hold. */
  held: boolean
}

export interface UpdateService {
  kind: 'update-service'
  service: SettledService
  id: string
  /** `Version.Index` that was read; the engine refuses the update if it is not the newest. */
  version: number
  /** The canonical spec that was read, as JSON: a retry is right only while this still holds. */
  before: string
  changes: string[]
  /** How many tasks are replaced. */
  restarts: number
  /** How, in words: `rolling, 1 at a time, start first`. */
  effect: string
  /** It is (still) held back by its dependencies. */
  held: boolean
  /** `ForceUpdate` of the task template; higher than before restarts every task. */
  forceUpdate: number
  /** Updates of one wave go together; a wave waits until the one before it serves. */
  wave: number
}

export interface RecreateService {
  kind: 'recreate-service'
  service: SettledService
  id: string
  changes: string[]
  held: boolean
}

/** The services that a deployment touches and that have to serve at its end. */
export const touchedServices = (operations: readonly Operation[]): SettledService[] =>
  operations.flatMap((each) => ('service' in each ? [each.service] : []))
