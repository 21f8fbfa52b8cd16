/** Who has a volume, in the words of the engine's list. The list answers while a mount blocks. */
import type { ContainerSummary, Engine } from '../../engine/index.ts'

/** Label that Swarm gives the containers of a service. */
export const SERVICE_NAME = 'com.docker.swarm.service.name'

export interface Occupant {
  container: string
  running: boolean
  /** It was made, and not started yet. */
  created: boolean
  /** Swarm service that it belongs to. */
  service: string | null
  image: string | null
  /** Exit status of one that has ended. */
  exit: number | null
  /** Seconds since 1970. */
  madeAt: number
}

/** A container is started within moments of being made: an older one has failed to, and is left over. */
const FRESH_S = 150

/**
 * Whose mount it is that waits, as Docker does not say: the newest container of the member that was
 * made and has not started. Null when it could be somebody else's.
 */
export const askerOf = (occupants: readonly Occupant[], member: string): Occupant | null => {
  const made = occupants.filter(({ created }) => created).sort((a, b) => b.madeAt - a.madeAt)
  const [newest] = made
  if (newest?.service !== member) return null
  const doubtful = made.some(
    ({ service, madeAt }) => service !== member && newest.madeAt - madeAt < FRESH_S,
  )
  return doubtful ? null : newest
}

/** Containers that have the volume, in any state. */
export const occupantsOf = async (
  engine: Pick<Engine, 'listContainers'>,
  volume: string,
): Promise<Occupant[]> => {
  const list = await engine.listContainers({ all: true, filters: { volume: [volume] } })
  return list.map(occupantOf)
}

export const occupantOf = ({
  Id,
  State,
  Status,
  Labels,
  ImageID,
  Created,
}: ContainerSummary): Occupant => ({
  container: Id ?? '',
  running: State === 'running' || State === 'paused' || State === 'restarting',
  created: State === 'created',
  service: Labels?.[SERVICE_NAME] ?? null,
  image: ImageID ?? null,
  exit: exitOf(Status ?? ''),
  madeAt: Created ?? 0,
})

/** How the newest of those that have ended did; null when none has, or nobody knows. */
export const lastExit = (occupants: readonly Occupant[]): number | null =>
  occupants.filter(({ exit }) => exit !== null).sort((a, b) => b.madeAt - a.madeAt)[0]?.exit ?? null

/** What has become of a member's process that was, or was not, let in. */
export type Outcome =
  | { kind: 'running' | 'starting'; container: string }
  | { kind: 'ended'; exit: number | null }
  | { kind: 'none' }

/** What is known apart from the engine's list. */
export interface LetIn {
  member: string
  /** The container that this agent has let in and not seen end. */
  container: string | null
  /** Some container was let in, as is written beside the data. */
  passed: boolean
  /** Somebody waits at the gate, or has just been let in. */
  gate: boolean
  /** The engine was away since it was last asked. */
  restarted: boolean
}

/** From the containers of the member's own service. */
export const outcomeOf = (own: readonly Occupant[], known: LetIn): Outcome => {
  const running = own.find((each) => each.running)
  if (running) return { kind: 'running', container: running.container }
  const starting = askerOf(own, known.member)?.container
  // The engine may have been back, and asked, before anybody has noticed that it was away.
  const ours = starting !== undefined && starting === known.container
  // An agent that was away cannot tell whether it has let it in just now.
  const doubtful = known.passed && !known.gate && !known.restarted
  if (starting !== undefined && (ours || doubtful)) {
    return { kind: 'starting', container: starting }
  }
  return known.container !== null || known.passed
    ? { kind: 'ended', exit: lastExit(own) }
    : { kind: 'none' }
}

/** From `Exited (137) 3 minutes ago`. */
const exitOf = (status: string): number | null => {
  const [, code] = /^Exited \((\d+)\)/.exec(status) ?? []
  return code === undefined ? null : Number(code)
}

/** Killed, crashed, or lost with its host: such a process has told nobody that it goes. */
const SUDDEN = [132, 135, 136, 137, 139, 255]

/** Whether a process that ended so may have taken its leave from the others. */
export const tookLeave = (exit: number | null): boolean => exit !== null && !SUDDEN.includes(exit)
