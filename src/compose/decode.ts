import type { ModelPath } from './model.ts'
import { describe, isNull, stringOf, textOf, toPlain, type Node, type ScalarNode } from './node.ts'
import type { Problems } from './problems.ts'
import { CONTENT_KEY } from './read-project.ts'
import type { Field, Shape } from './shape.ts'
import { parseBytes, parseDuration } from './units.ts'

/**
 * A canonical tree as plain typed data, by its shape. What is empty is left out, unless empty means
 * something. Values that are no size, no duration, no number are reported.
 */
export const decode = (node: Node, shape: Shape, path: ModelPath, problems: Problems): unknown => {
  switch (shape.is) {
    case 'object':
      return decodeObject(node, shape.fields, path, problems)
    case 'map':
      return decodeMap(node, shape, path, problems)
    case 'list': {
      const items = node.kind === 'list' ? node.items : [node]
      return items
        .map((item, index) => decode(item, shape.of, [...path, index], problems))
        .filter((item) => item !== undefined)
    }
    case 'either':
      return decode(node, node.kind === 'map' ? shape.map : shape.scalar, path, problems)
    case 'any':
      return toPlain(node)
    default:
      if (node.kind === 'scalar') return decodeScalar(node, shape.is, path, problems)
      problems.error(path, `expected one value, got ${describe(node)}`, node)
      return undefined
  }
}

const decodeObject = (
  node: Node,
  fields: Record<string, Field>,
  path: ModelPath,
  problems: Problems,
): unknown => {
  if (node.kind !== 'map') {
    if (!isNull(node)) problems.error(path, `expected a map, got ${describe(node)}`, node)
    return {}
  }
  const result: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    const entry = node.entries.get(key)
    if (!entry || isNull(entry.value)) continue
    const value = decode(entry.value, field.shape, [...path, key], problems)
    if (value !== undefined && (field.keep || !isEmpty(value, field.shape))) result[key] = value
  }
  for (const [key, { value }] of node.entries)
    if (key.startsWith('x-') && key !== CONTENT_KEY) result[key] = toPlain(value)
  return result
}

const decodeMap = (
  node: Node,
  shape: Shape & { is: 'map' },
  path: ModelPath,
  problems: Problems,
): unknown => {
  if (node.kind !== 'map') {
    if (!isNull(node)) problems.error(path, `expected a map, got ${describe(node)}`, node)
    return {}
  }
  const result: Record<string, unknown> = {}
  for (const [key, { value }] of node.entries) {
    const decoded =
      shape.nulls === 'keep' && isNull(value)
        ? null
        : decode(value, shape.of, [...path, key], problems)
    if (decoded !== undefined) setOwn(result, key, decoded)
  }
  return result
}

/** A key may be `__proto__`: files are not to be trusted. */
const setOwn = (object: Record<string, unknown>, key: string, value: unknown): void => {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}

/** What Go calls the zero value; empty objects are something. */
const isEmpty = (value: unknown, shape: Shape): boolean =>
  value === '' ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (shape.is === 'map' && typeof value === 'object' && Object.keys(value ?? {}).length === 0)

const decodeScalar = (
  node: ScalarNode,
  kind: Exclude<Shape['is'], 'object' | 'map' | 'list' | 'either'>,
  path: ModelPath,
  problems: Problems,
): unknown => {
  const { value } = node
  const wrong = (expected: string): undefined => {
    problems.error(path, `expected ${expected}, got ${describe(node)}`, node)
  }
  switch (kind) {
    case 'text':
      return textOf(node)
    case 'flag':
      return typeof value === 'boolean' ? value : wrong('true or false')
    case 'integer':
    case 'count':
      return Number.isSafeInteger(value) ? value : wrong('a whole number')
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : wrong('a number')
    case 'mode':
      return decodeMode(node) ?? wrong('permission bits in octal, such as 0440')
    case 'bytes':
      if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value)
      return parseBytes(textOf(node)) ?? wrong('a size such as 512m or 2gb')
    case 'duration':
      return parseDuration(textOf(node)) ?? wrong('a length of time such as 10s or 1m30s')
    default:
      return toPlain(node)
  }
}

const decodeMode = (node: ScalarNode): number | undefined => {
  if (typeof node.value === 'number') return node.value
  const text = stringOf(node) ?? ''
  return /^(0o)?[0-7]+$/.test(text) ? Number.parseInt(text.replace('0o', ''), 8) : undefined
}
