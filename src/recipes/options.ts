import type { z } from 'zod'
import { MusterError } from '../base/index.ts'

/**
 * A recipe's options, checked.
 *
 * @throws MusterError STACK_REFUSED that names the option
 */
export const checkOptions = <T>(schema: z.ZodType<T>, given: Record<string, unknown>): T => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const reason =
    (issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message) ??
    'these options are wrong'
  const path = issue?.path.join('.') ?? ''
  throw new MusterError(
    'STACK_REFUSED',
    issue?.code === 'unrecognized_keys'
      ? `there is no option "${issue.keys[0]}".`
      : `${path === '' ? '' : `${path}: `}${reason}.`,
  )
}
