import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { canonical } from './canonical.ts'
import { withDefaults } from './defaults.ts'
import { parseEnvFile } from './dotenv.ts'
import { displayName, readSource, type ReadResult } from './files.ts'
import { interpolate } from './interpolate.ts'
import { merge, mergeAt, withoutTags } from './merge.ts'
import type { ModelPath } from './model.ts'
import {
  describe,
  get,
  isNull,
  map,
  mapValues,
  scalar,
  stringOf,
  withKey,
  type Entry,
  type MapNode,
  type Node,
} from './node.ts'
import { parseYaml } from './parse.ts'
import type { Problems } from './problems.ts'
import { isRemoteFile, resolvePaths } from './resolve-paths.ts'
import type { SchemaValidator } from './schema.ts'
import { projectShape } from './shapes.ts'
import type { SourceFile } from './source.ts'
import { didYouMean } from './suggest.ts'

/** What all files of one project share while they are read. */
export interface Reading {
  problems: Problems
  schema: SchemaValidator
  /** Where people stand: names of files are shown relative to it. */
  cwd: string
  interpolate: boolean
  /** Files already read, by path: one that is extended often is parsed once. */
  sources: Map<string, Promise<ReadResult>>
  parsed: Map<SourceFile, readonly Node[]>
}

/** A file and the files around it. */
export interface Scope {
  /** Where relative paths start, absolute. */
  directory: string
  environment: ReadonlyMap<string, string>
  /** The files that included this one, outermost first. */
  chain: readonly string[]
}

/** Reads files and lays them over each other, the first one lowest. */
export const readFiles = async (
  files: readonly SourceFile[],
  scope: Scope,
  reading: Reading,
): Promise<Node | undefined> => {
  let merged: Node | undefined
  for (const source of files) {
    for (const document of readDocuments(source, scope, reading)) {
      const extended = await applyExtends(document, source, scope, reading)
      const complete = await applyIncludes(extended, source, scope, reading)
      merged = merge(merged, complete, { problems: reading.problems })
    }
  }
  return merged
}

/** The documents of a file as they are written; it is parsed once, its problems are told once. */
export const parsedDocuments = (source: SourceFile, reading: Reading): readonly Node[] => {
  const known = reading.parsed.get(source) ?? parseYaml(source, reading.problems)
  reading.parsed.set(source, known)
  return known
}

/** The documents of a file in canonical form; what is wrong in them is reported and left out. */
const readDocuments = (source: SourceFile, scope: Scope, reading: Reading): Node[] => {
  const { problems } = reading
  const lookup = (name: string): string | undefined => scope.environment.get(name)
  return parsedDocuments(source, reading).flatMap((document) => {
    if (isNull(document)) return []
    if (document.kind !== 'map') {
      problems.error([], `expected a map with "services:", got ${describe(document)}`, document)
      return []
    }
    const filled = reading.interpolate
      ? interpolate(document, projectShape, lookup, problems)
      : document
    const valid = filled && reading.schema.check(filled, 'part', problems).node
    return valid ? [canonical(valid, { problems, lenient: !reading.interpolate })] : []
  })
}

/** A path that a file names, with what can be said against it already. */
const openFile = async (
  path: string,
  reading: Reading,
  where: Node,
  at: ModelPath,
): Promise<SourceFile | undefined> => {
  const known = reading.sources.get(path) ?? readSource(path, displayName(path, reading.cwd))
  reading.sources.set(path, known)
  const result = await known
  if (!('wrong' in result)) return result
  reading.problems.error(at, result.wrong, where)
  return undefined
}

// ---------------------------------------------------------------------------------- extends

interface Extension {
  name: string
  file: string
}

const applyExtends = async (
  document: Node,
  source: SourceFile,
  scope: Scope,
  reading: Reading,
): Promise<Node> => {
  const services = get(document, 'services')
  if (document.kind !== 'map' || services?.kind !== 'map') return document
  const entries = new Map<string, Entry>()
  for (const [name, entry] of services.entries) {
    const value = await extendService(name, services, source, scope, reading, [])
    entries.set(name, { ...entry, value: value ?? entry.value })
  }
  return withKey(document, 'services', { ...services, entries })
}

/** One service with all that it inherits; undefined if that cannot be found out. */
const extendService = async (
  name: string,
  services: MapNode,
  source: SourceFile,
  scope: Scope,
  reading: Reading,
  chain: readonly Extension[],
): Promise<Node | undefined> => {
  const { problems } = reading
  const service = services.entries.get(name)?.value
  const extension = get(service, 'extends')
  if (service?.kind !== 'map' || !extension || extension.tag === 'reset') return service
  const bare = withKey(service, 'extends', undefined)
  const baseName = stringOf(get(extension, 'service'))
  const fileNode = get(extension, 'file')
  const file = stringOf(fileNode)
  const path: ModelPath = ['services', name, 'extends']
  if (baseName === undefined) {
    if (extension.kind === 'map') problems.error(path, '"service" is missing', extension)
    return bare
  }
  if (chain.some((link) => link.name === name && link.file === source.path)) {
    const links = [...chain, { name, file: source.path }].map((link) => `"${link.name}"`)
    problems.error(path, `services extend each other in a circle: ${links.join(' -> ')}`, extension)
    return bare
  }
  const next = [...chain, { name, file: source.path }]
  const place = get(extension, 'service') ?? extension
  let from = services
  let origin = source
  if (file !== undefined) {
    const found = await extendedFile(file, fileNode ?? extension, path, scope, reading)
    if (!found) return bare
    from = found.services
    origin = found.source
  }
  if (!from.entries.has(baseName)) {
    const where = file === undefined ? 'in this file' : `in ${origin.name}`
    const hint = didYouMean(baseName, from.entries.keys())
    problems.error([...path, 'service'], `there is no service "${baseName}" ${where}`, place, hint)
    return bare
  }
  const base = await extendService(baseName, from, origin, scope, reading, next)
  const clean = base && withoutTags(base)
  if (!clean) return bare
  return mergeAt(clean, bare, ['services', name], { problems, keepTags: true })
}

/** The services of another file, with paths as seen from the project's folder. */
const extendedFile = async (
  file: string,
  where: Node,
  path: ModelPath,
  scope: Scope,
  reading: Reading,
): Promise<{ services: MapNode; source: SourceFile } | undefined> => {
  const place = [...path, 'file']
  if (isRemoteFile(file)) {
    reading.problems.error(place, REMOTE, where, REMOTE_HINT)
    return undefined
  }
  const absolute = resolve(scope.directory, file)
  const source = await openFile(absolute, reading, where, place)
  if (!source) return undefined
  const folder = relative(scope.directory, dirname(absolute))
  let merged: Node | undefined
  for (const document of readDocuments(source, scope, reading))
    merged = merge(merged, document, { problems: reading.problems })
  const services = merged && get(resolvePaths(merged, folder), 'services')
  if (services?.kind === 'map') return { services, source }
  reading.problems.error(place, `${source.name} has no services`, where)
  return undefined
}

const REMOTE = 'files from git, OCI or the web are not fetched'
const REMOTE_HINT = 'Fetch it yourself and name the local file.'

// ---------------------------------------------------------------------------------- include

const applyIncludes = async (
  document: Node,
  source: SourceFile,
  scope: Scope,
  reading: Reading,
): Promise<Node> => {
  const includes = get(document, 'include')
  if (document.kind !== 'map' || includes?.kind !== 'list') return document
  let result = withKey(document, 'include', undefined)
  for (const [index, item] of includes.items.entries()) {
    const included = await readInclude(item, ['include', index], source, scope, reading)
    if (included) result = importResources(included, result, reading.problems)
  }
  return result
}

const readInclude = async (
  item: Node,
  path: ModelPath,
  source: SourceFile,
  scope: Scope,
  reading: Reading,
): Promise<Node | undefined> => {
  const { problems } = reading
  const paths = itemsOf(get(item, 'path'))
  if (paths.length === 0) {
    problems.error(path, '"path" is missing', item)
    return undefined
  }
  const remote = paths.find((node) => isRemoteFile(stringOf(node) ?? ''))
  if (remote) {
    problems.error(path, REMOTE, remote, REMOTE_HINT)
    return undefined
  }
  const files = paths.map((node) => resolve(scope.directory, stringOf(node) ?? ''))
  const [main = ''] = files
  const chain = [...scope.chain, source.path]
  if (chain.includes(main)) {
    const names = [...chain.slice(chain.indexOf(main)), main].map((f) =>
      displayName(f, reading.cwd),
    )
    problems.error(path, `files include each other in a circle: ${names.join(' -> ')}`, item)
    return undefined
  }
  const given = stringOf(get(item, 'project_directory'))
  const directory = given === undefined ? dirname(main) : resolve(scope.directory, given)
  const folder =
    given !== undefined && isAbsolute(given) ? given : relative(scope.directory, directory)
  const environment = await includeEnvironment(item, path, directory, scope, reading)
  const sources: SourceFile[] = []
  for (const [index, file] of files.entries()) {
    const opened = await openFile(file, reading, paths[index] ?? item, path)
    if (!opened) return undefined
    sources.push(opened)
  }
  const included = await readFiles(sources, { directory, environment, chain }, reading)
  if (!included) return undefined
  return resolveEnvironment(resolvePaths(withDefaults(included), folder), environment)
}

/** The includer's variables, then those of the included project's own env files. */
const includeEnvironment = async (
  item: Node,
  path: ModelPath,
  directory: string,
  scope: Scope,
  reading: Reading,
): Promise<ReadonlyMap<string, string>> => {
  const given = get(item, 'env_file')
  const values = new Map<string, string>()
  const lookup = (name: string): string | undefined =>
    scope.environment.get(name) ?? values.get(name)
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
    const source = await openFile(resolve(scope.directory, name), reading, node, [
      ...path,
      'env_file',
    ])
    if (source) read(source)
  }
  return new Map([...values, ...scope.environment])
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
      if (!existing) entries.set(name, entry)
      else {
        const value = mergeAt(entry.value, existing.value, [kind, name], {
          problems,
          keepTags: true,
        })
        if (value) entries.set(name, { ...existing, value })
      }
    }
    result = withKey(result, kind, map(entries, own?.at))
  }
  return result
}

/** Where `configs` and `secrets` keep the value of their variable; an `x-` key may be anywhere. */
export const CONTENT_KEY = 'x-#content'

/**
 * Gives the variables that are named without a value the value of their file's environment, and
 * configs and secrets from a variable its content.
 */
export const resolveEnvironment = (node: Node, environment: ReadonlyMap<string, string>): Node => {
  if (node.kind !== 'map') return node
  const variables = (value: Node): Node =>
    value.kind === 'map'
      ? mapValues(value, (item, name) => {
          const found = isNull(item) ? environment.get(name) : undefined
          return found === undefined ? item : scalar(found, item.at)
        })
      : value
  const content = (value: Node): Node => {
    const name = stringOf(get(value, 'environment'))
    const found = name === undefined ? undefined : environment.get(name)
    if (value.kind !== 'map' || found === undefined || value.entries.has(CONTENT_KEY)) return value
    return withKey(value, CONTENT_KEY, scalar(found, get(value, 'environment')?.at))
  }
  return mapValues(node, (value, kind) => {
    if (value.kind !== 'map') return value
    if (kind === 'configs' || kind === 'secrets') return mapValues(value, content)
    if (kind !== 'services') return value
    return mapValues(value, (service) => {
      const own = get(service, 'environment')
      return service.kind === 'map' && own
        ? withKey(service, 'environment', variables(own))
        : service
    })
  })
}
