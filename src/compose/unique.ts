import type { ModelPath } from './model.ts'
import { get, mapValues, textOf, toPlain, type ListNode, type Node } from './node.ts'
import { patternTable } from './patterns.ts'

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
const keyAt = patternTable<KeyOf>({
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
})

/** The deepest of these paths. */
const MAX_DEPTH = 5

/** Makes one list unique, if it is one of those that should be. */
export const uniqueHere = (node: Node, path: ModelPath): Node => {
  const keyOf = node.kind === 'list' ? keyAt(path) : undefined
  return node.kind === 'list' && keyOf ? uniqueItems(node, keyOf) : node
}

/** Makes the lists in a whole tree unique. */
export const unique = (node: Node, path: ModelPath): Node => {
  if (node.kind !== 'map') return uniqueHere(node, path)
  if (path.length >= MAX_DEPTH || (path.length > 0 && path[0] !== 'services')) return node
  return mapValues(node, (value, key) => unique(value, [...path, key]))
}

const uniqueItems = (node: ListNode, keyOf: KeyOf): ListNode => {
  const byKey = new Map<string, Node>()
  for (const item of node.items) byKey.set(keyOf(item), item)
  return byKey.size === node.items.length ? node : { ...node, items: [...byKey.values()] }
}
