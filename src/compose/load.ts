import { dirname, resolve } from 'node:path'
import { checkServices } from './check-services.ts'
import { checkTree } from './check-tree.ts'
import { composeValidator } from './compose-schema.ts'
import { decodeStack, type LoadedTree } from './decode-stack.ts'
import { withDefaults } from './defaults.ts'
import type { ComposeError, Stack } from './model.ts'
import { map, withKey, type MapNode, type Node } from './node.ts'
import { normalize } from './normalize.ts'
import { inOrder, Problems } from './problems.ts'
import { findFiles } from './project-files.ts'
import {
  activeProfiles,
  findProjectName,
  givenFiles,
  openFiles,
  readEnvFiles,
  type ProjectInput,
} from './project-input.ts'
import { readFiles } from './read-project.ts'
import type { Reading } from './reading.ts'
import { resolveEnvironment } from './resolve-environment.ts'
import { resolvePaths } from './resolve-paths.ts'
import { selectServices } from './select.ts'
import { resolveServiceFiles } from './service-files.ts'

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

export interface LoadFailure {
  errors: ComposeError[]
  stack?: never
}

export type LoadResult = { stack: Stack; errors?: never } | LoadFailure

/**
 * Loads a Compose project: reads, merges, interpolates, checks and normalises its files. Never throws
 * for anything that is in a file: what is wrong comes back, all of it at once, with its place.
 */
export const loadStack = async (options: LoadOptions = {}): Promise<LoadResult> => {
  const loaded = await loadTree(options)
  if ('errors' in loaded) return loaded
  const { problems, profiles } = loaded
  const stack = decodeStack(loaded)
  problems.settle()
  const selected = selectServices(stack, { profiles, names: options.services ?? [], problems })
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

/** The same up to the canonical tree: what can be shown of a project with open variables. */
export const loadTree = async (options: LoadOptions = {}): Promise<LoadedTree | LoadFailure> => {
  const problems = new Problems()
  const failed = (): LoadFailure => ({ errors: inOrder(problems.errors) })
  const cwd = resolve(options.cwd ?? process.cwd())
  const environment = new Map<string, string>()
  for (const [name, value] of Object.entries(options.env ?? process.env))
    if (value !== undefined) environment.set(name, value)

  const given = givenFiles(options, environment, cwd)
  const start = resolve(cwd, options.projectDirectory ?? '.')
  const paths = given.length > 0 ? given : findFiles(start)
  if (paths.length === 0) {
    const message = `there is no compose.yaml in ${start} or a folder above it`
    problems.error({ path: [] }, message, 'Name a file with -f.')
    return failed()
  }
  const first = paths.find((path) => path !== '-')
  const ofFiles = first === undefined ? cwd : dirname(first)
  const projectDirectory = options.projectDirectory === undefined ? ofFiles : start
  const input: ProjectInput = { options, cwd, projectDirectory, environment, problems }
  await readEnvFiles(input)
  const sources = await openFiles(paths, input)
  if (problems.errors.length > 0) return failed()

  const reading: Reading = {
    problems,
    schema: composeValidator,
    cwd,
    interpolate: options.interpolate !== false,
    sources: new Map(),
    parsed: new Map(),
    included: 0,
  }
  const name = findProjectName(sources, input, reading)
  if (name !== undefined) environment.set('COMPOSE_PROJECT_NAME', name)
  const scope = {
    reading,
    directory: projectDirectory,
    environment,
    chain: [],
    families: new Map(),
  }
  const merged = await readFiles(sources, scope)
  if (problems.isIncomplete) return failed()
  if (merged?.kind !== 'map' || merged.entries.size === 0) {
    if (problems.errors.length === 0)
      for (const source of sources)
        problems.error({ path: [], where: { source, start: 0, end: 1 } }, 'the file is empty')
    return failed()
  }
  if (name === undefined) return failed()
  const tree = finish(merged, name, input)
  return { name, tree, environment, projectDirectory, profiles: activeProfiles(input), problems }
}

/** Everything that happens once, after all files are one. */
const finish = (merged: MapNode, name: string, input: ProjectInput): Node => {
  const { options, problems, environment, projectDirectory } = input
  const version = merged.entries.get('version')
  if (version) {
    const spot = { path: ['version'], where: version.key ?? version.value }
    problems.warn(spot, '"version" is obsolete and ignored', 'Remove it.')
  }
  let tree: Node = withDefaults(withKey(merged, 'version', undefined))
  problems.settle()
  tree = composeValidator.check(tree, 'whole', problems) ?? map(new Map())
  problems.settle()
  checkTree(tree, problems, options.interpolate === false)
  if (options.resolvePaths !== false) tree = resolvePaths(tree, projectDirectory)
  tree = resolveEnvironment(tree, environment)
  return options.normalize === false ? tree : normalize(tree, name, environment)
}
