/** A project on disk for a test: files by name, in a folder that is gone afterwards. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadStack, type LoadOptions, type LoadResult } from './load.ts'
import type { ComposeError, Stack } from './model.ts'

export interface TestProject extends AsyncDisposable {
  folder: string
  /** Loads `compose.yaml` (or `files`) with no variables but `env`. */
  load(options?: LoadOptions): Promise<LoadResult>
}

export const testProject = async (
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<TestProject> => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'muster-compose-')))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return {
    folder,
    load: (options = {}) =>
      loadStack({
        files: ['compose.yaml'],
        projectName: 'proj',
        cwd: folder,
        env: {},
        ...options,
      }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Loads one file that must be right. */
export const stackOf = async (compose: string, options: LoadOptions = {}): Promise<Stack> => {
  await using project = await testProject({ 'compose.yaml': compose })
  const result = await project.load(options)
  if (result.errors) throw new Error(JSON.stringify(result.errors, null, 1))
  return result.stack
}

/** Loads one file that must be wrong. */
export const errorsOf = async (
  compose: string,
  options: LoadOptions = {},
): Promise<ComposeError[]> => {
  await using project = await testProject({ 'compose.yaml': compose })
  const result = await project.load(options)
  if (!result.errors) throw new Error('the file was accepted')
  return result.errors
}

/** Errors as `line:column path: message`. */
export const brief = (errors: readonly ComposeError[]): string[] =>
  errors.map(({ path, message, location }) => {
    const place = location ? `${location.line}:${location.column} ` : ''
    return `${place}${path === '' ? '' : `${path}: `}${message}`
  })
