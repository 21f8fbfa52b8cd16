import { styleText } from 'node:util'
import { MusterError, messageOf } from '../base/index.ts'

/**
 * An error in the words a person needs: what happened and where, then what to do. A defect (not a
 * MusterError) keeps its stack trace: somebody has to find it.
 */
export const reportError = (error: unknown): string => {
  if (!(error instanceof MusterError)) {
    const trace = error instanceof Error && error.stack ? error.stack : messageOf(error)
    return `This is a defect in Muster, please report it:\n${trace}\n`
  }
  const head = styleText('red', 'error', { stream: process.stderr })
  const hint = error.hint === undefined ? '' : `${error.hint}\n`
  return `${head}: ${error.message}\n${hint}`
}
