import type { ModelPath } from './model.ts'
import { describe, mapItems, mapValues, toPlain, type MapNode, type Node } from './node.ts'
import type { Problems, Where } from './problems.ts'
import {
  patternWords,
  quoteHint,
  typeWords,
  unknownKeyHint,
  unknownKeyMessage,
} from './schema-words.ts'
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
  /** Keys from the root to where the walk is. */
  path: (string | number)[]
  /** Where the value is that the walk is at. */
  where: Where
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
  check(node: Node, extent: Extent, problems: Problems): Node | undefined {
    const issues = this.#walk(node, extent)
    for (const { path, shownPath, message, where, hint } of issues)
      problems.error({ path: shownPath, where, about: path }, message, hint)
    return without(
      node,
      issues.map(({ path }) => path),
    )
  }

  /** True for what any JSON Schema validator would accept. */
  accepts(node: Node): boolean {
    return this.#walk(node, 'whole').length === 0
  }

  #walk(node: Node, extent: Extent): Issue[] {
    const walk: Walk = { extent, issues: [], path: [], where: node }
    this.#visit(node, this.#rule(this.#root), walk)
    return walk.issues
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

  #visit(node: Node, rule: Rule, walk: Walk): void {
    const { schema, types } = rule
    if (node.tag === 'reset') return
    const isNothing = node.kind === 'scalar' && node.value === null
    if (isNothing && walk.extent === 'part' && walk.path.length > 1) return
    if (rule.branches) return this.#oneOf(node, rule.branches, walk)
    if (types.length > 0 && !types.some((type) => isType(node, type)))
      return wrongType(walk, node, types)
    if (schema.enum && !schema.enum.includes(String(toPlain(node)))) {
      const allowed = oneOfWords(schema.enum.map((value) => JSON.stringify(value)))
      const hint = didYouMean(String(toPlain(node)), schema.enum)
      return complain(walk, `expected ${allowed}, got ${describe(node)}`, hint)
    }
    if (node.kind === 'scalar') return checkScalar(node.value, rule, walk)
    if (node.kind === 'map') return this.#map(node, rule, walk)
    const where = walk.where
    if (rule.items)
      for (const [index, item] of node.items.entries()) {
        walk.path.push(index)
        walk.where = item
        this.#visit(item, rule.items, walk)
        walk.path.pop()
      }
    walk.where = where
    if (schema.uniqueItems && walk.extent === 'whole') checkRepeats(node.items, walk)
  }

  #map(node: MapNode, rule: Rule, walk: Walk): void {
    const { schema } = rule
    const where = walk.where
    for (const [key, { key: place, value }] of node.entries) {
      const property = rule.properties.get(key)
      const matching =
        rule.patterns.length === 0
          ? NO_PATTERNS
          : rule.patterns.filter(({ regexp }) => regexp.test(key))
      walk.path.push(key)
      walk.where = { at: value.at ?? place, key: place }
      if (property) this.#visit(value, property, walk)
      for (const { rule: sub } of matching) this.#visit(value, sub, walk)
      walk.path.pop()
      if (property || matching.length > 0 || schema.additionalProperties !== false) continue
      const unknown = { key, value, schema, path: walk.path }
      walk.issues.push({
        path: [...walk.path, key],
        shownPath: [...walk.path],
        message: unknownKeyMessage(unknown),
        where: place ?? value,
        hint: unknownKeyHint(unknown),
      })
    }
    walk.where = where
    if (walk.extent === 'whole')
      for (const key of schema.required ?? [])
        if (!node.entries.has(key)) complain(walk, `"${key}" is missing`)
  }

  /** Of several forms, complains about the one that was meant. */
  #oneOf(node: Node, branches: readonly Rule[], walk: Walk): void {
    let best: Issue[] | undefined
    const types: string[] = []
    for (const branch of branches) {
      const forms = branch.branches ?? [branch]
      const meant = forms.some((form) => form.types.some((type) => isType(node, type)))
      for (const form of forms) types.push(...form.types)
      const found: Issue[] = []
      this.#visit(node, branch, { ...walk, issues: found })
      if (found.length === 0) return
      if (meant && (!best || found.length < best.length)) best = found
    }
    if (best) walk.issues.push(...best)
    else wrongType(walk, node, types)
  }
}

const NO_PATTERNS: Rule['patterns'] = []

const complain = (walk: Walk, message: string, hint?: string): void => {
  const path = [...walk.path]
  walk.issues.push({ path, shownPath: path, message, where: walk.where, hint })
}

const wrongType = (walk: Walk, node: Node, types: readonly string[]): void =>
  complain(walk, `expected ${typeWords(types)}, got ${describe(node)}`, quoteHint(node, types))

const checkScalar = (value: unknown, { schema, pattern }: Rule, walk: Walk): void => {
  if (typeof value === 'string' && pattern && !pattern.test(value))
    complain(walk, `${JSON.stringify(value)} does not look like ${patternWords(pattern.source)}`)
  if (typeof value !== 'number') return
  if (schema.minimum !== undefined && value < schema.minimum)
    complain(walk, `expected ${schema.minimum} or more, got ${value}`)
  if (schema.maximum !== undefined && value > schema.maximum)
    complain(walk, `expected ${schema.maximum} or less, got ${value}`)
}

const typesOf = ({ type }: Schema): string[] =>
  type === undefined ? [] : typeof type === 'string' ? [type] : [...type]

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

/** Complains about items that say the same as an earlier one. */
const checkRepeats = (items: readonly Node[], walk: Walk): void => {
  if (items.length < 2) return
  const where = walk.where
  const seen = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const id = JSON.stringify(toPlain(item))
    const first = seen.get(id)
    if (first === undefined) seen.set(id, index)
    else {
      walk.path.push(index)
      walk.where = item
      complain(walk, `the same as item ${first}: ${describe(item)}`)
      walk.path.pop()
    }
  }
  walk.where = where
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
