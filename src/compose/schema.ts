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

/** A schema made ready: references followed, patterns compiled. */
interface Rule {
  schema: Schema
  types: readonly string[]
  branches: readonly Rule[] | undefined
  pattern: RegExp | undefined
  properties: ReadonlyMap<string, Rule>
  patterns: readonly { regexp: RegExp; rule: Rule }[]
  items: Rule | undefined
}

/** One walk over one tree. */
interface Walk {
  extent: Extent
  issues: Issue[]
  /** Keys from the root to here. */
  path: (string | number)[]
}

/**
 * Checks nodes against a schema, straight on the tree: a general validator would need plain data,
 * 150 ms to compile the schema, and answers a wrong item of a `oneOf` with an error for each branch.
 */
export class SchemaValidator {
  readonly #root: Schema
  readonly #rules = new Map<Schema, Rule>()

  constructor(root: Schema) {
    this.#root = root
  }

  /** Tells what is wrong, and returns the tree without it. */
  check(node: Node, extent: Extent, problems: Problems): { node: Node | undefined; ok: boolean } {
    const walk: Walk = { extent, issues: [], path: [] }
    this.#visit(node, this.#rule(this.#root), walk, undefined)
    const { issues } = walk
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
    const walk: Walk = { extent: 'whole', issues: [], path: [] }
    this.#visit(node, this.#rule(this.#root), walk, undefined)
    return walk.issues.length === 0
  }

  /** Made when it is first needed: few files use more than a fifth of the specification. */
  #rule(given: Schema): Rule {
    const known = this.#rules.get(given)
    if (known) return known
    const schema =
      given.$ref === undefined
        ? given
        : (this.#root.definitions?.[given.$ref.slice('#/definitions/'.length)] ?? {})
    const properties = new Map<string, Rule>()
    const patterns: { regexp: RegExp; rule: Rule }[] = []
    const rule: Rule = {
      schema,
      types: typesOf(schema),
      branches: schema.oneOf?.map((branch) => this.#rule(branch)),
      pattern: schema.pattern === undefined ? undefined : new RegExp(schema.pattern, 'u'),
      properties,
      patterns,
      items: schema.items && this.#rule(schema.items),
    }
    this.#rules.set(given, rule)
    for (const [key, sub] of Object.entries(schema.properties ?? {}))
      properties.set(key, this.#rule(sub))
    for (const [pattern, sub] of Object.entries(schema.patternProperties ?? {}))
      patterns.push({ regexp: new RegExp(pattern, 'u'), rule: this.#rule(sub) })
    return rule
  }

  #visit(node: Node, rule: Rule, walk: Walk, where: Where): void {
    const { schema, types } = rule
    if (node.tag === 'reset') return
    const isNothing = node.kind === 'scalar' && node.value === null
    if (isNothing && walk.extent === 'part' && walk.path.length > 1) return
    if (rule.branches) {
      this.#oneOf(node, rule.branches, walk, where)
      return
    }
    if (types.length > 0 && !types.some((type) => isType(node, type)))
      return wrongType(walk, node, types, where)
    if (schema.enum && !schema.enum.includes(String(toPlain(node)))) {
      const allowed = oneOfWords(schema.enum.map((value) => JSON.stringify(value)))
      const hint = didYouMean(String(toPlain(node)), schema.enum)
      return complain(walk, `expected ${allowed}, got ${describe(node)}`, where ?? node, hint)
    }
    if (node.kind === 'scalar') return this.#scalar(node.value, rule, walk, where ?? node)
    if (node.kind === 'map') return this.#map(node, rule, walk, where)
    if (rule.items)
      for (const [index, item] of node.items.entries()) {
        walk.path.push(index)
        this.#visit(item, rule.items, walk, undefined)
        walk.path.pop()
      }
    if (schema.uniqueItems && walk.extent === 'whole') repeats(node.items, walk)
  }

  #scalar(value: unknown, { schema, pattern }: Rule, walk: Walk, where: Where): void {
    if (typeof value === 'string' && pattern && !pattern.test(value))
      complain(
        walk,
        `${JSON.stringify(value)} does not look like ${patternWords(pattern.source)}`,
        where,
      )
    if (typeof value !== 'number') return
    if (schema.minimum !== undefined && value < schema.minimum)
      complain(walk, `expected ${schema.minimum} or more, got ${value}`, where)
    if (schema.maximum !== undefined && value > schema.maximum)
      complain(walk, `expected ${schema.maximum} or less, got ${value}`, where)
  }

  #map(node: MapNode, rule: Rule, walk: Walk, where: Where): void {
    const { schema } = rule
    for (const [key, entry] of node.entries) {
      walk.path.push(key)
      let known = false
      const visit = (sub: Rule): void => {
        known = true
        this.#visit(entry.value, sub, walk, { at: entry.value.at ?? entry.key, key: entry.key })
      }
      const property = rule.properties.get(key)
      if (property) visit(property)
      for (const { regexp, rule: sub } of rule.patterns) if (regexp.test(key)) visit(sub)
      walk.path.pop()
      if (!known && schema.additionalProperties === false)
        walk.issues.push({
          path: [...walk.path, key],
          shownPath: [...walk.path],
          message: unknownKey(key, schema, walk.path),
          where: entry.key ?? entry.value,
          hint: unknownKeyHint(key, schema, walk.path, entry.value),
        })
    }
    if (walk.extent === 'whole')
      for (const key of schema.required ?? [])
        if (!node.entries.has(key)) complain(walk, `"${key}" is missing`, where ?? node)
  }

  /** Of several forms, complains about the one that was meant. */
  #oneOf(node: Node, branches: readonly Rule[], walk: Walk, where: Where): void {
    let best: Issue[] | undefined
    const types: string[] = []
    for (const branch of branches) {
      const forms = branch.branches ?? [branch]
      const meant = forms.some((form) => form.types.some((type) => isType(node, type)))
      for (const form of forms) types.push(...form.types)
      const found: Issue[] = []
      this.#visit(node, branch, { ...walk, issues: found }, where)
      if (found.length === 0) return
      if (meant && (!best || found.length < best.length)) best = found
    }
    if (best) walk.issues.push(...best)
    else wrongType(walk, node, types, where)
  }
}

const complain = (walk: Walk, message: string, where: Where, hint?: string): void => {
  const path = [...walk.path]
  walk.issues.push({ path, shownPath: path, message, where, hint })
}

const wrongType = (walk: Walk, node: Node, types: readonly string[], where: Where): void =>
  complain(
    walk,
    `expected ${typeWords(types)}, got ${describe(node)}`,
    where ?? node,
    quoteHint(node, types),
  )

const unknownKey = (key: string, schema: Schema, path: ModelPath): string => {
  const [pattern] = Object.keys(schema.patternProperties ?? {})
  if (schema.properties || pattern === undefined) return `unknown key "${key}"`
  const kind = path.length === 1 ? 'name' : 'key'
  return `the ${kind} "${key}" does not look like ${patternWords(pattern)}`
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
  value: Node,
): string | undefined => {
  const known = Object.keys(schema.properties ?? {})
  const hint = didYouMean(key, known)
  if (hint !== undefined || path.length > 0) return hint
  const isService = value.kind === 'map' && ['image', 'build'].some((k) => value.entries.has(k))
  return isService ? 'Services go under "services:" (this looks like a version 1 file).' : undefined
}

/** Items that say the same as an earlier one. */
const repeats = (items: readonly Node[], walk: Walk): void => {
  if (items.length < 2) return
  const seen = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const id = JSON.stringify(toPlain(item))
    const first = seen.get(id)
    if (first === undefined) seen.set(id, index)
    else {
      walk.path.push(index)
      complain(walk, `the same as item ${first}: ${describe(item)}`, item)
      walk.path.pop()
    }
  }
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
