/**
 * How long things take, in milliseconds. Defaults are what Docker 20.10 showed on two cores,
 * rounded; a simulation may stretch any of them.
 */
export interface Timing {
  /** From a change in the store to the control loops acting on it. */
  commitMs: number
  /** From the store to the host of a task, and back. */
  dispatchMs: number
  /** Pull of an image that a host lacks, unless its behaviour says otherwise. */
  pullMs: number
  /** Making a container. */
  createMs: number
  /** Starting one. */
  startMs: number
  /** Between a task's removal from its service and SIGTERM (swarmkit's gossip delay). */
  gossipMs: number
  /** A host's registration with a leader. */
  registerMs: number
  /** From the loss of the Raft leader to the next one: at least, at most. */
  electionMs: [number, number]
  /** From there to its calling all hosts `unknown`. */
  unknownMs: number
}

export const DEFAULT_TIMING: Timing = {
  commitMs: 5,
  dispatchMs: 20,
  pullMs: 500,
  createMs: 150,
  startMs: 250,
  gossipMs: 2_000,
  registerMs: 200,
  electionMs: [1_000, 3_000],
  unknownMs: 0,
}
