import type { ModelPath } from './model.ts'
import {
  isNull,
  list,
  map,
  mapItems,
  mapValues,
  scalar,
  textOf,
  type Entry,
  type Node,
} from './node.ts'
import type { Problems } from './problems.ts'
import type { Span } from './source.ts'

export interface TransformOptions {
  problems: Problems
  /** Texts may hold variables: what cannot be read is left as it is. */
  lenient: boolean
}

/** Rewrites the value at a path into its long form; undefined takes it away. */
export type Transform = (node: Node, path: ModelPath, options: TransformOptions) => Node | undefined

/** What is to be done with the keys of an object; `*` is every other key. */
export interface Rules {
  [key: string]: Rules | Transform
}

/** Transforms the values of a map, each by the rule of its key. */
export const keys =
  (rules: Rules): Transform =>
  (node, path, options) => {
    if (node.kind !== 'map') return node
    return mapValues(node, (value, key) => {
      const rule = Object.hasOwn(rules, key) ? rules[key] : rules['*']
      // A value to be taken away, or nothing at all, has no form.
      if (!rule || value.tag === 'reset' || isNull(value)) return value
      const transform = typeof rule === 'function' ? rule : keys(rule)
      const next = transform(value, [...path, key], options)
      return next && value.tag && !next.tag ? { ...next, tag: value.tag } : next
    })
  }

/** Transforms each item of a list. */
export const items =
  (transform: Transform): Transform =>
  (node, path, options) =>
    node.kind === 'list'
      ? mapItems(node, (item, i) => transform(item, [...path, i], options))
      : node

/** One after the other. */
export const both =
  (first: Transform, second: Transform): Transform =>
  (node, path, options) => {
    const next = first(node, path, options)
    return next && second(next, path, options)
  }

/** A single text where a list is expected. */
export const oneToList: Transform = (node) =>
  node.kind === 'scalar' ? list([node], node.at) : node

/** A text (or a number) as the value of one key of an object. */
export const under =
  (key: string): Transform =>
  (node) =>
    node.kind === 'scalar' && !isNull(node) ? map(new Map([[key, { value: node }]]), node.at) : node

/** `KEY=VALUE` items as a map; a bare KEY has no value. */
export const pairs: Transform = (node, path, { problems }) => {
  if (node.kind !== 'list') return node
  const entries = new Map<string, Entry>()
  for (const [index, item] of node.items.entries()) {
    if (item.kind !== 'scalar') continue
    const [key, value] = cut(textOf(item), '=')
    if (key !== key.trimEnd()) {
      const spot = { path: [...path, index], where: item }
      const hint = 'Write NAME=VALUE without spaces around "=".'
      problems.error(spot, `the name ${JSON.stringify(key)} ends with a space`, hint)
      continue
    }
    entries.set(key, { value: scalar(value ?? null, item.at), key: item.at })
  }
  return map(entries, node.at)
}

/** A list of names as a map, each with the same value. */
export const names =
  (value: (at: Span | undefined) => Node): Transform =>
  (node) => {
    if (node.kind !== 'list') return node
    const entries = new Map<string, Entry>()
    for (const item of node.items)
      if (item.kind === 'scalar') entries.set(textOf(item), { value: value(item.at), key: item.at })
    return map(entries, node.at)
  }

/** The text before and after the first separator. */
export const cut = (text: string, separator: string): [string, string | undefined] => {
  const index = text.indexOf(separator)
  return index === -1
    ? [text, undefined]
    : [text.slice(0, index), text.slice(index + separator.length)]
}
