import { type ComposeError, loadStack, renderErrors, type Stack } from '../compose/index.ts'
import type { Engine } from '../engine/index.ts'
import { prepare, type Prepared } from '../stack/index.ts'
import { plural } from './output.ts'
import type { FileOptions } from './stack.ts'

/**
 * Loads the Compose files and makes the plan. What is wrong in the files is printed with its place,
 * the exit status is set to 2 and undefined comes back.
 */
export const planFromFiles = async (
  engine: Engine,
  options: FileOptions,
): Promise<Prepared | undefined> => {
  const stack = await readStack(options)
  if (stack === undefined) return undefined
  const prepared = await prepare(engine, stack, { tolerate: options.tolerate })
  return 'plan' in prepared ? prepared : refuse(prepared.errors)
}

const readStack = async (options: FileOptions): Promise<Stack | undefined> => {
  const result = await loadStack({
    files: options.file,
    ...(options.name === undefined ? {} : { projectName: options.name }),
    ...(options.projectDirectory === undefined
      ? {}
      : { projectDirectory: options.projectDirectory }),
    profiles: options.profile,
    envFiles: options.envFile,
  })
  if (result.errors) return refuse(result.errors)
  process.stderr.write(renderErrors(result.stack.warnings).replaceAll(/^(?=\S)/gm, 'warning: '))
  return result.stack
}

const refuse = (errors: readonly ComposeError[]): undefined => {
  process.stderr.write(renderErrors(errors))
  process.stderr.write(`${plural(errors.length, 'error')}, nothing was changed.\n`)
  process.exitCode = 2
}
