import { plainScalar } from './scalars.ts'

/**
 * Plain data as YAML in block style, quoted only where the text would otherwise be read as something
 * else: by this loader, by the reference, or by a YAML 1.1 reader. `change` is what is to become of
 * each text but the keys.
 */
export const yamlText = (
  data: unknown,
  change: (text: string) => string = (text) => text,
): string => {
  const writer = new YamlWriter(change)
  writer.write(data, 0, 'top')
  return writer.out.join('')
}

/** Where a value stands: it begins a document, follows `KEY:` or follows `- `. */
type Position = 'top' | 'key' | 'item'

const INDENT = '  '

class YamlWriter {
  readonly out: string[] = []
  readonly #change: (text: string) => string
  /** Keys as they are written: the same few, thousands of times. */
  readonly #keys = new Map<string, string>()

  constructor(change: (text: string) => string) {
    this.#change = change
  }

  write(value: unknown, depth: number, position: Position): void {
    if (Array.isArray(value)) this.#list(value, depth, position)
    else if (typeof value === 'object' && value !== null)
      this.#map(Object.entries(value), depth, position)
    else {
      const changed = typeof value === 'string' ? this.#change(value) : value
      this.out.push(position === 'key' ? ' ' : '', scalarText(changed, depth), '\n')
    }
  }

  #list(items: unknown[], depth: number, position: Position): void {
    const inner = this.#open(items.length === 0 ? '[]' : undefined, depth, position)
    for (const [index, item] of items.entries()) {
      if (index > 0 || position !== 'item') this.out.push(INDENT.repeat(inner))
      this.out.push('- ')
      this.write(item, inner, 'item')
    }
  }

  #map(entries: [string, unknown][], depth: number, position: Position): void {
    const inner = this.#open(entries.length === 0 ? '{}' : undefined, depth, position)
    for (const [index, [key, value]] of entries.entries()) {
      if (index > 0 || position !== 'item') this.out.push(INDENT.repeat(inner))
      this.out.push(this.#key(key), ':')
      this.write(value, inner, 'key')
    }
  }

  #key(key: string): string {
    let text = this.#keys.get(key)
    if (text === undefined) {
      text = isPlain(key) ? key : JSON.stringify(key)
      this.#keys.set(key, text)
    }
    return text
  }

  /** Begins a collection (or writes an empty one whole); returns the depth of what is in it. */
  #open(empty: string | undefined, depth: number, position: Position): number {
    if (empty !== undefined) this.out.push(position === 'key' ? ' ' : '', empty, '\n')
    else if (position === 'key') this.out.push('\n')
    return position === 'top' ? depth : depth + 1
  }
}

const scalarText = (value: unknown, depth: number): string => {
  if (value === null || value === undefined) return 'null'
  if (typeof value !== 'string') return numberText(value)
  if (isPlain(value)) return value
  return value.includes('\n') ? blockText(value, depth) : JSON.stringify(value)
}

const numberText = (value: unknown): string => {
  if (value === Infinity) return '.inf'
  if (value === -Infinity) return '-.inf'
  return Number.isNaN(value) ? '.nan' : String(value)
}

/** What a `|` block can hold: printable, no tab, no line of blanks, no blank at the start. */
const BLOCK = /^[\n\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe]*$/

/** Several lines as a `|` block, if nothing about them would be lost. */
const blockText = (value: string, depth: number): string => {
  const lines = value.split('\n')
  const odd = !BLOCK.test(value) || /^\s/.test(value) || lines.some((line) => /^\s+$/.test(line))
  if (odd) return JSON.stringify(value)
  const ending = value.endsWith('\n\n') ? '+' : value.endsWith('\n') ? '' : '-'
  const body = ending === '-' ? lines : lines.slice(0, -1)
  const indent = INDENT.repeat(depth + 1)
  return `|${ending}\n${body.map((line) => (line === '' ? '' : indent + line)).join('\n')}`
}

/** Begins with nothing that means something to YAML, and holds only what can be seen. */
const SAFE =
  /^(?:--?[A-Za-z]|[A-Za-z0-9_./$^+\u00a1-\u2027\u202a-\ud7ff])[ -~\u00a1-\u2027\u202a-\ud7ff]*$/

/** Words that YAML 1.1 takes for booleans. */
const WORDS_1_1 = /^(y|yes|n|no|on|off|true|false|null|~)$/i

/** What some reader takes for a number: 1:30 is 90 in YAML 1.1, and "e0" is one to a careless one. */
const NUMBERS = /^([-+]?[\d.][\d_.,:eE+-]*|[eE][-+]?\d+)$/

const isPlain = (text: string): boolean => {
  if (!SAFE.test(text) || text.endsWith(' ') || text.endsWith(':')) return false
  if (text.includes(': ') || text.includes(' #')) return false
  if (WORDS_1_1.test(text) || NUMBERS.test(text)) return false
  const read = plainScalar(text)
  return read.value === text && read.print === undefined
}
