/**
 * Tasks of a host that was lost together with Swarm's leader. A new leader knows of no host whether it is
 * there: it calls all of them `unknown`, and the lost one `down` only 11 s later. Muster has known for
 * long by then, and says it in the one way that Swarm acts upon at once: a label with which the host no
 * longer meets a constraint that all services have.
 */
import { type Clock, MusterError, messageOf, pause } from '../base/index.ts'
import type { HostId, HostState } from '../catalog/index.ts'
import type { Engine, Node } from '../engine/index.ts'
import type { LeaderLoop } from './loop.ts'

const LABEL_LOST = 'muster.lost'

/** Every service has it, so that Swarm takes its tasks from a host that is labelled. */
export const LOST_CONSTRAINT = `node.labels.${LABEL_LOST}!=true`

/**
 * What the label of a host should become; null: it stays. Only while Swarm has no opinion: a host
 * that it calls ready has an engine that answers it, and of one that is down it has taken the tasks.
 */
export const lostLabel = (node: Node, sight: HostState | undefined): 'set' | 'clear' | null => {
  const labelled = node.Spec.Labels?.[LABEL_LOST] !== undefined
  const unknown = node.Status?.State === 'unknown'
  if (unknown && sight === 'suspected') return labelled ? null : 'set'
  return labelled ? 'clear' : null
}

export interface LostHostsOptions {
  engine: Pick<Engine, 'listNodes' | 'updateNode'>
  /** What this manager's agent sees of a host. */
  sight: (host: HostId) => HostState | undefined
  clock: Clock
  onLost: (host: HostId) => void
  onProblem: (message: string) => void
}

const LOOK_MS = 250
/**
 * A new leader calls its hosts `unknown` some moments after others see it lead, and has none to call so
 * before. After this time nothing is gained any more: it calls the lost ones `down` by itself.
 */
const BEGIN_MS = 10_000

/** Ends once Swarm has had time to lose its opinion, has one of every host again, and no label is left. */
export const lostHostsLoop = (options: LostHostsOptions): LeaderLoop => ({
  name: 'lost hosts',
  start: async (signal) => {
    const { clock } = options
    const begun = clock.now() + BEGIN_MS
    while (!signal.aborted) {
      try {
        if ((await settleLostHosts(options)) && clock.now() >= begun) return
      } catch (error) {
        options.onProblem(messageOf(error))
      }
      await pause(clock, LOOK_MS, signal)
    }
  },
})

/** One pass. True when nothing is left to do. */
export const settleLostHosts = async (
  options: Omit<LostHostsOptions, 'clock' | 'onProblem'>,
): Promise<boolean> => {
  const { engine, sight, onLost } = options
  let settled = true
  for (const node of await engine.listNodes()) {
    const change = lostLabel(node, sight(node.ID))
    const { [LABEL_LOST]: before, ...labels } = node.Spec.Labels ?? {}
    if (node.Status?.State === 'unknown' || before !== undefined || change !== null) settled = false
    if (change === null) continue
    const Labels = change === 'set' ? { ...labels, [LABEL_LOST]: 'true' } : labels
    try {
      await engine.updateNode(node.ID, node.Version.Index, { ...node.Spec, Labels })
      if (change === 'set') onLost(node.ID)
    } catch (error) {
      // Somebody has changed or removed it: the next pass sees how it is.
      const known = error instanceof MusterError && ['CONFLICT', 'NOT_FOUND'].includes(error.code)
      if (!known) throw error
    }
  }
  return settled
}
