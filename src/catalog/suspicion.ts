/** Who is there, who is not, and when to doubt one's own eyes. Pure: all times are passed in. */
import type { HostId, HostState } from './model.ts'
import { TUNABLES } from './tunables.ts'

/** The answer of a host's kernel to a TCP connection. */
export type ProbeResult = 'answered' | 'nothing'

/** What a manager knows of one host. Times are of the attentive clock, in milliseconds. */
export interface Sight {
  id: HostId
  /** What the manager has said of it so far. */
  state: HostState
  /** Its stream is open and has brought a full report. */
  reporting: boolean
  /** Since anything was heard of it. */
  silence: number
  /** Last probe that began in this silence; null if none has ended. */
  probe: ProbeResult | null
  /** How long every probe has been answered, while Swarm called the host ready; 0 if not. */
  answeringFor: number
  /** Swarm itself calls it down. */
  swarmDown: boolean
}

export interface Judgement {
  /** Hosts in sight, and how many there should be. */
  sees: number
  of: number
  /** More than half are out of sight: nobody is suspected on this manager's word alone. */
  doubt: boolean
  /** The new state of each host. */
  states: Map<HostId, HostState>
}

/**
 * Judges all hosts at once. A host is alive while its stream brings something; when it does not, a
 * probe decides: a kernel that answers has lost only its agent, and its containers go on. Silence
 * alone, without a probe, never condemns.
 */
export const judge = (sights: readonly Sight[]): Judgement => {
  const expected = sights.filter((sight) => !sight.swarmDown)
  const sees = expected.filter(inSight).length
  const doubt = sees * 2 < expected.length
  return {
    sees,
    of: expected.length,
    doubt,
    states: new Map(sights.map((sight) => [sight.id, stateOf(sight, doubt)])),
  }
}

const inSight = (sight: Sight): boolean =>
  sight.silence < TUNABLES.inSight || sight.probe === 'answered'

const stateOf = (sight: Sight, doubt: boolean): HostState => {
  if (sight.reporting && sight.silence < TUNABLES.silence) return 'alive'
  if (sight.probe === 'answered') {
    // A host that was gone may have come back from a power cut, with nothing running: only its
    // agent's report, or Swarm's opinion after a while, brings its endpoints back.
    return sight.state === 'suspected' && sight.answeringFor < TUNABLES.rehabilitation
      ? 'suspected'
      : 'agentless'
  }
  if (sight.probe === 'nothing') {
    // Swarm's own word comes from a quorum, which a manager that is cut off does not have.
    return doubt && !sight.swarmDown ? sight.state : 'suspected'
  }
  return sight.state === 'alive' && !sight.reporting ? 'agentless' : sight.state
}

/** Whether a host wants to be probed now; `sinceProbe` is the time since the last one began. */
export const wantsProbe = (
  sight: Pick<Sight, 'reporting' | 'silence'>,
  sinceProbe: number,
): boolean => {
  if (sight.reporting && sight.silence < TUNABLES.silence) return false
  return sinceProbe >= (sight.silence > 60_000 ? 4 : 1) * TUNABLES.reprobe
}
