/** A container waits for its member's data. */
import { type Clock, MusterError, pauseOrChange } from '../../base/index.ts'
import type { Start } from '../../recipes/index.ts'

/** What one look comes to. */
export type GateOutcome =
  | { kind: 'passed'; start: Start['kind']; epoch: number }
  | { kind: 'wait' | 'refuse'; reason: string }

export interface GateOptions {
  member: string
  clock: Clock
  look: () => Promise<GateOutcome>
  /** Resolves when the next look may come to something else; asked for before a look. */
  changed: () => Promise<unknown>
  /** It waits for another reason than before. */
  onWait: (reason: string) => void
  /** Nobody waits for an answer any more. */
  signal: AbortSignal
}

/** Docker waits two minutes. What is not decided by then is asked again by Swarm. */
const LIMIT_MS = 100_000
/** A refusal may be overtaken by a decision; Swarm would try again at once, and in vain. */
const REFUSAL_PAUSE_MS = 10_000
/** Besides changes of the catalog: what the engine says of other containers is asked for. */
const POLL_MS = 1000

/** Resolves when the container may have the data; rejects with CONFLICT and the reason if it may not. */
export const holdAtGate = async (
  options: GateOptions,
): Promise<Extract<GateOutcome, { kind: 'passed' }>> => {
  const { member, clock, look, changed, onWait, signal } = options
  const begin = clock.now()
  let told: string | null = null
  for (;;) {
    const change = changed()
    const outcome = await look()
    if (outcome.kind === 'passed') return outcome
    if (outcome.reason !== told) onWait(outcome.reason)
    told = outcome.reason
    const limit = outcome.kind === 'refuse' ? REFUSAL_PAUSE_MS : LIMIT_MS
    if (clock.now() - begin >= limit) {
      const verb = outcome.kind === 'refuse' ? 'may not start' : 'waits'
      throw new MusterError('CONFLICT', `${member} ${verb}: ${outcome.reason}.`)
    }
    await pauseOrChange(clock, POLL_MS, { signal, change })
    signal.throwIfAborted()
  }
}
