import type { ModelPath } from './model.ts'
import {
  describe,
  get,
  isNull,
  list,
  map,
  mapItems,
  mapValues,
  toPlain,
  type Entry,
  type MapNode,
  type Node,
} from './node.ts'
import { patternTable } from './patterns.ts'
import type { Problems } from './problems.ts'
import { unique, uniqueHere } from './unique.ts'

/** One merge, while it goes on. */
export interface Merging {
  problems: Problems
  /** Where in the project the two nodes are. */
  path: ModelPath
  /**
   * Keep `!reset` and `!override` marks in the result, because it will be merged onto another file
   * itself. Without, they have done their work and go.
   */
  keepTags: boolean
}

type Rule = (base: Node, over: Node, merging: Merging) => Node

/**
 * Lays one canonical node over another: maps key by key, lists one after the other (then made
 * unique, each by its own key), everything else replaced; and the exceptions in RULES. Undefined if
 * nothing is left.
 */
export const merge = (base: Node | undefined, over: Node, merging: Merging): Node | undefined => {
  const { path, keepTags } = merging
  if (over.tag === 'reset') return keepTags ? over : undefined
  if (!base || base.tag === 'reset' || over.tag === 'override') {
    const clean = keepTags ? over : withoutTags(over)
    return clean && unique(clean, path)
  }
  const rule = ruleAt(path)
  if (!rule && isNull(over)) return base
  return uniqueHere((rule ?? byKind)(base, over, merging), path)
}

const byKind: Rule = (base, over, merging) => {
  if (base.kind === 'map' && over.kind === 'map') return mergeMaps(base, over, merging)
  if (base.kind === 'list' && over.kind === 'list')
    return { ...list([...base.items, ...over.items], over.at), tag: over.tag }
  if (base.kind !== 'scalar' && over.kind !== base.kind) {
    const message = `this is ${describe(over)}, but ${describe(base)} in the file it is merged with`
    merging.problems.error({ path: merging.path, where: over }, message)
    return base
  }
  return over
}

const mergeMaps = (base: MapNode, over: MapNode, merging: Merging): MapNode => {
  const entries = new Map<string, Entry>(base.entries)
  for (const [key, entry] of over.entries) {
    const below = base.entries.get(key)
    const inside = { ...merging, path: [...merging.path, key] }
    const value = merge(below?.value, entry.value, inside)
    if (!value) entries.delete(key)
    // Where the later file said nothing new, the earlier one is still the place to look at.
    else entries.set(key, value === below?.value ? below : { ...entry, value })
  }
  return { ...map(entries, over.at ?? base.at), tag: over.tag }
}

const replace: Rule = (_base, over) => over

/** Options belong to a driver: another driver, other options. */
const logging: Rule = (base, over, merging) => {
  const [before, now] = [get(base, 'driver'), get(over, 'driver')]
  const other = before && now && toPlain(before) !== toPlain(now)
  return other ? over : byKind(base, over, merging)
}

const ulimit: Rule = (base, over, merging) =>
  base.kind === 'map' && over.kind === 'map' ? mergeMaps(base, over, merging) : over

/** Address pools are the same if their subnets are. */
const ipamConfig: Rule = (base, over, merging) => {
  if (base.kind !== 'list' || over.kind !== 'list') return byKind(base, over, merging)
  const subnet = (node: Node): string => JSON.stringify(toPlain(get(node, 'subnet') ?? list([])))
  const pools = [...base.items]
  for (const item of over.items) {
    const index = pools.findIndex((pool) => subnet(pool) === subnet(item))
    const pool = pools[index]
    if (!pool) pools.push(item)
    else if (pool.kind === 'map' && item.kind === 'map')
      pools[index] = mergeMaps(pool, item, { ...merging, path: [...merging.path, index] })
  }
  return list(pools, over.at)
}

/** Lists whose items a schema wants unique, and of which none has a key. */
const appendNew: Rule = (base, over, merging) => {
  if (base.kind !== 'list' || over.kind !== 'list') return byKind(base, over, merging)
  const known = new Set(base.items.map((item) => JSON.stringify(toPlain(item))))
  const added = over.items.filter((item) => !known.has(JSON.stringify(toPlain(item))))
  return list([...base.items, ...added], over.at)
}

const ruleAt = patternTable<Rule>({
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
})

/** The tree without what is marked `!reset`, and without marks. */
export const withoutTags = (node: Node): Node | undefined => {
  if (node.tag === 'reset') return undefined
  const bare: Node = node.tag ? { ...node, tag: undefined } : node
  if (bare.kind === 'map') return mapValues(bare, withoutTags)
  if (bare.kind === 'list') return mapItems(bare, withoutTags)
  return bare
}
