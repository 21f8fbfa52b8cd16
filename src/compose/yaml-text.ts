import { plainScalar } from './scalars.ts'

/**
 * Plain data as YAML in block style, quoted only where the text would otherwise be read as something
 * else: by this loader, by the reference, or by a YAML 1.1 reader.
 */
export const yamlText = (data: unknown): string => {
  const out: string[] = []
  write(data, 0, out, 'top')
  return out.join('')
}

/** Where a value stands: it begins a document, follows `KEY:` or follows `- `. */
type Position = 'top' | 'key' | 'item'

const INDENT = '  '

const write = (value: unknown, depth: number, out: string[], position: Position): void => {
  if (Array.isArray(value)) writeList(value, depth, out, position)
  else if (typeof value === 'object' && value !== null)
    writeMap(Object.entries(value), depth, out, position)
  else out.push(position === 'key' ? ' ' : '', scalarText(value, depth), '\n')
}

const writeList = (items: unknown[], depth: number, out: string[], position: Position): void => {
  if (items.length === 0) {
    out.push(position === 'key' ? ' []\n' : '[]\n')
    return
  }
  if (position === 'key') out.push('\n')
  const inner = position === 'top' ? depth : depth + 1
  for (const [index, item] of items.entries()) {
    if (index > 0 || position !== 'item') out.push(INDENT.repeat(inner))
    out.push('- ')
    write(item, inner, out, 'item')
  }
}

const writeMap = (
  entries: [string, unknown][],
  depth: number,
  out: string[],
  position: Position,
): void => {
  if (entries.length === 0) {
    out.push(position === 'key' ? ' {}\n' : '{}\n')
    return
  }
  if (position === 'key') out.push('\n')
  const inner = position === 'top' ? depth : depth + 1
  let first = position === 'item'
  for (const [key, value] of entries) {
    if (!first) out.push(INDENT.repeat(inner))
    first = false
    out.push(isPlain(key) ? key : JSON.stringify(key), ':')
    write(value, inner, out, 'key')
  }
}

const scalarText = (value: unknown, depth: number): string => {
  if (value === null || value === undefined) return 'null'
  if (typeof value !== 'string') return numberText(value)
  if (isPlain(value)) return value
  if (!/^[\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufefe]*$/.test(value) || !value.includes('\n'))
    return JSON.stringify(value)
  return blockText(value, depth)
}

const numberText = (value: unknown): string => {
  if (value === Infinity) return '.inf'
  if (value === -Infinity) return '-.inf'
  return Number.isNaN(value) ? '.nan' : String(value)
}

/** Several lines as a `|` block, if nothing about them would be lost. */
const blockText = (value: string, depth: number): string => {
  const lines = value.split('\n')
  const odd =
    lines.some((line) => /^\s+$/.test(line)) || /^[\s]/.test(value) || value.includes('\t')
  if (odd) return JSON.stringify(value)
  const ending = value.endsWith('\n\n') ? '+' : value.endsWith('\n') ? '' : '-'
  const body = ending === '-' ? lines : lines.slice(0, -1)
  const indent = INDENT.repeat(depth + 1)
  return `|${ending}\n${body.map((line) => (line === '' ? '' : indent + line)).join('\n')}`
}

/** Words that YAML 1.1 takes for booleans, and the reference's printer quotes. */
const WORDS_1_1 = /^(y|yes|n|no|on|off|true|false|null|~)$/i

/** Begins with nothing that means something to YAML, and has no `: ` or ` #` inside. */
const SAFE = /^[A-Za-z0-9_./$^+\u00a1-\ud7ff][^\n\t\r]*$/

const isPlain = (text: string): boolean => {
  if (!SAFE.test(text) || text.endsWith(' ') || text.endsWith(':')) return false
  if (text.includes(': ') || text.includes(' #') || WORDS_1_1.test(text)) return false
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(text)) return false
  // 1:30 is a number of minutes in YAML 1.1.
  if (/^[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?$/.test(text) || /^[-+.]?\d[\d_.,]*$/.test(text))
    return false
  return plainScalar(text).value === text && plainScalar(text).print === undefined
}
