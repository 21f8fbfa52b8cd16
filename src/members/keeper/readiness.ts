/** When a running member may take traffic. Pure. */
import type { MemberStatus } from '../../catalog/index.ts'

/** Causal answers in a row before a member is trusted: the first after a pause may be old. */
const CAUSAL_IN_A_ROW = 2
/**
 * A longer pause between two questions than asked for means that the host or the agent stood still,
 * and with it the member: one that wakes up claims to be well for seconds, with old data.
 */
export const TICK_GAP_MS = 1000

export interface Readiness {
  /** Causal answers in a row. */
  causal: number
  /** When it was last asked; milliseconds of a clock that only goes forward. */
  askedAt: number
}

export const notReady: Readiness = { causal: 0, askedAt: -Infinity }

/** One answer more, or none (null). */
export const answered = (
  before: Readiness,
  answer: { status: MemberStatus; causal: boolean } | null,
  { askedAt, everyMs }: { askedAt: number; everyMs: number },
): Readiness => {
  const gap = askedAt - before.askedAt > everyMs + TICK_GAP_MS
  const good =
    answer !== null &&
    answer.causal &&
    (answer.status.role === 'ready' || answer.status.role === 'donor')
  if (!good) return { causal: 0, askedAt }
  return { causal: gap ? 1 : before.causal + 1, askedAt }
}

/**
 * Whether it takes traffic. A donor may lag and is slow: it takes some only while nobody else does
 * (`others`: a ready member beside it).
 */
export const isReady = (
  { causal }: Readiness,
  status: MemberStatus | null,
  others: boolean,
): boolean => {
  if (status === null || causal < CAUSAL_IN_A_ROW) return false
  return status.role === 'ready' || (status.role === 'donor' && !others)
}
