import type { ModelPath } from './model.ts'
import { mapItems, mapValues, scalar, type Node, type ScalarNode } from './node.ts'
import type { Problems } from './problems.ts'
import { below, type Shape } from './shape.ts'
import type { Span } from './source.ts'
import { substitute, type Lookup } from './template.ts'

export interface Interpolation {
  lookup: Lookup
  problems: Problems
}

/**
 * Replaces the variables in every text of a tree (keys are left alone), and reads the texts as
 * numbers and booleans where the specification wants those. A text that cannot be is reported and
 * left out.
 */
export const interpolate = (
  node: Node,
  shape: Shape,
  { lookup, problems }: Interpolation,
): Node | undefined => {
  // A stack: most values are text without a variable, and need no path of their own.
  const stack: (string | number)[] = []
  const visitBelow = (key: string | number, at: Node, kind: Shape | undefined) => {
    stack.push(key)
    const value = visit(at, below(kind, key))
    stack.pop()
    return value
  }
  const visit = (at: Node, kind: Shape | undefined): Node | undefined => {
    if (at.tag === 'reset') return at
    if (at.kind === 'map') return mapValues(at, (value, key) => visitBelow(key, value, kind))
    if (at.kind === 'list') return mapItems(at, (item, index) => visitBelow(index, item, kind))
    return typeof at.value === 'string' && !at.print ? text(at, kind) : at
  }

  const text = (at: ScalarNode, kind: Shape | undefined): Node | undefined => {
    const template = String(at.value)
    if (!template.includes('$') && (kind === undefined || kind.is === 'text')) return at
    const path: ModelPath = [...stack]
    const { text: value, failures, unset } = substitute(template, lookup)
    for (const failure of failures) {
      const spot = { path, where: dollarAt(at.at, template, failure.at) }
      if (failure.kind === 'syntax') problems.error(spot, failure.message)
      else {
        const reason = failure.message === '' ? '' : `: ${failure.message}`
        const hint = `Set ${failure.variable} in the environment, in .env or with --env-file.`
        problems.error(spot, `the variable ${failure.variable} must be set${reason}`, hint)
      }
    }
    for (const name of unset)
      problems.warn({ path, where: at }, `the variable ${name} is not set and becomes empty`)
    if (failures.length > 0) return undefined
    const wanted = kind?.is === 'either' ? kind.scalar : kind
    const read = cast(value, wanted)
    if (read === undefined) {
      const from = value === template ? '' : ` (from ${JSON.stringify(template)})`
      const message = `expected ${castWords(wanted)}, got ${JSON.stringify(value)}${from}`
      problems.error({ path, where: at }, message)
      return undefined
    }
    return read === template ? at : { ...scalar(read, at.at), tag: at.tag }
  }

  return visit(node, shape)
}

/** The text as the kind of value that is wanted; undefined if it is none. */
const cast = (text: string, shape: Shape | undefined): ScalarNode['value'] | undefined => {
  if (shape?.is === 'flag') {
    if (/^(true|y|yes|on)$/i.test(text)) return true
    return /^(false|n|no|off)$/i.test(text) ? false : undefined
  }
  if (shape?.is === 'integer') return /^[-+]?\d{1,18}$/.test(text) ? Number(text) : undefined
  if (shape?.is === 'number')
    return /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number(text) : undefined
  return text
}

const castWords = (shape: Shape | undefined): string =>
  shape?.is === 'flag' ? 'true or false' : shape?.is === 'integer' ? 'a whole number' : 'a number'

/** The variable inside of its text: the dollar sign with the same number in the source. */
const dollarAt = (at: Span | undefined, template: string, offset: number): Span | undefined => {
  if (!at) return undefined
  const before = template.slice(0, offset).split('$').length
  let start = at.start - 1
  for (let i = 0; i < before; i += 1) {
    start = at.source.text.indexOf('$', start + 1)
    if (start === -1 || start >= at.end) return at
  }
  const close = at.source.text.indexOf('}', start)
  return { ...at, start, end: close === -1 || close >= at.end ? at.end : close + 1 }
}
