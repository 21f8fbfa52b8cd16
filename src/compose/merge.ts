import type { ModelPath } from './model.ts'
import {
  describe,
  get,
  isNull,
  list,
  map,
  mapItems,
  mapValues,
  textOf,
  toPlain,
  type Entry,
  type ListNode,
  type MapNode,
  type Node,
} from './node.ts'
import type { Problems } from './problems.ts'

export interface MergeOptions {
  problems: Problems
  /**
   * Keep `!reset` and `!override` marks in the result, because it will be merged onto another file
   * itself. Without, they have done their work and go.
   */
  keepTags?: boolean
}

type Rule = (base: Node, over: Node, path: ModelPath, options: MergeOptions) => Node

/**
 * Lays one canonical file over another: maps key by key, lists one after the other (then made
 * unique, each by its own key), everything else replaced; and the exceptions in RULES.
 */
export const merge = (
  base: Node | undefined,
  over: Node,
  options: MergeOptions,
): Node | undefined => mergeAt(base, over, [], options)

/** The same for a part of a file: a service that extends another. */
export const mergeAt = (
  base: Node | undefined,
  over: Node,
  path: ModelPath,
  options: MergeOptions,
): Node | undefined => {
  if (over.tag === 'reset') return options.keepTags ? over : undefined
  if (!base || base.tag === 'reset' || over.tag === 'override') {
    const clean = options.keepTags ? over : withoutTags(over)
    return clean && unique(clean, path)
  }
  const rule = ruleAt(path)
  if (rule) return uniqueHere(rule(base, over, path, options), path)
  if (isNull(over)) return base
  return uniqueHere(byKind(base, over, path, options), path)
}

const byKind: Rule = (base, over, path, options) => {
  if (base.kind === 'map' && over.kind === 'map') return mergeMaps(base, over, path, options)
  if (base.kind === 'list' && over.kind === 'list')
    return { ...list([...base.items, ...over.items], over.at), tag: over.tag }
  if (base.kind !== 'scalar' && over.kind !== base.kind) {
    const message = `this is ${describe(over)}, but ${describe(base)} in the file it is merged with`
    options.problems.error(path, message, over)
    return base
  }
  return over
}

const mergeMaps = (
  base: MapNode,
  over: MapNode,
  path: ModelPath,
  options: MergeOptions,
): MapNode => {
  const entries = new Map<string, Entry>(base.entries)
  for (const [key, entry] of over.entries) {
    const below = base.entries.get(key)
    const value = mergeAt(below?.value, entry.value, [...path, key], options)
    if (!value) entries.delete(key)
    // Where the later file said nothing new, the earlier one is still the place to look at.
    else entries.set(key, value === below?.value ? below : { ...entry, value })
  }
  return { ...map(entries, over.at ?? base.at), tag: over.tag }
}

const replace: Rule = (_base, over) => over

/** Options belong to a driver: another driver, other options. */
const logging: Rule = (base, over, path, options) => {
  if (base.kind !== 'map' || over.kind !== 'map') return byKind(base, over, path, options)
  const [before, now] = [get(base, 'driver'), get(over, 'driver')]
  const other = before && now && toPlain(before) !== toPlain(now)
  return other ? over : mergeMaps(base, over, path, options)
}

const ulimit: Rule = (base, over, path, options) =>
  base.kind === 'map' && over.kind === 'map' ? mergeMaps(base, over, path, options) : over

/** Address pools are the same if their subnets are. */
const ipamConfig: Rule = (base, over, path, options) => {
  if (base.kind !== 'list' || over.kind !== 'list') return byKind(base, over, path, options)
  const subnet = (node: Node): string => JSON.stringify(toPlain(get(node, 'subnet') ?? list([])))
  const pools = [...base.items]
  for (const item of over.items) {
    const index = pools.findIndex((pool) => subnet(pool) === subnet(item))
    const pool = pools[index]
    if (!pool) pools.push(item)
    else if (pool.kind === 'map' && item.kind === 'map')
      pools[index] = mergeMaps(pool, item, [...path, index], options)
  }
  return list(pools, over.at)
}

/** Lists whose items a schema wants unique, and of which none has a key. */
const appendNew: Rule = (base, over, path, options) => {
  if (base.kind !== 'list' || over.kind !== 'list') return byKind(base, over, path, options)
  const known = new Set(base.items.map((item) => JSON.stringify(toPlain(item))))
  const added = over.items.filter((item) => !known.has(JSON.stringify(toPlain(item))))
  return list([...base.items, ...added], over.at)
}

const RULES: Record<string, Rule> = {
  'services.*.command': replace,
  'services.*.entrypoint': replace,
  'services.*.healthcheck.test': replace,
  'services.*.logging': logging,
  'services.*.ulimits.*': ulimit,
  'services.*.build.ulimits.*': ulimit,
  'services.*.security_opt': appendNew,
  'services.*.group_add': appendNew,
  'services.*.volumes_from': appendNew,
  'services.*.external_links': appendNew,
  'services.*.device_cgroup_rules': appendNew,
  'networks.*.ipam.config': ipamConfig,
}

type KeyOf = (item: Node) => string

const byText: KeyOf = (item) =>
  item.kind === 'scalar' ? textOf(item) : JSON.stringify(toPlain(item))

const byName: KeyOf = (item) => byText(item).split('=', 1)[0] ?? ''

const byField =
  (key: string): KeyOf =>
  (item) => {
    const field = get(item, key)
    return field?.kind === 'scalar' ? textOf(field) : byText(item)
  }

/** Configs and secrets: by where they are mounted. */
const byTarget =
  (folder: string): KeyOf =>
  (item) => {
    const [target, source] = [get(item, 'target'), get(item, 'source')]
    if (target?.kind === 'scalar') return textOf(target)
    return source?.kind === 'scalar' ? `${folder}/${textOf(source)}` : byText(item)
  }

const byPort: KeyOf = (item) => {
  if (item.kind !== 'map') return byText(item)
  const part = (key: string, otherwise: string): string => {
    const value = get(item, key)
    return value?.kind === 'scalar' ? textOf(value) : otherwise
  }
  return [
    part('host_ip', '0.0.0.0'),
    part('published', ''),
    part('target', ''),
    part('protocol', 'tcp'),
  ].join('/')
}

/** Lists that hold one item for a key; the last one wins, in the place of the first. */
const UNIQUE: Record<string, KeyOf> = {
  'services.*.build.tags': byName,
  'services.*.cap_add': byName,
  'services.*.cap_drop': byName,
  'services.*.configs': byTarget(''),
  'services.*.devices': byField('target'),
  'services.*.dns': byName,
  'services.*.dns_opt': byName,
  'services.*.dns_search': byName,
  'services.*.env_file': byField('path'),
  'services.*.expose': byText,
  'services.*.extra_hosts': byText,
  'services.*.build.extra_hosts': byText,
  'services.*.label_file': byText,
  'services.*.links': byName,
  'services.*.networks.*.aliases': byName,
  'services.*.networks.*.link_local_ips': byName,
  'services.*.ports': byPort,
  'services.*.profiles': byName,
  'services.*.secrets': byTarget('/run/secrets'),
  'services.*.tmpfs': byName,
  'services.*.volumes': byField('target'),
}

const lookUp = <T>(table: Record<string, T>): ((path: ModelPath) => T | undefined) => {
  const patterns = Object.entries(table).map(([text, value]) => ({ parts: text.split('.'), value }))
  return (path) =>
    patterns.find(
      ({ parts }) =>
        parts.length === path.length &&
        parts.every((part, index) => part === '*' || part === path[index]),
    )?.value
}

const ruleAt = lookUp(RULES)
const keyAt = lookUp(UNIQUE)

const uniqueHere = (node: Node, path: ModelPath): Node => {
  const keyOf = node.kind === 'list' ? keyAt(path) : undefined
  return node.kind === 'list' && keyOf ? uniqueItems(node, keyOf) : node
}

/** Makes the lists in a whole tree unique. */
const unique = (node: Node, path: ModelPath): Node => {
  if (node.kind === 'map') {
    // Only the lists that a table names can change, and those are nowhere near as deep as this.
    if (path.length >= 5 || (path.length > 0 && path[0] !== 'services')) return node
    return mapValues(node, (value, key) => unique(value, [...path, key]))
  }
  return uniqueHere(node, path)
}

const uniqueItems = (node: ListNode, keyOf: KeyOf): ListNode => {
  const byKey = new Map<string, Node>()
  for (const item of node.items) byKey.set(keyOf(item), item)
  return byKey.size === node.items.length ? node : { ...node, items: [...byKey.values()] }
}

/** The tree without what is marked `!reset`, and without marks. */
export const withoutTags = (node: Node): Node | undefined => {
  if (node.tag === 'reset') return undefined
  const { tag, ...rest } = node
  const bare: Node = tag ? rest : node
  if (bare.kind === 'map') return mapValues(bare, withoutTags)
  if (bare.kind === 'list') return mapItems(bare, withoutTags)
  return bare
}
