/** Which manager's catalog an agent follows. Pure. */
import type { HostId } from './model.ts'
import { TUNABLES } from './tunables.ts'

/** What an agent knows of one manager. */
export interface ManagerSight {
  id: HostId
  /** Its stream is open and it has said something. */
  connected: boolean
  /** Milliseconds since anything was heard of it. */
  silence: number
  /** Its own words (`ManagerBeat`). */
  serving: boolean
  doubt: boolean
  leader: boolean
  sees: number
  /** Milliseconds that it has been connected, serving and leading without a break. */
  steadyFor: number
}

/**
 * The manager to follow, or null to keep the last catalog because nobody can be followed.
 * The leader, while it is fit; otherwise whoever sees most hosts. One that doubts itself is followed
 * only if all do. Whoever is followed and fit stays, but for a leader that has proved steady.
 */
export const chooseManager = (
  managers: readonly ManagerSight[],
  current: HostId | null,
): HostId | null => {
  const fit = managers.filter(
    (manager) => manager.connected && manager.serving && manager.silence < TUNABLES.silence,
  )
  const sure = fit.filter((manager) => !manager.doubt)
  const choice = sure.length > 0 ? sure : fit
  const kept = choice.find((manager) => manager.id === current)
  const leader = choice.find((manager) => manager.leader)
  if (kept) {
    return leader && leader.steadyFor >= TUNABLES.steadyLeader ? leader.id : kept.id
  }
  if (leader) return leader.id
  return choice.toSorted((a, b) => b.sees - a.sees || (a.id < b.id ? -1 : 1))[0]?.id ?? null
}
