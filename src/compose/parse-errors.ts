import type { Problems } from './problems.ts'
import type { SourceFile, Span } from './source.ts'

/** What the YAML library says of a place that it cannot read. */
export interface YamlError {
  code: string
  message: string
  pos: [number, number]
}

/** Says in words what the YAML library found, at the place where a person can mend it. */
export const syntaxProblem = (source: SourceFile, error: YamlError, problems: Problems): void => {
  const [start, end] = error.pos
  const place = spanOf(source, start, Math.max(end, start + 1))
  // The library is recursive, and reports its own stack overflow as a syntax error.
  if (/call stack/i.test(error.message)) {
    problems.error({ path: [], where: place }, 'not YAML: nested too deeply')
    return
  }
  if (error.code === 'MISSING_CHAR' && /quote/.test(error.message)) {
    // The library notices at the end of the file; the quote was opened long before.
    const opened = openQuote(source.text, start)
    if (opened !== undefined) {
      problems.error(
        { path: [], where: spanOf(source, opened, opened + 1) },
        'a quote is opened here and never closed',
      )
      return
    }
  }
  if (source.text[start] === '\t') {
    problems.error({ path: [], where: place }, 'a tab: YAML is indented with spaces only')
    return
  }
  problems.error({ path: [], where: place }, `not YAML: ${lowerFirst(error.message)}`)
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

/** The last quote that opens a value and is not closed in its own line. */
const openQuote = (text: string, before: number): number | undefined => {
  const opening = /(?:^|[\s[{,:-])(["'])/gm
  let found: number | undefined
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    const at = match.index + match[0].length - 1
    if (at >= before) break
    const quote = match[1] ?? '"'
    const close = text.indexOf(quote, at + 1)
    if (close === -1 || close >= before) return at
    const next = text.slice(at + 1, close)
    if (next.includes('\n') && found === undefined) found = at
    opening.lastIndex = close + 1
  }
  return found
}

const spanOf = (source: SourceFile, start: number, end: number): Span => ({ source, start, end })
