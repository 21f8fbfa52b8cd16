import { dirname, relative, resolve } from 'node:path'
import { readDocuments } from './documents.ts'
import { merge, withoutTags } from './merge.ts'
import type { ModelPath } from './model.ts'
import { get, stringOf, withKey, type Entry, type MapNode, type Node } from './node.ts'
import type { Spot } from './problems.ts'
import { openFile, REMOTE, REMOTE_HINT, type Scope } from './reading.ts'
import { isRemoteFile, resolvePaths } from './resolve-paths.ts'
import type { SourceFile } from './source.ts'
import { didYouMean } from './suggest.ts'

/** Services that have all they inherit already, by the map they are in. */
const extended = new WeakMap<MapNode, Map<string, Node>>()

/** The services of one file, among which a service looks for what it extends. */
interface Family {
  services: MapNode
  source: SourceFile
  scope: Scope
  /** The services that led here, by extending one another. */
  chain: readonly { name: string; source: SourceFile }[]
}

/** Gives every service of a document what it inherits. */
export const applyExtends = async (
  document: Node,
  source: SourceFile,
  scope: Scope,
): Promise<Node> => {
  const services = get(document, 'services')
  if (document.kind !== 'map' || services?.kind !== 'map') return document
  const entries = new Map<string, Entry>()
  for (const [name, entry] of services.entries) {
    const value = await extendService(name, { services, source, scope, chain: [] })
    entries.set(name, { ...entry, value: value ?? entry.value })
  }
  return withKey(document, 'services', { ...services, entries })
}

/** One service with all that it inherits. */
const extendService = async (name: string, family: Family): Promise<Node | undefined> => {
  const service = family.services.entries.get(name)?.value
  const extension = get(service, 'extends')
  if (service?.kind !== 'map' || !extension || extension.tag === 'reset') return service
  const known = extended.get(family.services) ?? new Map<string, Node>()
  extended.set(family.services, known)
  const done = known.get(name)
  if (done) return done
  const bare = withKey(service, 'extends', undefined)
  const base = await findBase(name, extension, family)
  const clean = base && withoutTags(base)
  const { problems } = family.scope.reading
  if (!clean) {
    problems.leaveOut(['services', name, 'extends'])
    return bare
  }
  const whole = merge(clean, bare, { problems, path: ['services', name], keepTags: true })
  if (whole) known.set(name, whole)
  return whole
}

/** The extended service; undefined (and reported) if there is none. */
const findBase = async (
  name: string,
  extension: Node,
  family: Family,
): Promise<Node | undefined> => {
  const { problems } = family.scope.reading
  const path: ModelPath = ['services', name, 'extends']
  const baseName = stringOf(get(extension, 'service'))
  if (baseName === undefined) {
    if (extension.kind === 'map') problems.error({ path, where: extension }, '"service" is missing')
    return undefined
  }
  const chain = [...family.chain, { name, source: family.source }]
  const start = family.chain.findIndex(
    (link) => link.name === name && link.source.path === family.source.path,
  )
  if (start !== -1) {
    const circle = chain.slice(start).map((link) => link.name)
    const words = circle.map((link) => `"${link}"`).join(' -> ')
    for (const link of circle) problems.leaveOut(['services', link, 'extends'])
    // Every service of a circle leads to it; it is told once.
    if (circle.every((link) => name <= link))
      problems.error({ path, where: extension }, `services extend each other in a circle: ${words}`)
    return undefined
  }
  const file = get(extension, 'file')
  const next = file ? await openFamily(file, [...path, 'file'], family.scope) : family
  if (!next) return undefined
  if (!next.services.entries.has(baseName)) {
    const spot = { path: [...path, 'service'], where: get(extension, 'service') }
    const where = file ? `in ${next.source.name}` : 'in this file'
    const hint = didYouMean(baseName, next.services.entries.keys())
    problems.error(spot, `there is no service "${baseName}" ${where}`, hint)
    return undefined
  }
  return extendService(baseName, { ...next, scope: family.scope, chain })
}

/** The services of another file, with paths as seen from the project's folder. */
const openFamily = async (
  file: Node,
  path: ModelPath,
  scope: Scope,
): Promise<{ services: MapNode; source: SourceFile } | undefined> => {
  const { reading, directory } = scope
  const spot: Spot = { path, where: file }
  const name = stringOf(file) ?? ''
  if (isRemoteFile(name)) {
    reading.problems.error(spot, REMOTE, REMOTE_HINT)
    return undefined
  }
  const absolute = resolve(directory, name)
  const known = scope.families.get(absolute)
  if (known) return known
  const source = await openFile(absolute, spot, reading)
  if (!source) return undefined
  let merged: Node | undefined
  for (const document of readDocuments(source, scope))
    merged = merge(merged, document, { problems: reading.problems, path: [], keepTags: false })
  const folder = relative(directory, dirname(absolute))
  const services = merged && get(resolvePaths(merged, folder), 'services')
  if (services?.kind === 'map') {
    scope.families.set(absolute, { services, source })
    return { services, source }
  }
  reading.problems.error(spot, `${source.name} has no services`)
  return undefined
}
