import { basename, dirname, resolve } from 'node:path'
import { composeValidator } from './compose-schema.ts'
import { checkServices, checkTree, entryAt } from './consistency.ts'
import { decode } from './decode.ts'
import { normalize, withDefaults } from './defaults.ts'
import { parseEnvFile } from './dotenv.ts'
import { decodeSource, displayName, readSource } from './files.ts'
import type {
  ComposeError,
  Config,
  Model,
  Network,
  Secret,
  Service,
  Stack,
  Volume,
} from './model.ts'
import { get, map, stringOf, toPlain, withKey, type MapNode, type Node } from './node.ts'
import { inOrder, Problems } from './problems.ts'
import { findFiles, normalizeProjectName, PROJECT_NAME_RULE } from './project-files.ts'
import {
  CONTENT_KEY,
  parsedDocuments,
  readFiles,
  resolveEnvironment,
  type Reading,
} from './read-project.ts'
import { resolvePaths } from './resolve-paths.ts'
import { selectServices } from './select.ts'
import { resolveServiceFiles } from './service-files.ts'
import {
  configShape,
  modelShape,
  networkShape,
  secretShape,
  serviceShape,
  volumeShape,
} from './shapes.ts'
import type { Shape } from './shape.ts'
import { locationOf, type SourceFile } from './source.ts'
import { substitute } from './template.ts'

export interface LoadOptions {
  /** Compose files, later ones over earlier ones; `-` is standard input. Found by name if empty. */
  files?: readonly string[]
  /** Wins over COMPOSE_PROJECT_NAME, `name:` and the name of the folder. */
  projectName?: string
  /** Where relative paths start. Default: the folder of the first file. */
  projectDirectory?: string
  /** Active profiles, beside COMPOSE_PROFILES; `*` is all of them. */
  profiles?: readonly string[]
  /** Instead of `.env` in the project's folder; later ones win. */
  envFiles?: readonly string[]
  /** Variables; they win over those of env files. Default: the process's own. */
  env?: Readonly<Record<string, string | undefined>>
  /** What `-` reads. Default: the process's standard input. */
  stdin?: AsyncIterable<Uint8Array | string>
  /** Where relative file names start. Default: the process's folder. */
  cwd?: string
  /** Only these services and what they depend on; they need no active profile. */
  services?: readonly string[]
  /** False: variables are left as they are written. */
  interpolate?: boolean
  /** False: paths are left relative. */
  resolvePaths?: boolean
  /** False: no implied dependencies, default network or names in the engine. */
  normalize?: boolean
  /** False: references between services, networks and so on are not checked. */
  consistency?: boolean
  /** False: `env_file` and `label_file` are not read. */
  resolveEnvFiles?: boolean
}

export type LoadResult =
  | { stack: Stack; errors?: never }
  | { errors: ComposeError[]; stack?: never }

/** A project before it became a typed model: what `--no-interpolate` shows. */
export interface LoadedTree {
  name: string
  tree: Node
  environment: ReadonlyMap<string, string>
  projectDirectory: string
  profiles: readonly string[]
  problems: Problems
}

/**
 * Loads a Compose project: reads, merges, interpolates, checks and normalises its files. Never throws
 * for anything that is in a file: what is wrong comes back, all of it at once, with its place.
 */
export const loadStack = async (options: LoadOptions = {}): Promise<LoadResult> => {
  const loaded = await loadTree(options)
  if ('errors' in loaded) return loaded
  const { problems } = loaded
  const stack = decodeStack(loaded)
  problems.seal()
  const selected = selectServices(stack, loaded.profiles, options.services ?? [], problems)
  if (options.consistency !== false)
    checkServices({
      services: selected.services,
      disabled: selected.disabledServices,
      tree: loaded.tree,
      problems,
    })
  if (options.resolveEnvFiles !== false)
    await resolveServiceFiles(selected, loaded, options.cwd ?? process.cwd())
  if (problems.errors.length > 0) return { errors: inOrder(problems.errors) }
  return { stack: { ...selected, warnings: inOrder(problems.warnings) } }
}

/** The same, up to the canonical tree. */
export const loadTree = async (
  options: LoadOptions = {},
): Promise<LoadedTree | { errors: ComposeError[] }> => {
  const problems = new Problems()
  const failed = (): { errors: ComposeError[] } => ({ errors: inOrder(problems.errors) })
  const cwd = resolve(options.cwd ?? process.cwd())
  const environment = new Map<string, string>()
  for (const [name, value] of Object.entries(options.env ?? process.env))
    if (value !== undefined) environment.set(name, value)

  const given = givenFiles(options, environment, cwd)
  const start =
    options.projectDirectory === undefined ? cwd : resolve(cwd, options.projectDirectory)
  const paths = given.length > 0 ? given : findFiles(start)
  if (paths.length === 0) {
    problems.error(
      [],
      `there is no compose.yaml in ${start} or a folder above it`,
      undefined,
      'Name a file with -f.',
    )
    return failed()
  }
  const first = paths.find((path) => path !== '-')
  const projectDirectory =
    options.projectDirectory === undefined ? (first ? dirname(resolve(cwd, first)) : cwd) : start

  await readEnvFiles(options, environment, projectDirectory, cwd, problems)
  const sources = await openFiles(paths, options, cwd, problems)
  if (problems.errors.length > 0) return failed()

  const reading: Reading = {
    problems,
    schema: composeValidator,
    cwd,
    interpolate: options.interpolate !== false,
    sources: new Map(),
    parsed: new Map(),
  }
  const name = projectName(sources, options, environment, projectDirectory, reading)
  if (name !== undefined) environment.set('COMPOSE_PROJECT_NAME', name)
  const scope = { directory: projectDirectory, environment, chain: [] }
  const merged = await readFiles(sources, scope, reading)
  if (!merged || merged.kind !== 'map' || merged.entries.size === 0) {
    if (problems.errors.length === 0)
      for (const source of sources)
        problems.error([], 'the file is empty', { source, start: 0, end: 1 })
    return failed()
  }
  if (name === undefined) return failed()

  const tree = finish(merged, { ...options, name, environment, projectDirectory, problems })
  const profiles = [
    ...(options.profiles ?? []),
    ...(environment.get('COMPOSE_PROFILES') ?? '').split(',').filter((profile) => profile !== ''),
  ]
  return { name, tree, environment, projectDirectory, profiles, problems }
}

/** -f, or COMPOSE_FILE. */
const givenFiles = (
  options: LoadOptions,
  environment: ReadonlyMap<string, string>,
  cwd: string,
): string[] => {
  const files = options.files ?? []
  const separator = environment.get('COMPOSE_PATH_SEPARATOR') ?? ':'
  const fromEnvironment = environment.get('COMPOSE_FILE') ?? ''
  const given = files.length > 0 ? files : fromEnvironment.split(separator).filter((f) => f !== '')
  return given.map((file) => (file === '-' ? file : resolve(cwd, file)))
}

const openFiles = async (
  paths: readonly string[],
  options: LoadOptions,
  cwd: string,
  problems: Problems,
): Promise<SourceFile[]> => {
  const sources: SourceFile[] = []
  for (const path of paths) {
    const result =
      path === '-'
        ? decodeSource(await readAll(options.stdin ?? process.stdin), '', '-')
        : await readSource(path, displayName(path, cwd))
    if ('wrong' in result) problems.error([], result.wrong)
    else sources.push(result)
  }
  return sources
}

const readAll = async (stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream)
    chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  return Buffer.concat(chunks)
}

/** Adds the variables of `.env` or --env-file to those that are set already. */
const readEnvFiles = async (
  options: LoadOptions,
  environment: Map<string, string>,
  projectDirectory: string,
  cwd: string,
  problems: Problems,
): Promise<void> => {
  const listed = (environment.get('COMPOSE_ENV_FILES') ?? '').split(',').filter((f) => f !== '')
  const given = options.envFiles?.length ? options.envFiles : listed
  const paths =
    given.length > 0 ? given.map((file) => resolve(cwd, file)) : [resolve(projectDirectory, '.env')]
  const values = new Map<string, string>()
  for (const path of paths) {
    const result = await readSource(path, displayName(path, cwd))
    if ('wrong' in result) {
      if (given.length > 0 || !(result.missing || /folder/.test(result.wrong)))
        problems.error([], result.wrong)
      continue
    }
    const lookup = (name: string): string | undefined => environment.get(name) ?? values.get(name)
    for (const [name, value] of parseEnvFile(result, lookup, problems)) values.set(name, value)
  }
  for (const [name, value] of values) if (!environment.has(name)) environment.set(name, value)
}

/** Reports a name that cannot be, and returns undefined for it. */
const projectName = (
  sources: readonly SourceFile[],
  options: LoadOptions,
  environment: ReadonlyMap<string, string>,
  projectDirectory: string,
  reading: Reading,
): string | undefined => {
  const { problems } = reading
  const given = options.projectName ?? environment.get('COMPOSE_PROJECT_NAME') ?? ''
  if (given !== '') {
    if (normalizeProjectName(given) === given) return given
    problems.error([], `${JSON.stringify(given)} is not a project name: ${PROJECT_NAME_RULE}`)
    return undefined
  }
  let written: string | undefined
  for (const source of sources) {
    for (const document of parsedDocuments(source, reading))
      written = stringOf(get(document, 'name')) || written
  }
  if (written !== undefined && reading.interpolate)
    written = substitute(written, (name) => environment.get(name)).text
  const name =
    normalizeProjectName(written ?? '') || normalizeProjectName(basename(projectDirectory))
  if (name !== '') return name
  problems.error(
    [],
    'the project has no name',
    undefined,
    'Give it one with --project-name or "name:".',
  )
  return undefined
}

interface Finishing extends LoadOptions {
  name: string
  environment: ReadonlyMap<string, string>
  projectDirectory: string
  problems: Problems
}

/** Everything that happens once, after all files are one. */
const finish = (merged: MapNode, options: Finishing): Node => {
  const { problems, environment } = options
  const lenient = options.interpolate === false
  const version = merged.entries.get('version')
  if (version) {
    const message = '"version" is obsolete and ignored'
    problems.warn(['version'], message, version.key ?? version.value, 'Remove it.')
  }
  let tree: Node = withDefaults(withKey(merged, 'version', undefined))
  problems.seal()
  tree = composeValidator.check(tree, 'whole', problems).node ?? map(new Map())
  checkTree(tree, problems, lenient)
  if (options.resolvePaths !== false) tree = resolvePaths(tree, options.projectDirectory)
  tree = resolveEnvironment(tree, environment)
  if (options.normalize !== false) tree = normalize(tree, options.name, environment)
  return tree
}

const decodeStack = (loaded: LoadedTree): Stack => {
  const { tree, problems } = loaded
  const all = <T>(kind: string, shape: Shape): Record<string, T> => {
    const node = get(tree, kind)
    const found: Record<string, T> = Object.create(null) as Record<string, T>
    if (node?.kind === 'map')
      for (const [name, { value }] of node.entries)
        found[name] = decode(value, shape, [kind, name], problems) as T
    return { ...found }
  }
  const extensions: Record<string, unknown> = {}
  if (tree.kind === 'map')
    for (const [key, { value }] of tree.entries)
      if (key.startsWith('x-')) extensions[key] = toPlain(value)
  return {
    name: loaded.name,
    services: all<Service>('services', serviceShape),
    networks: all<Network>('networks', networkShape),
    volumes: all<Volume>('volumes', volumeShape),
    configs: withContent(all<Config>('configs', configShape), get(tree, 'configs')),
    secrets: withContent(all<Secret>('secrets', secretShape), get(tree, 'secrets')),
    models: all<Model>('models', modelShape),
    extensions,
    disabledServices: {},
    environment: Object.fromEntries(loaded.environment),
    projectDirectory: loaded.projectDirectory,
    warnings: [],
    locate: (path) => {
      const { value, key } = entryAt(tree, path)
      return value.at && locationOf(value.at, key)
    },
  }
}

/** Gives those that come from a variable its value. */
const withContent = <T extends Config>(
  all: Record<string, T>,
  nodes: Node | undefined,
): Record<string, T> => {
  for (const [name, one] of Object.entries(all)) {
    const content = stringOf(get(get(nodes, name), CONTENT_KEY))
    if (content !== undefined) one.content = content
  }
  return all
}
