import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { withDefaults } from './defaults.ts'
import { parseEnvFile } from './dotenv.ts'
import { displayName, readSource } from './files.ts'
import { merge } from './merge.ts'
import type { ModelPath } from './model.ts'
import { get, isNull, map, stringOf, withKey, type Entry, type MapNode, type Node } from './node.ts'
import type { Problems } from './problems.ts'
import { openFile, REMOTE, REMOTE_HINT, type Scope } from './reading.ts'
import { resolveEnvironment } from './resolve-environment.ts'
import { isRemoteFile, resolvePaths } from './resolve-paths.ts'
import type { SourceFile } from './source.ts'

/** The file that includes, and how files are read (which includes including). */
export interface Includer {
  source: SourceFile
  scope: Scope
  readFiles: (files: readonly SourceFile[], scope: Scope) => Promise<Node | undefined>
}

/** More than anyone needs; files that include each other twice at every level reach it at once. */
const MAX_INCLUDES = 1000

/** Adds to a document what it includes. */
export const applyIncludes = async (document: Node, includer: Includer): Promise<Node> => {
  const includes = get(document, 'include')
  if (document.kind !== 'map' || includes?.kind !== 'list') return document
  let result = withKey(document, 'include', undefined)
  for (const [index, item] of includes.items.entries()) {
    const included = await readInclude(item, ['include', index], includer)
    const { problems } = includer.scope.reading
    if (included) result = importResources(included, result, problems)
    else problems.markIncomplete()
  }
  return result
}

/** One included project: a file, or several that are merged first. */
const readInclude = async (
  item: Node,
  path: ModelPath,
  { source, scope, readFiles }: Includer,
): Promise<Node | undefined> => {
  const { reading } = scope
  const { problems, cwd } = reading
  const paths = itemsOf(get(item, 'path'))
  if (paths.length === 0) {
    problems.error({ path, where: item }, '"path" is missing')
    return undefined
  }
  reading.included += 1
  if (reading.included > MAX_INCLUDES) {
    problems.error({ path, where: item }, `more than ${MAX_INCLUDES} files are included`)
    return undefined
  }
  const remote = paths.find((node) => isRemoteFile(stringOf(node) ?? ''))
  if (remote) {
    problems.error({ path, where: remote }, REMOTE, REMOTE_HINT)
    return undefined
  }
  const files = paths.map((node) => ({
    node,
    path: resolve(scope.directory, stringOf(node) ?? ''),
  }))
  const main = files[0]?.path ?? ''
  const chain = [...scope.chain, source.path]
  if (chain.includes(main)) {
    const circle = [...chain.slice(chain.indexOf(main)), main].map((file) => displayName(file, cwd))
    const message = `files include each other in a circle: ${circle.join(' -> ')}`
    problems.error({ path, where: item }, message)
    return undefined
  }
  const given = stringOf(get(item, 'project_directory'))
  const directory = given === undefined ? dirname(main) : resolve(scope.directory, given)
  const environment = await includeEnvironment(item, directory, { path, scope })
  const sources: SourceFile[] = []
  for (const file of files) {
    const opened = await openFile(file.path, { path, where: file.node }, reading)
    if (!opened) return undefined
    sources.push(opened)
  }
  const included = await readFiles(sources, {
    reading,
    directory,
    environment,
    chain,
    families: new Map(),
  })
  if (!included) return undefined
  const folder =
    given !== undefined && isAbsolute(given) ? given : relative(scope.directory, directory)
  return resolveEnvironment(resolvePaths(withDefaults(included), folder), environment)
}

/** The includer's variables, then those of the included project's own env files. */
const includeEnvironment = async (
  item: Node,
  directory: string,
  { path, scope }: { path: ModelPath; scope: Scope },
): Promise<ReadonlyMap<string, string>> => {
  const { reading, environment } = scope
  const given = get(item, 'env_file')
  const values = new Map<string, string>()
  const lookup = (name: string): string | undefined => environment.get(name) ?? values.get(name)
  const read = (source: SourceFile): void => {
    for (const [name, value] of parseEnvFile(source, lookup, reading.problems))
      values.set(name, value)
  }
  if (!given) {
    const file = join(directory, '.env')
    const result = await readSource(file, displayName(file, reading.cwd))
    if (!('wrong' in result)) read(result)
  }
  for (const node of itemsOf(given)) {
    const name = stringOf(node)
    if (name === undefined || name === '/dev/null') continue
    const spot = { path: [...path, 'env_file'], where: node }
    const source = await openFile(resolve(scope.directory, name), spot, reading)
    if (source) read(source)
  }
  return new Map([...values, ...environment])
}

const itemsOf = (node: Node | undefined): readonly Node[] =>
  node?.kind === 'list' ? node.items : node && !isNull(node) ? [node] : []

const KINDS = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models']

/** Adds what an included file declares; what the including file says of the same name goes over it. */
const importResources = (included: Node, into: MapNode, problems: Problems): MapNode => {
  let result = into
  for (const kind of KINDS) {
    const from = get(included, kind)
    if (from?.kind !== 'map') continue
    const own = get(result, kind)
    const entries = new Map<string, Entry>(own?.kind === 'map' ? own.entries : [])
    for (const [name, entry] of from.entries) {
      const existing = entries.get(name)
      const value = existing
        ? merge(entry.value, existing.value, { problems, path: [kind, name], keepTags: true })
        : entry.value
      if (value) entries.set(name, { ...(existing ?? entry), value })
    }
    result = withKey(result, kind, map(entries, own?.at))
  }
  return result
}
