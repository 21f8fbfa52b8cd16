import type { Span } from './source.ts'

/**
 * The tree that every step of loading works on: YAML data in which each value still knows where it
 * was written. Nodes are never changed after they were made, so steps may share them.
 */
export type Node = ScalarNode | ListNode | MapNode

/** `!reset` takes a value away from the files before, `!override` replaces it whole. */
export type MergeTag = 'reset' | 'override'

interface Placed {
  at?: Span | undefined
  tag?: MergeTag | undefined
}

export interface ScalarNode extends Placed {
  kind: 'scalar'
  value: string | number | bigint | boolean | null
  /** How it reads where text is wanted, if that is not plainly the value: floats, dates. */
  print?: string
}

export interface ListNode extends Placed {
  kind: 'list'
  items: readonly Node[]
}

export interface MapNode extends Placed {
  kind: 'map'
  entries: ReadonlyMap<string, Entry>
}

export interface Entry {
  key?: Span | undefined
  value: Node
}

export const scalar = (value: ScalarNode['value'], at?: Span): ScalarNode => ({
  kind: 'scalar',
  value,
  at,
})

export const list = (items: readonly Node[], at?: Span): ListNode => ({ kind: 'list', items, at })

export const map = (entries: ReadonlyMap<string, Entry>, at?: Span): MapNode => ({
  kind: 'map',
  entries,
  at,
})

/** A map of values that were not written as they are, placed where their origin is. */
export const mapOf = (values: Record<string, Node | undefined>, at?: Span): MapNode => {
  const entries = new Map<string, Entry>()
  for (const [key, value] of Object.entries(values)) if (value) entries.set(key, { value })
  return map(entries, at)
}

/** The value of a key, if the node is a map that has it. */
export const get = (node: Node | undefined, key: string): Node | undefined =>
  node?.kind === 'map' ? node.entries.get(key)?.value : undefined

/** The same map with one key set (in its old place) or, with undefined, taken away. */
export const withKey = (node: MapNode, key: string, value: Node | undefined): MapNode => {
  const entries = new Map(node.entries)
  if (value) entries.set(key, { ...entries.get(key), value })
  else entries.delete(key)
  return { ...node, entries }
}

/** The same map with every value replaced; undefined takes the key away. */
export const mapValues = (
  node: MapNode,
  change: (value: Node, key: string) => Node | undefined,
): MapNode => {
  // Most maps stay as they are: copy only when one changes.
  let entries: Map<string, Entry> | undefined
  // Half of the time of a loop over pairs, before it is compiled; this is called for every map, often.
  node.entries.forEach((entry, key) => {
    const value = change(entry.value, key)
    if (value === entry.value) return
    entries ??= new Map(node.entries)
    if (value) entries.set(key, { ...entry, value })
    else entries.delete(key)
  })
  return entries ? { ...node, entries } : node
}

/** The same list with every item replaced; undefined takes the item away. */
export const mapItems = (
  node: ListNode,
  change: (item: Node, index: number) => Node | undefined,
): ListNode => {
  let items: Node[] | undefined
  for (let index = 0; index < node.items.length; index += 1) {
    const item = node.items[index]
    if (!item) continue
    const value = change(item, index)
    if (value !== item) items ??= node.items.slice(0, index)
    if (value) items?.push(value)
  }
  return items ? { ...node, items } : node
}

export const isNull = (node: Node | undefined): boolean =>
  node?.kind === 'scalar' && node.value === null

/** The text of a string; undefined for everything else. */
export const stringOf = (node: Node | undefined): string | undefined =>
  node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined

/** A scalar as text, the way Go prints it; null is the empty text. */
export const textOf = (node: ScalarNode): string =>
  node.print ?? (node.value === null ? '' : String(node.value))

/** Plain data, without positions. Integers beyond 2^53 become text so that no digit is lost. */
export const toPlain = (node: Node): unknown => {
  if (node.kind === 'list') return node.items.map(toPlain)
  if (node.kind === 'scalar')
    return typeof node.value === 'bigint' ? String(node.value) : node.value
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, toPlain(value)]))
}

/** What a value is, in words: `a list`, `the text "x"`. */
export const describe = (node: Node): string => {
  if (node.kind === 'list') return node.items.length === 0 ? 'an empty list' : 'a list'
  if (node.kind === 'map') return node.entries.size === 0 ? 'an empty map' : 'a map'
  if (node.value === null) return 'nothing'
  if (typeof node.value === 'string') return JSON.stringify(shorten(node.value))
  return textOf(node)
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text)
