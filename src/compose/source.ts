import type { Location } from './model.ts'

/** A file as it was read: what positions refer to. */
export interface SourceFile {
  /** As people call it: relative to where they stand if it is below, `-` for stdin. */
  name: string
  /** Absolute path; empty for stdin. */
  path: string
  text: string
  /** Offset of the first character of every line. */
  lines: readonly number[]
}

/** A stretch of a file, in UTF-16 offsets. */
export interface Span {
  source: SourceFile
  start: number
  end: number
}

/** Makes a source file, with its line table. */
export const sourceFile = (name: string, path: string, text: string): SourceFile => {
  const lines = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.push(at + 1)
  return { name, path, text, lines }
}

/** Index of the line that holds an offset, from 0. */
const lineIndex = (lines: readonly number[], offset: number): number => {
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((lines[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return low
}

/** The line a span begins in, from 1. */
export const lineOf = ({ source, start }: Span): number => lineIndex(source.lines, start) + 1

/**
 * The place of a value, for people. With a key on the same line, line and column are the key's (what
 * an editor should open) and the caret still underlines the value; of a value that begins further
 * down, the key is shown.
 */
export const locationOf = (value: Span, key?: Span): Location => {
  const known = key?.source === value.source ? key : undefined
  const shown = known && lineOf(known) < lineOf(value) ? known : value
  const { source } = shown
  const line = lineIndex(source.lines, shown.start)
  const first = source.lines[line] ?? 0
  const text = source.text.slice(first, lineEnd(source, line))
  const caret = shown.start - first
  const end = Math.min(shown.end - first, text.length)
  const start = known && lineOf(known) === line + 1 ? known.start - first : caret
  return {
    file: source.name,
    line: line + 1,
    column: start + 1,
    text,
    caret: { column: caret + 1, length: Math.max(1, text.slice(caret, end).trimEnd().length) },
  }
}

const lineEnd = (source: SourceFile, line: number): number => {
  const next = source.lines[line + 1] ?? source.text.length + 1
  const end = next - 1
  return source.text[end - 1] === '\r' ? end - 1 : end
}
