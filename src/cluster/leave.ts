/** Taking this host out of its cluster, whatever state its engine is in at the moment. */
import { type Clock, MusterError, pause } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'

export interface LeaveOptions {
  /** Leaves as it is: the last manager, one without a quorum, one that cannot be demoted. */
  force: boolean
  clock: Clock
  /** What is being waited for, and the engine's last complaint; told once a step has taken 2 s, then every 10 s. */
  onWait?: (what: string) => void
  /** For all of it; default 90 s. */
  timeoutMs?: number
}

/** Demotion takes a few seconds, a stop of swarmkit up to 15 s that it is now and then late with. */
const LEAVE_LIMIT_MS = 90_000
const RETRY_MS = 300
const PATIENCE_MS = 2000
const REPEAT_MS = 10_000

/**
 * Takes this host out of its cluster. A manager first becomes a worker, so that the managers that
 * stay do not count it as lost; the last manager takes the cluster with it and must be forced.
 *
 * While an engine changes its role it answers with errors of all kinds (the socket of its manager is
 * gone, a deadline has passed, it still takes part as a manager), or late. So each pass asks
 * anew where the host is and takes the next step, until it is out or the time is up.
 */
export const leaveCluster = async (
  engine: Pick<Engine, 'info' | 'leaveSwarm' | 'listNodes' | 'updateNode'>,
  options: LeaveOptions,
): Promise<{ left: boolean }> => {
  const { clock, force, timeoutMs = LEAVE_LIMIT_MS } = options
  const limit = clock.now() + timeoutMs
  // An engine that does not answer at all is no case for patience.
  const first = (await engine.info()).Swarm
  if (isOut(first?.LocalNodeState)) return { left: false }
  using waiting = patience(options)
  let problem: MusterError | undefined
  let locked = false
  for (;;) {
    try {
      waiting.for('the engine to say where this host is')
      const swarm = (await engine.info()).Swarm
      if (isOut(swarm?.LocalNodeState)) return { left: true }
      locked = swarm?.LocalNodeState === 'locked' && !force
      if (locked) break
      if (swarm?.ControlAvailable && !force) {
        waiting.for('this host to become a worker')
        if ((await demoteSelf(engine, swarm.NodeID ?? '')) === 'last') break
      } else {
        waiting.for('the engine to leave the cluster')
        await engine.leaveSwarm({ force })
        return { left: true }
      }
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      problem = error
      waiting.because(error.message)
    }
    if (clock.now() > limit) {
      throw new MusterError(
        'TIMEOUT',
        `This host did not leave within ${Math.round(timeoutMs / 1000)} s; it was waiting for ` +
          `${waiting.what}.${problem ? ` Last answer: ${problem.message}` : ''}`,
        { hint: 'Look at `muster node ls` on another manager, then try again, or add --force.' },
      )
    }
    await clock.sleep(RETRY_MS)
  }
  throw locked
    ? new MusterError('ENGINE_REFUSED', 'Swarm on this host is locked.', {
        hint: 'Unlock it first (docker swarm unlock), or leave with --force.',
      })
    : new MusterError(
        'ENGINE_REFUSED',
        'This is the last manager: leaving ends the cluster and everything in it.',
        { hint: 'If that is what you want: muster leave --force.' },
      )
}

const isOut = (state: string | undefined): boolean =>
  state === undefined || state === '' || state === 'inactive'

/**
 * Asks for a demotion, unless that is done: the engine then changes its role in its own time. Asks
 * nothing of the last manager.
 */
const demoteSelf = async (
  engine: Pick<Engine, 'listNodes' | 'updateNode'>,
  nodeId: string,
): Promise<'asked' | 'last'> => {
  const nodes = await engine.listNodes()
  const self = nodes.find((node) => node.ID === nodeId)
  if (self === undefined || self.Spec.Role !== 'manager') return 'asked'
  if (nodes.filter((node) => node.Spec.Role === 'manager').length === 1) return 'last'
  await engine.updateNode(nodeId, self.Version.Index, { ...self.Spec, Role: 'worker' })
  return 'asked'
}

/** Says what takes long, beside whatever is being awaited. */
const patience = ({ clock, onWait }: LeaveOptions) => {
  const over = new AbortController()
  let what = ''
  let why = ''
  let due = clock.now() + PATIENCE_MS
  const speak = async () => {
    while (!over.signal.aborted) {
      await pause(clock, RETRY_MS, over.signal)
      if (over.signal.aborted || clock.now() < due) continue
      onWait?.(why === '' ? what : `${what} (${why})`)
      due = clock.now() + REPEAT_MS
    }
  }
  void speak()
  return {
    get what() {
      return what
    },
    for(next: string) {
      // Asking where the host is comes between two tries of the same step.
      if (next === what || (what !== '' && next.startsWith('the engine to say'))) return
      what = next
      why = ''
      due = clock.now() + PATIENCE_MS
    },
    because(reason: string) {
      why = reason
    },
    [Symbol.dispose]: () => over.abort(),
  }
}
