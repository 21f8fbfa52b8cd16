import { basename, resolve } from 'node:path'
import { parseEnvFile } from './dotenv.ts'
import { decodeSource, displayName, MAX_FILE_BYTES, readSource } from './files.ts'
import type { LoadOptions } from './load.ts'
import { get, stringOf } from './node.ts'
import type { Problems } from './problems.ts'
import { normalizeProjectName, PROJECT_NAME_RULE } from './project-files.ts'
import { parsedDocuments, type Reading } from './reading.ts'
import type { SourceFile } from './source.ts'
import { substitute } from './template.ts'

/** A project before its files are read. */
export interface ProjectInput {
  options: LoadOptions
  /** Absolute. */
  cwd: string
  projectDirectory: string
  /** Grows as env files are read. */
  environment: Map<string, string>
  problems: Problems
}

/** A variable that holds a list. */
const listed = (value: string | undefined, separator: string): string[] =>
  (value ?? '').split(separator).filter((part) => part !== '')

/** -f, or COMPOSE_FILE: absolute paths, `-` for standard input. */
export const givenFiles = (
  options: LoadOptions,
  environment: ReadonlyMap<string, string>,
  cwd: string,
): string[] => {
  const separator = environment.get('COMPOSE_PATH_SEPARATOR') ?? ':'
  const files = options.files?.length
    ? options.files
    : listed(environment.get('COMPOSE_FILE'), separator)
  return files.map((file) => (file === '-' ? file : resolve(cwd, file)))
}

/** --profile and COMPOSE_PROFILES. */
export const activeProfiles = ({ options, environment }: ProjectInput): string[] => [
  ...(options.profiles ?? []),
  ...listed(environment.get('COMPOSE_PROFILES'), ','),
]

/** Opens the files that were asked for; reports those that cannot be read. */
export const openFiles = async (
  paths: readonly string[],
  { options, cwd, problems }: ProjectInput,
): Promise<SourceFile[]> => {
  const sources: SourceFile[] = []
  for (const path of paths) {
    const result =
      path === '-'
        ? decodeSource(await readAll(options.stdin ?? process.stdin), '', '-')
        : await readSource(path, displayName(path, cwd))
    if ('wrong' in result) problems.error({ path: [] }, result.wrong)
    else sources.push(result)
  }
  return sources
}

const readAll = async (stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    chunks.push(bytes)
    size += bytes.length
    // One byte too many is enough to refuse it.
    if (size > MAX_FILE_BYTES) break
  }
  return Buffer.concat(chunks)
}

/** Adds the variables of `.env` or --env-file to those that are set already. */
export const readEnvFiles = async (input: ProjectInput): Promise<void> => {
  const { options, cwd, projectDirectory, environment, problems } = input
  const given = options.envFiles?.length
    ? options.envFiles
    : listed(environment.get('COMPOSE_ENV_FILES'), ',')
  const files = given.length > 0 ? given : [resolve(projectDirectory, '.env')]
  const values = new Map<string, string>()
  const lookup = (name: string): string | undefined => environment.get(name) ?? values.get(name)
  for (const file of files) {
    const path = resolve(cwd, file)
    const result = await readSource(path, displayName(path, cwd))
    if (!('wrong' in result)) {
      for (const [name, value] of parseEnvFile(result, lookup, problems)) values.set(name, value)
      // A folder called .env is somebody's virtual environment.
    } else if (given.length > 0 || !(result.missing || result.folder))
      problems.error({ path: [] }, result.wrong)
  }
  for (const [name, value] of values) if (!environment.has(name)) environment.set(name, value)
}

/** What the project is called; undefined (and reported) if it cannot be called that. */
export const findProjectName = (
  sources: readonly SourceFile[],
  { options, environment, projectDirectory, problems }: ProjectInput,
  reading: Reading,
): string | undefined => {
  const given = options.projectName || (environment.get('COMPOSE_PROJECT_NAME') ?? '')
  if (given !== '') {
    if (normalizeProjectName(given) === given) return given
    const message = `${JSON.stringify(given)} is not a project name: ${PROJECT_NAME_RULE}`
    problems.error({ path: [] }, message)
    return undefined
  }
  let written = ''
  for (const source of sources)
    for (const document of parsedDocuments(source, reading))
      written = stringOf(get(document, 'name')) || written
  if (reading.interpolate) written = substitute(written, (name) => environment.get(name)).text
  const name = normalizeProjectName(written) || normalizeProjectName(basename(projectDirectory))
  if (name !== '') return name
  const hint = 'Give it one with --project-name or "name:".'
  problems.error({ path: [] }, 'the project has no name', hint)
  return undefined
}
