import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Document,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import type { ModelPath } from './model.ts'
import { describe, list, map, scalar, type Entry, type MergeTag, type Node } from './node.ts'
import type { Problems } from './problems.ts'
import { syntaxProblem } from './parse-errors.ts'
import { plainScalar } from './scalars.ts'
import { lineOf, type SourceFile, type Span } from './source.ts'

/** Deeper than anyone writes, shallow enough for every recursion after it. */
const MAX_DEPTH = 100
/** Values in one file, aliases unfolded. A file of 1,000 services has about 50,000. */
const MAX_NODES = 2_000_000

/**
 * Reads YAML into nodes, one for each document that is not empty. What is wrong goes to `problems`;
 * a document that cannot be read at all is left out.
 */
export const parseYaml = (source: SourceFile, problems: Problems): Node[] => {
  const documents = parseDocuments(source)
  if (!documents) {
    problems.error({ path: [], where: span(source, 0, 1) }, 'not YAML: nested too deeply')
    problems.markIncomplete()
    return []
  }
  const nodes: Node[] = []
  for (const document of documents) {
    if (document.errors.length > 0) {
      // One syntax error makes nonsense of what follows it: the first is the one to mend.
      const [first] = document.errors
      if (first) syntaxProblem(source, first, problems)
      problems.markIncomplete()
      continue
    }
    if (!document.contents) continue
    const reader = new Reader(source, document, problems)
    const node = reader.read(document.contents)
    if (node) nodes.push(node)
  }
  return nodes
}

/**
 * True for thousands of opening brackets or dashes: the library is recursive, and takes seconds to
 * run out of stack. Brackets in texts count too; nobody has that many that are not closed.
 */
const isBottomless = (text: string): boolean => {
  if (/(?:[-?:] ){500}/.test(text)) return true
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === OPEN_BRACKET || char === OPEN_BRACE) depth += 1
    else if (char === CLOSE_BRACKET || char === CLOSE_BRACE) depth -= 1
    if (depth > 1000) return true
    if (depth < 0) depth = 0
  }
  return false
}

const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]

const parseDocuments = (source: SourceFile): Document.Parsed[] | undefined => {
  if (isBottomless(source.text)) return undefined
  try {
    const documents = parseAllDocuments(source.text, {
      // Scalars are read here, as Go reads them; the library only finds the structure.
      schema: 'failsafe',
      logLevel: 'silent',
      prettyErrors: false,
      uniqueKeys: false,
      keepSourceTokens: false,
      resolveKnownTags: false,
    })
    return Array.isArray(documents) ? documents : []
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const span = (source: SourceFile, start: number, end: number): Span => ({ source, start, end })

/** Unfolds one document: aliases, merge keys, scalars. */
class Reader {
  readonly #source: SourceFile
  readonly #document: Document.Parsed
  readonly #problems: Problems
  /** Anchors whose values are being read: an alias to one of them is a cycle. */
  readonly #open = new Set<ParsedNode>()
  #anchors: Map<string, ParsedNode[]> | undefined
  /** Keys from the root to what is being read. */
  readonly #path: (string | number)[] = []
  #nodes = 0
  #fromAliases = 0
  #aliasDepth = 0
  #stopped = false

  constructor(source: SourceFile, document: Document.Parsed, problems: Problems) {
    this.#source = source
    this.#document = document
    this.#problems = problems
  }

  read(node: ParsedNode | null): Node | undefined {
    if (this.#stopped) return undefined
    if (!node) return scalar(null)
    if (!this.#count(node) || !this.#shallow(node)) return undefined
    if (isAlias(node)) return this.#alias(node)
    this.#open.add(node)
    try {
      if (isMap(node)) return this.#map(node)
      if (isSeq(node)) return this.#list(node)
      if (isScalar(node)) return this.#scalar(node)
      return undefined
    } finally {
      this.#open.delete(node)
    }
  }

  /** What is under a key, or at an index, of what is being read. */
  #below(key: string | number, node: ParsedNode | null): Node | undefined {
    this.#path.push(key)
    const value = this.read(node)
    this.#path.pop()
    return value
  }

  /** The path as it is now; the stack goes on changing. */
  get #here(): ModelPath {
    return [...this.#path]
  }

  /** Gives the document up: nothing more of it is read. */
  #stop(): void {
    this.#stopped = true
    this.#problems.markIncomplete()
  }

  /** The reference's own guard: past 1,000 values, nearly all of them copies is an attack. */
  #count(node: ParsedNode): boolean {
    this.#nodes += 1
    if (this.#aliasDepth > 0) this.#fromAliases += 1
    const ratio = this.#fromAliases / this.#nodes
    const allowed = this.#nodes <= 400_000 ? 0.99 : 0.1
    const tooMany = this.#fromAliases > 100 && this.#nodes > 1000 && ratio > allowed
    if (!tooMany && this.#nodes <= MAX_NODES) return true
    this.#stop()
    this.#problems.error(
      { path: [], where: this.#place(node) },
      tooMany
        ? 'aliases unfold into too many values (an "alias bomb")'
        : `the file holds more than ${MAX_NODES} values`,
    )
    return false
  }

  #shallow(node: ParsedNode): boolean {
    if (this.#path.length <= MAX_DEPTH) return true
    this.#stopped = true
    this.#problems.error(
      { path: [], where: this.#place(node) },
      `nested more than ${MAX_DEPTH} levels deep`,
    )
    return false
  }

  #place(node: { range?: readonly number[] | null | undefined }): Span {
    const [start = 0, end = start] = node.range ?? []
    return span(this.#source, start, end)
  }

  #alias(node: ParsedNode & { source: string }): Node | undefined {
    const target = this.#resolve(node.source, node)
    if (!target) {
      this.#problems.error(
        { path: this.#here, where: this.#place(node) },
        `there is no anchor &${node.source} above`,
      )
      return undefined
    }
    if (this.#open.has(target)) {
      this.#problems.error(
        { path: this.#here, where: this.#place(node) },
        `a cycle: *${node.source} is inside of &${node.source}`,
      )
      this.#stop()
      return undefined
    }
    this.#aliasDepth += 1
    const value = this.read(target)
    this.#aliasDepth -= 1
    return value
  }

  /** The last anchor of that name before the alias, as YAML says. */
  #resolve(name: string, alias: ParsedNode): ParsedNode | undefined {
    this.#anchors ??= anchorsIn(this.#document.contents)
    return this.#anchors.get(name)?.findLast((node) => node.range[0] < alias.range[0])
  }

  #list(node: YAMLSeq.Parsed): Node {
    const items: Node[] = []
    for (const [index, item] of node.items.entries()) {
      const value = this.#below(index, item)
      if (value && value.tag !== 'reset') items.push(value)
    }
    return tagged(list(items, this.#place(node)), node.tag)
  }

  #map(node: YAMLMap.Parsed): Node {
    const entries = new Map<string, Entry>()
    const merged: Node[] = []
    for (const pair of node.items) {
      const key = this.#key(pair.key)
      if (key === undefined) continue
      if (key === '<<' && isPlain(pair.key)) {
        merged.push(...this.#mergeSources(pair.value))
        continue
      }
      const place = this.#place(pair.key)
      const first = entries.get(key)
      if (first) {
        const line = first.key ? ` (first in line ${lineOf(first.key)})` : ''
        this.#problems.error(
          { path: [...this.#path, key], where: place },
          `the key "${key}" is there twice${line}`,
        )
        continue
      }
      // A key without a value: its place is its key's.
      const value = pair.value ? this.#below(key, pair.value) : scalar(null, place)
      if (value) entries.set(key, { key: place, value: value.at ? value : { ...value, at: place } })
    }
    for (const source of merged) {
      if (source.kind !== 'map') continue
      for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry)
    }
    return tagged(map(entries, this.#place(node)), node.tag)
  }

  /** The maps behind `<<`: one, or several of which the first to have a key wins. */
  #mergeSources(value: ParsedNode | null): Node[] {
    const source = this.#below('<<', value)
    if (!source) return []
    const sources = source.kind === 'list' ? source.items : [source]
    for (const one of sources) {
      if (one.kind !== 'map' && one.tag !== 'reset')
        this.#problems.error(
          { path: [...this.#path, '<<'], where: one },
          `expected a map to merge, got ${describe(one)}`,
        )
    }
    return sources.filter((one) => one.kind === 'map')
  }

  #key(node: ParsedNode | null): string | undefined {
    const target = node && isAlias(node) ? this.#resolve(node.source, node) : node
    if (target && isScalar(target)) {
      const value =
        isPlain(target) && !target.tag ? plainScalar(textIn(target)).value : textIn(target)
      if (typeof value === 'string') return value
      this.#problems.error(
        { path: this.#here, where: this.#place(node ?? target) },
        `the key ${textIn(target) || 'null'} is not text`,
        `Write "${textIn(target)}" in quotes.`,
      )
      return undefined
    }
    this.#problems.error(
      { path: this.#here, where: node ? this.#place(node) : undefined },
      'a key must be text',
    )
    return undefined
  }

  #scalar(node: Scalar.Parsed): Node {
    const at = this.#place(node)
    const text = textIn(node)
    const tag = node.tag
    // An empty value has an empty range, after the blanks: nothing to underline, but a place.
    const place = at.end === at.start ? { ...at, end: at.start + 1 } : at
    if (tag === '!reset' || tag === '!override')
      return tagged({ kind: 'scalar', ...plainScalar(text), at: place }, tag)
    const type = tag?.startsWith('tag:yaml.org,2002:') ? tag.slice(18) : tag
    if (type === 'str' || type === '!' || type === 'binary') return scalar(text, place)
    if (isPlain(node) || type === 'int' || type === 'float' || type === 'bool') {
      const value = { kind: 'scalar' as const, ...plainScalar(text), at: place }
      if (isPlain(node) && !type) return value
      const fits = type === 'int' || type === 'float' ? typeof value.value !== 'string' : true
      if (!fits)
        this.#problems.error(
          { path: this.#here, where: place },
          `${JSON.stringify(text)} is not a number`,
        )
      return value
    }
    return scalar(text, place)
  }
}

/** All nodes with an anchor, by its name, in the order of the file. */
const anchorsIn = (contents: ParsedNode | null): Map<string, ParsedNode[]> => {
  const anchors = new Map<string, ParsedNode[]>()
  const queue: (ParsedNode | null)[] = [contents]
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (!node) continue
    if ('anchor' in node && node.anchor !== undefined)
      anchors.set(node.anchor, [...(anchors.get(node.anchor) ?? []), node])
    // Pushed back to front, so that they are taken in order.
    if (isMap(node)) for (const pair of node.items.toReversed()) queue.push(pair.value, pair.key)
    else if (isSeq(node)) queue.push(...node.items.toReversed())
  }
  return anchors
}

const isPlain = (node: ParsedNode | null): boolean =>
  isScalar(node) && (node.type === 'PLAIN' || node.type === undefined)

const textIn = (node: Scalar.Parsed): string => (typeof node.value === 'string' ? node.value : '')

const tagged = (node: Node, tag: string | undefined): Node => {
  const mergeTag: MergeTag | undefined =
    tag === '!reset' ? 'reset' : tag === '!override' ? 'override' : undefined
  return mergeTag ? { ...node, tag: mergeTag } : node
}
