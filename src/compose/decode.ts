import type { ModelPath } from './model.ts'
import { describe, isNull, stringOf, textOf, toPlain, type Node, type ScalarNode } from './node.ts'
import type { Problems } from './problems.ts'
import { CONTENT_KEY } from './resolve-environment.ts'
import type { Field, ScalarKind, Shape } from './shape.ts'
import { parseBytes, parseDuration } from './units.ts'

/** Where a value is, and who is told if it is wrong. */
export interface Decoding {
  path: ModelPath
  problems: Problems
}

/**
 * A canonical tree as plain typed data, by its shape. What is empty is left out, unless empty means
 * something. Values that are no size, no duration, no number are reported.
 */
export const decode = (node: Node, shape: Shape, decoding: Decoding): unknown => {
  if (shape.is === 'object') return decodeObject(node, shape.fields, decoding)
  if (shape.is === 'map') return decodeMap(node, shape, decoding)
  if (shape.is === 'either')
    return decode(node, node.kind === 'map' ? shape.map : shape.scalar, decoding)
  if (shape.is === 'list') {
    const items = node.kind === 'list' ? node.items : [node]
    return items
      .map((item, index) => decode(item, shape.of, below(decoding, index)))
      .filter((item) => item !== undefined)
  }
  if (shape.is === 'any') return toPlain(node)
  if (node.kind === 'scalar') return decodeScalar(node, shape.is, decoding)
  return wrong(node, 'one value', decoding)
}

const below = ({ path, problems }: Decoding, key: string | number): Decoding => ({
  path: [...path, key],
  problems,
})

const wrong = (node: Node, expected: string, { path, problems }: Decoding): undefined => {
  problems.error({ path, where: node }, `expected ${expected}, got ${describe(node)}`)
}

const decodeObject = (node: Node, fields: Record<string, Field>, decoding: Decoding): unknown => {
  const result: Record<string, unknown> = {}
  if (node.kind !== 'map') {
    if (!isNull(node)) wrong(node, 'a map', decoding)
    return result
  }
  for (const [key, field] of Object.entries(fields)) {
    const entry = node.entries.get(key)
    const isThere = entry !== undefined && !isNull(entry.value) && stringOf(entry.value) !== ''
    if (field.required && !isThere) {
      const { path, problems } = decoding
      problems.error({ path, where: node }, `"${key}" is missing`)
      return undefined
    }
    if (!entry || isNull(entry.value)) continue
    const value = decode(entry.value, field.shape, below(decoding, key))
    if (field.required && value === undefined) return undefined
    if (value !== undefined && (field.keep || !isEmpty(value, field.shape))) result[key] = value
  }
  for (const [key, { value }] of node.entries)
    if (key.startsWith('x-') && key !== CONTENT_KEY) result[key] = toPlain(value)
  return result
}

const decodeMap = (node: Node, shape: Shape & { is: 'map' }, decoding: Decoding): unknown => {
  const result: Record<string, unknown> = {}
  if (node.kind !== 'map') {
    if (!isNull(node)) wrong(node, 'a map', decoding)
    return result
  }
  for (const [key, { value }] of node.entries) {
    const isKeptNull = shape.nulls === 'keep' && isNull(value)
    const decoded = isKeptNull ? null : decode(value, shape.of, below(decoding, key))
    // A key may be `__proto__`: files are not to be trusted.
    if (decoded !== undefined)
      Object.defineProperty(result, key, { value: decoded, ...ORDINARY_PROPERTY })
  }
  return result
}

const ORDINARY_PROPERTY = { enumerable: true, writable: true, configurable: true }

/** What Go calls the zero value; empty objects are something. */
const isEmpty = (value: unknown, shape: Shape): boolean =>
  value === '' ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (shape.is === 'map' && typeof value === 'object' && Object.keys(value ?? {}).length === 0)

const decodeScalar = (
  node: ScalarNode,
  kind: Exclude<ScalarKind, 'any'>,
  decoding: Decoding,
): unknown => {
  const { value } = node
  switch (kind) {
    case 'flag':
      return typeof value === 'boolean' ? value : wrong(node, 'true or false', decoding)
    case 'integer':
    case 'count':
      return Number.isSafeInteger(value) ? value : wrong(node, 'a whole number', decoding)
    case 'number':
      return Number.isFinite(value) ? value : wrong(node, 'a number', decoding)
    case 'mode':
      return decodeMode(node) ?? wrong(node, 'permission bits in octal, such as 0440', decoding)
    case 'bytes':
      if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value)
      return parseBytes(textOf(node)) ?? wrong(node, 'a size such as 512m or 2gb', decoding)
    case 'duration':
      return parseDuration(textOf(node)) ?? wrong(node, 'a time such as 10s or 1m30s', decoding)
    case 'text':
    default:
      return textOf(node)
  }
}

const decodeMode = (node: ScalarNode): number | undefined => {
  if (typeof node.value === 'number') return node.value
  const text = stringOf(node) ?? ''
  return /^(0o)?[0-7]+$/.test(text) ? Number.parseInt(text.replace('0o', ''), 8) : undefined
}
