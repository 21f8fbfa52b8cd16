import { z } from 'zod'
import { MusterError } from '../../base/index.ts'
import { checkOptions } from '../options.ts'

/** The variable that says how many members have to be there before the cluster is formed. */
const SERVERS = 'MIN_SERVERS'

const optionsSchema = z.strictObject({})

/** What a member is made with. */
export interface Options {
  /** Members that form the cluster; null: as many as usual. */
  servers: number | null
}

/** From the file: `x-muster: {recipe: {...}}`, and the service's environment. */
export const optionsOf = (
  given: Record<string, unknown>,
  environment: ReadonlyMap<string, string>,
): Options => {
  checkOptions(optionsSchema, given)
  return { servers: serversOf(environment.get(SERVERS)?.trim() ?? '') }
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
  checkOptions(z.object({ servers: z.int().min(1).nullable().default(null) }), options)
