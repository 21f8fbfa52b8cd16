import { z } from 'zod'
import { MusterError, parseDuration } from '../../base/index.ts'
import { checkOptions } from '../options.ts'

/** The variable that says how many members have to be there before the cluster is formed. */
const SERVERS = 'MIN_SERVERS'

const LONGEST_MS = 7 * 24 * 3_600_000

const duration = z.string().transform((text, context) => {
  try {
    const ms = parseDuration(text, 'it')
    if (ms >= 1000 && ms <= LONGEST_MS) return ms
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
  }
  context.addIssue('expected a duration from 1s to 168h, like 10m')
  return z.NEVER
})

const snapshotsSchema = z.strictObject({
  every: duration.default(5 * 60_000),
  keep: z.int().min(1).max(100).default(3),
})

const optionsSchema = z.strictObject({
  /** How often each member puts a copy of the data beside them, and how many it keeps; `false`: never. */
  snapshots: snapshotsSchema.prefault({}),
})

/** What a member is made with. */
export interface Options {
  /** Members that form the cluster; null: as many as usual. */
  servers: number | null
  /** Null: none are made. */
  snapshots: { everyMs: number; keep: number } | null
}

const USUAL: Options = { servers: null, snapshots: { everyMs: 5 * 60_000, keep: 3 } }

/** From the file: `x-muster: {recipe: {...}}`, and the service's environment. */
export const optionsOf = (
  given: Record<string, unknown>,
  environment: ReadonlyMap<string, string>,
): Options => {
  const { snapshots: asked, ...others } = given
  const { snapshots } = checkOptions(optionsSchema, asked === false ? others : given)
  return {
    servers: serversOf(environment.get(SERVERS)?.trim() ?? ''),
    snapshots: asked === false ? null : { everyMs: snapshots.every, keep: snapshots.keep },
  }
}

const serversOf = (text: string): number | null => {
  if (text === '') return null
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw new MusterError('STACK_REFUSED', `${SERVERS}: "${text}" is no number of members.`, {
    hint: `It says how many have to be there before the cluster is formed: ${SERVERS}: 3`,
  })
}

/** As `optionsOf` has left them. Labels of an older version have fewer. */
export const knownOptions = (options: Record<string, unknown>): Options =>
  checkOptions(
    z.object({
      servers: z.int().min(1).nullable().default(USUAL.servers),
      snapshots: z
        .object({ everyMs: z.int().min(1000), keep: z.int().min(1) })
        .nullable()
        .default(USUAL.snapshots),
    }),
    options,
  )
