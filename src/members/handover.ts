/** Asking the leader to let another member take the writes. */
import { MusterError, until } from '../base/index.ts'
import type { HostId, Ledger, MemberId } from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import { readStoredLedgers, type StoredLedger, writeLedger } from './ledger-store.ts'

/** The leader decides within a second, and asks two servers something before it writes. */
const LIMIT_MS = 20_000

export interface HandoverRequest {
  stored: StoredLedger
  /** Undefined: the best of the others. */
  to?: MemberId | undefined
  by: string
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Resolves when another member takes the writes, with both. Throws USAGE when there is no writer to
 * move, CONFLICT when it stayed where it was, TIMEOUT when nobody decided.
 */
export const handOver = async (
  engine: Engine,
  { stored, to, by, now }: HandoverRequest,
): Promise<{ from: MemberId; to: MemberId }> => {
  const { ledger } = stored
  const { cluster, writer: from, epoch } = ledger
  const refusal = refuse(ledger, to)
  if (from === null || refusal !== null) {
    throw new MusterError('USAGE', `${cluster}: ${refusal ?? 'no member takes the writes'}.`, {
      hint: `See how it is: muster ps ${cluster}`,
    })
  }
  const handover = { epoch, from, to: to ?? null, by, at: now }
  if (!(await writeLedger(engine, { ...ledger, handover }, stored))) {
    throw new MusterError('CONFLICT', `What is known of ${cluster} has just changed.`, {
      hint: 'Run the same command once more.',
    })
  }
  const after = await until(
    `the leader to decide about ${cluster}`,
    async () => {
      const next = (await readStoredLedgers(engine)).ledgers.get(cluster)?.ledger
      return next !== undefined && next.handover === null && next
    },
    { timeoutMs: LIMIT_MS, hint: `What it does: muster why ${cluster}` },
  )
  if (after.writer !== null && after.writer !== from) return { from, to: after.writer }
  throw new MusterError('CONFLICT', `${from} still takes the writes of ${cluster}.`, {
    hint: `Who else is ready: muster ps ${cluster}`,
  })
}

const refuse = (ledger: Ledger, to: MemberId | undefined): string | null => {
  if (ledger.phase !== 'formed') return `it is ${ledger.phase}`
  if (to === undefined) return null
  if (ledger.members[to] === undefined) return `there is no member ${to}`
  return to === ledger.writer ? `${to} takes the writes already` : null
}

/** Of the clusters whose writes are taken on a host. */
export const writersOn = async (engine: Engine, host: HostId): Promise<StoredLedger[]> =>
  [...(await readStoredLedgers(engine)).ledgers.values()].filter(
    ({ ledger: { phase, writer, members } }) =>
      phase === 'formed' && writer !== null && members[writer]?.host === host,
  )
