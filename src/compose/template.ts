/** What went wrong in a `${...}`; `at` is the offset in the template. */
export type TemplateFailure =
  | { kind: 'syntax'; at: number; message: string }
  | { kind: 'missing'; at: number; variable: string; message: string }

export interface Substitution {
  text: string
  failures: TemplateFailure[]
  /** Variables that had no value and no default: they became empty. */
  unset: string[]
}

export type Lookup = (name: string) => string | undefined

/** One `$VAR` or `${VAR...}` of a template. */
export interface VariableUse {
  name: string
  operator?: string
  operand?: string
}

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y
const OPERATOR = /:?[-+?]/y
/** Defaults inside of defaults; deeper is an attack. */
const MAX_NESTING = 50

/**
 * Replaces `$VAR`, `${VAR}` and `${VAR:-default}` with all of the operators `:-` `-` `:?` `?` `:+`
 * `+`, nested; `$$` is a dollar sign. A dollar sign before anything else stays as it is: `$(date)`.
 */
export const substitute = (template: string, lookup: Lookup): Substitution => {
  const result: Substitution = { text: template, failures: [], unset: [] }
  if (template.includes('$'))
    result.text = expand(template, { lookup, result, offset: 0, depth: 0 })
  return result
}

interface Expansion {
  lookup: Lookup
  result: Substitution
  /** Where the template begins in the outermost one. */
  offset: number
  /** How many templates it is inside of. */
  depth: number
}

const expand = (template: string, expansion: Expansion): string => {
  let text = ''
  let from = 0
  for (let at = template.indexOf('$'); at !== -1; at = template.indexOf('$', from)) {
    text += template.slice(from, at)
    const use = readUse(template, at)
    from = use.end
    if (use.kind === 'text') text += use.text
    else if (use.kind === 'variable') text += evaluate(use, expansion)
    else {
      const { result, offset } = expansion
      result.failures.push({ kind: 'syntax', at: offset + at, message: use.message })
    }
  }
  return text + template.slice(from)
}

type Use =
  | { kind: 'text'; text: string; end: number }
  | { kind: 'failure'; message: string; end: number }
  | ({ kind: 'variable'; at: number; end: number; operandAt: number } & VariableUse)

const match = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Reads what begins with the dollar sign at `at`. */
const readUse = (template: string, at: number): Use => {
  const next = template[at + 1]
  if (next === '$') return { kind: 'text', text: '$', end: at + 2 }
  if (next !== '{') {
    const name = match(NAME, template, at + 1)
    if (name === undefined) return { kind: 'text', text: '$', end: at + 1 }
    const end = at + 1 + name.length
    return { kind: 'variable', name, at, end, operandAt: end }
  }
  const close = closingBrace(template, at + 1)
  const end = close === -1 ? template.length : close + 1
  const name = match(NAME, template, at + 2)
  if (name === undefined) {
    const message = 'expected the name of a variable after "${" (a "$" itself is written "$$")'
    return { kind: 'failure', message, end }
  }
  if (close === -1) {
    const message = `"\${${name}" is not closed with a "}" (a "$" itself is written "$$")`
    return { kind: 'failure', message, end }
  }
  const after = at + 2 + name.length
  if (after === close) return { kind: 'variable', name, at, end, operandAt: close }
  const operator = match(OPERATOR, template, after)
  if (operator === undefined) {
    const message = `after "\${${name}" expected "}" or one of :- - :? ? :+ + (a "$" itself is written "$$")`
    return { kind: 'failure', message, end }
  }
  const operandAt = after + operator.length
  const operand = template.slice(operandAt, close)
  return { kind: 'variable', name, operator, operand, at, end, operandAt }
}

/** The `}` that closes the `{` at `open`; braces inside count. -1 if there is none. */
const closingBrace = (template: string, open: number): number => {
  let depth = 0
  for (let at = open; at < template.length; at += 1) {
    if (template[at] === '{') depth += 1
    else if (template[at] === '}' && --depth === 0) return at
  }
  // `${A:-{}`: an unpaired brace in a default. The reference takes the last one.
  return template.lastIndexOf('}') > open ? template.lastIndexOf('}') : -1
}

const evaluate = (use: Use & { kind: 'variable' }, expansion: Expansion): string => {
  const { name, operator, operand = '' } = use
  const { lookup, result, offset, depth } = expansion
  const value = lookup(name)
  const nested = (): string => {
    if (depth < MAX_NESTING)
      return expand(operand, { ...expansion, offset: offset + use.operandAt, depth: depth + 1 })
    const message = `more than ${MAX_NESTING} variables inside of each other`
    result.failures.push({ kind: 'syntax', at: offset + use.at, message })
    return ''
  }
  const present = value !== undefined && (value !== '' || !operator?.startsWith(':'))
  switch (operator?.at(-1)) {
    case '-':
      return present ? value : nested()
    case '+':
      return present ? nested() : (value ?? '')
    case '?': {
      if (present) return value
      const message = nested()
      result.failures.push({ kind: 'missing', at: offset + use.at, variable: name, message })
      return ''
    }
    case undefined:
    default:
      if (value === undefined) result.unset.push(name)
      return value ?? ''
  }
}

/** Every variable that a template names, the nested ones after the one they are in. */
export const variablesIn = (template: string): VariableUse[] => {
  const uses: VariableUse[] = []
  let from = 0
  for (let at = template.indexOf('$'); at !== -1; at = template.indexOf('$', from)) {
    const use = readUse(template, at)
    from = use.end
    if (use.kind !== 'variable') continue
    const { name, operator, operand } = use
    uses.push({
      name,
      ...(operator === undefined ? {} : { operator }),
      ...(operand === undefined ? {} : { operand }),
    })
    if (operand !== undefined) uses.push(...variablesIn(operand))
  }
  return uses
}
