/** Entry point of `muster`: declares the commands, runs one, turns errors into words and exit status. */
import { enableCompileCache } from 'node:module'
import { CommanderError } from 'commander'
import { MusterError } from '../base/index.ts'
import { createProgram } from './program.ts'
import { reportError } from './report.ts'

enableCompileCache()

// `muster ... | head`: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

try {
  await createProgram().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed what is wrong (or the help that was asked for).
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    process.stderr.write(reportError(error))
    process.exitCode = error instanceof MusterError ? error.exitCode : 1
  }
}
