import type { ModelPath } from './model.ts'
import { describe, mapItems, mapValues, toPlain, type MapNode, type Node } from './node.ts'
import type { Problems, Where } from './problems.ts'
import { didYouMean, oneOfWords } from './suggest.ts'

/** The part of JSON Schema (draft 7) that the Compose schema uses. */
export interface Schema {
  $ref?: string
  type?: string | readonly string[]
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  additionalProperties?: boolean
  items?: Schema
  required?: readonly string[]
  oneOf?: readonly Schema[]
  enum?: readonly string[]
  pattern?: string
  minimum?: number
  maximum?: number
  uniqueItems?: boolean
  definitions?: Record<string, Schema>
}

/**
 * `part`: one of several files. Keys may be missing and values may be empty (another file has them),
 * and lists may repeat (merging makes them unique). `whole`: after merging, everything counts.
 */
export type Extent = 'part' | 'whole'

interface Issue {
  /** What must go so that the rest can be looked at. */
  path: ModelPath
  /** What people are told; the parent's for an unknown key. */
  shownPath: ModelPath
  message: string
  where: Where
  hint?: string | undefined
}

/**
 * Checks nodes against a schema, straight on the tree: a general validator would need plain data,
 * 150 ms to compile the schema, and answers a wrong item of a `oneOf` with an error for each branch.
 */
export class SchemaValidator {
  readonly #root: Schema
  readonly #patterns = new Map<string, RegExp>()

  constructor(root: Schema) {
    this.#root = root
  }

  /** Tells what is wrong, and returns the tree without it. */
  check(node: Node, extent: Extent, problems: Problems): { node: Node | undefined; ok: boolean } {
    const issues = this.#issues(node, this.#root, [], extent, undefined)
    for (const { path, shownPath, message, where, hint } of issues)
      problems.error(shownPath, message, where, hint, path)
    return {
      node: without(
        node,
        issues.map(({ path }) => path),
      ),
      ok: issues.length === 0,
    }
  }

  /** True if a file this validator accepts would be accepted by any JSON Schema validator. */
  accepts(node: Node): boolean {
    return this.#issues(node, this.#root, [], 'whole', undefined).length === 0
  }

  #resolve(schema: Schema): Schema {
    if (schema.$ref === undefined) return schema
    return this.#root.definitions?.[schema.$ref.slice('#/definitions/'.length)] ?? {}
  }

  #regexp(pattern: string): RegExp {
    let regexp = this.#patterns.get(pattern)
    if (!regexp) this.#patterns.set(pattern, (regexp = new RegExp(pattern, 'u')))
    return regexp
  }

  #issues(node: Node, given: Schema, path: ModelPath, extent: Extent, where: Where): Issue[] {
    const schema = this.#resolve(given)
    if (node.tag === 'reset') return []
    if (extent === 'part' && node.kind === 'scalar' && node.value === null && path.length > 1)
      return []
    if (schema.oneOf) return this.#oneOf(node, schema.oneOf, path, extent, where)
    const issue = (message: string, hint?: string): Issue[] => [
      { path, shownPath: path, message, where: where ?? node, hint },
    ]
    const types = typesOf(schema)
    if (types.length > 0 && !types.some((type) => isType(node, type)))
      return issue(`expected ${typeWords(types)}, got ${describe(node)}`, quoteHint(node, types))
    if (schema.enum && !schema.enum.includes(String(toPlain(node)))) {
      const allowed = oneOfWords(schema.enum.map((value) => JSON.stringify(value)))
      return issue(
        `expected ${allowed}, got ${describe(node)}`,
        didYouMean(String(toPlain(node)), schema.enum),
      )
    }
    if (node.kind === 'scalar') {
      const { value } = node
      if (typeof value === 'string' && schema.pattern && !this.#regexp(schema.pattern).test(value))
        return issue(`${JSON.stringify(value)} does not look like ${patternWords(schema.pattern)}`)
      if (typeof value === 'number' && schema.minimum !== undefined && value < schema.minimum)
        return issue(`expected ${schema.minimum} or more, got ${value}`)
      if (typeof value === 'number' && schema.maximum !== undefined && value > schema.maximum)
        return issue(`expected ${schema.maximum} or less, got ${value}`)
      return []
    }
    if (node.kind === 'list') {
      const items = schema.items
      const found = items
        ? node.items.flatMap((item, i) =>
            this.#issues(item, items, [...path, i], extent, undefined),
          )
        : []
      return schema.uniqueItems && extent === 'whole'
        ? [...found, ...repeats(node.items, path)]
        : found
    }
    return this.#mapIssues(node, schema, path, extent, where)
  }

  #mapIssues(
    node: MapNode,
    schema: Schema,
    path: ModelPath,
    extent: Extent,
    where: Where,
  ): Issue[] {
    const issues: Issue[] = []
    for (const [key, { key: place, value }] of node.entries) {
      const at = { at: value.at ?? place, key: place }
      const schemas = [
        schema.properties?.[key],
        ...Object.entries(schema.patternProperties ?? {})
          .filter(([pattern]) => this.#regexp(pattern).test(key))
          .map(([, sub]) => sub),
      ].filter((sub) => sub !== undefined)
      for (const sub of schemas)
        issues.push(...this.#issues(value, sub, [...path, key], extent, at))
      if (schemas.length === 0 && schema.additionalProperties === false)
        issues.push({
          path: [...path, key],
          shownPath: path,
          message: this.#unknownKey(key, schema, path),
          where: place ?? value,
          hint: unknownKeyHint(key, schema, path, node),
        })
    }
    if (extent === 'whole')
      for (const key of schema.required ?? [])
        if (!node.entries.has(key))
          issues.push({
            path,
            shownPath: path,
            message: `"${key}" is missing`,
            where: where ?? node,
          })
    return issues
  }

  #unknownKey(key: string, schema: Schema, path: ModelPath): string {
    if (schema.properties) return `unknown key "${key}"`
    const kind = path.length === 1 ? `name "${key}"` : `key "${key}"`
    const [pattern] = Object.keys(schema.patternProperties ?? {})
    return pattern === undefined
      ? `unknown key "${key}"`
      : `the ${kind} does not look like ${patternWords(pattern)}`
  }

  /** Of several forms, complains about the one that was meant. */
  #oneOf(
    node: Node,
    branches: readonly Schema[],
    path: ModelPath,
    extent: Extent,
    where: Where,
  ): Issue[] {
    let best: Issue[] | undefined
    const types: string[] = []
    for (const given of branches) {
      const branch = this.#resolve(given)
      const nested = branch.oneOf?.map((sub) => this.#resolve(sub)) ?? [branch]
      types.push(...nested.flatMap(typesOf))
      const issues = this.#issues(node, branch, path, extent, where)
      if (issues.length === 0) return []
      const meant = nested.some((sub) => typesOf(sub).some((type) => isType(node, type)))
      if (meant && (!best || issues.length < best.length)) best = issues
    }
    return (
      best ?? [
        {
          path,
          shownPath: path,
          message: `expected ${typeWords(types)}, got ${describe(node)}`,
          where: where ?? node,
          hint: quoteHint(node, types),
        },
      ]
    )
  }
}

const typesOf = (schema: Schema): string[] =>
  schema.type === undefined
    ? []
    : typeof schema.type === 'string'
      ? [schema.type]
      : [...schema.type]

const isType = (node: Node, type: string): boolean => {
  if (node.kind === 'list') return type === 'array'
  if (node.kind === 'map') return type === 'object'
  const { value } = node
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'null':
      return value === null
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint'
    case 'integer':
      return typeof value === 'bigint' || Number.isInteger(value)
    default:
      return false
  }
}

const TYPE_WORDS: Record<string, string> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  integer: 'a whole number',
  array: 'a list',
  object: 'a map',
  null: 'nothing',
}

const typeWords = (types: readonly string[]): string => {
  const unique = [...new Set(types)].filter((type) => type !== 'null' || types.length === 1)
  // Where numbers are welcome, text is only the way to write a variable.
  return oneOfWords(unique.map((type) => TYPE_WORDS[type] ?? type))
}

/** `name: 123` where text is wanted. */
const quoteHint = (node: Node, types: readonly string[]): string | undefined =>
  node.kind === 'scalar' && node.value !== null && types.includes('string')
    ? `Write it in quotes: "${String(node.value)}".`
    : undefined

const patternWords = (pattern: string): string => {
  if (pattern.startsWith('^[a-zA-Z0-9._-]')) return 'a name (letters, digits, ".", "_" and "-")'
  if (pattern.startsWith('[a-zA-Z0-9][a-zA-Z0-9_.-]'))
    return 'a container name (two or more letters, digits, "_", "." and "-")'
  if (pattern === '^[a-z]+$') return 'a limit (small letters only)'
  if (pattern.startsWith('always|never'))
    return 'a pull policy ("always", "never", "build", "missing", "daily", "weekly", "every_12h")'
  return `the pattern ${pattern}`
}

const unknownKeyHint = (
  key: string,
  schema: Schema,
  path: ModelPath,
  node: MapNode,
): string | undefined => {
  const known = Object.keys(schema.properties ?? {})
  const hint = didYouMean(key, known)
  if (hint !== undefined || path.length > 0) return hint
  const value = node.entries.get(key)?.value
  const isService = value?.kind === 'map' && ['image', 'build'].some((k) => value.entries.has(k))
  return isService ? 'Services go under "services:" (this looks like a version 1 file).' : undefined
}

/** Items that say the same as an earlier one. */
const repeats = (items: readonly Node[], path: ModelPath): Issue[] => {
  const seen = new Map<string, number>()
  const issues: Issue[] = []
  for (const [index, item] of items.entries()) {
    const id = JSON.stringify(toPlain(item))
    const first = seen.get(id)
    if (first === undefined) seen.set(id, index)
    else
      issues.push({
        path: [...path, index],
        shownPath: [...path, index],
        message: `the same as item ${first}: ${describe(item)}`,
        where: item,
      })
  }
  return issues
}

/** The tree without what is at these paths. */
const without = (node: Node, paths: readonly ModelPath[]): Node | undefined => {
  if (paths.length === 0) return node
  if (paths.some((path) => path.length === 0)) return undefined
  const below = (key: string | number): ModelPath[] =>
    paths.filter((path) => path[0] === key).map((path) => path.slice(1))
  if (node.kind === 'map') return mapValues(node, (value, key) => without(value, below(key)))
  if (node.kind === 'list') return mapItems(node, (item, index) => without(item, below(index)))
  return node
}
