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
 * The place of a span, for people. With a key on the same line, line and column are the key's (what
 * an editor should open) and the caret still underlines the value.
 */
export const locationOf = (span: Span, key?: Span): Location => {
  const { source } = span
  const line = lineIndex(source.lines, span.start)
  const first = source.lines[line] ?? 0
  const text = source.text.slice(first, lineEnd(source, line))
  const column = span.start - first + 1
  const end = Math.min(span.end - first, text.length)
  const length = Math.max(1, text.slice(column - 1, end).trimEnd().length)
  const onKey =
    key && key.source === source && lineIndex(source.lines, key.start) === line ? key : undefined
  return {
    file: source.name,
    line: line + 1,
    column: onKey ? onKey.start - first + 1 : column,
    text,
    caret: { column, length },
  }
}

const lineEnd = (source: SourceFile, line: number): number => {
  const next = source.lines[line + 1] ?? source.text.length + 1
  const end = next - 1
  return source.text[end - 1] === '\r' ? end - 1 : end
}
