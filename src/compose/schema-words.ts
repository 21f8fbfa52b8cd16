import type { ModelPath } from './model.ts'
import type { Node } from './node.ts'
import type { Schema } from './schema.ts'
import { didYouMean, oneOfWords } from './suggest.ts'

/** How the checks of a schema are said to people. */

const TYPE_WORDS: Record<string, string> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  integer: 'a whole number',
  array: 'a list',
  object: 'a map',
  null: 'nothing',
}

/** `text or a list` */
export const typeWords = (types: readonly string[]): string => {
  const unique = [...new Set(types)].filter((type) => type !== 'null' || types.length === 1)
  return oneOfWords(unique.map((type) => TYPE_WORDS[type] ?? type))
}

/** `name: 123` where text is wanted. */
export const quoteHint = (node: Node, types: readonly string[]): string | undefined =>
  node.kind === 'scalar' && node.value !== null && types.includes('string')
    ? `Write it in quotes: "${String(node.value)}".`
    : undefined

/** What a text should look like, for the patterns of the specification. */
export const patternWords = (pattern: string): string => {
  if (pattern.startsWith('^[a-zA-Z0-9._-]')) return 'a name (letters, digits, ".", "_" and "-")'
  if (pattern.startsWith('[a-zA-Z0-9][a-zA-Z0-9_.-]'))
    return 'a container name (two or more letters, digits, "_", "." and "-")'
  if (pattern === '^[a-z]+$') return 'a limit (small letters only)'
  if (pattern.startsWith('always|never'))
    return 'a pull policy ("always", "never", "build", "missing", "daily", "weekly", "every_12h")'
  return `the pattern ${pattern}`
}

/** An object has this key at this path, and its schema does not. */
export interface UnknownKey {
  key: string
  value: Node
  schema: Schema
  /** Of the object. */
  path: ModelPath
}

export const unknownKeyMessage = ({ key, schema, path }: UnknownKey): string => {
  const [pattern] = Object.keys(schema.patternProperties ?? {})
  if (schema.properties || pattern === undefined) return `unknown key "${key}"`
  const kind = path.length === 1 ? 'name' : 'key'
  return `the ${kind} "${key}" does not look like ${patternWords(pattern)}`
}

export const unknownKeyHint = ({ key, value, schema, path }: UnknownKey): string | undefined => {
  const hint = didYouMean(key, Object.keys(schema.properties ?? {}))
  if (hint !== undefined || path.length > 0) return hint
  const isService = value.kind === 'map' && ['image', 'build'].some((k) => value.entries.has(k))
  return isService ? 'Services go under "services:" (this looks like a version 1 file).' : undefined
}
