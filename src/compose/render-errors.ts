import type { ComposeError } from './model.ts'

/** Everything that is wrong, as people see it: place, message, the line, a caret, what to do. */
export const renderErrors = (errors: readonly ComposeError[]): string =>
  errors.map((error) => `${renderError(error)}\n`).join('')

/** The same for what stops nothing. */
export const renderWarnings = (warnings: readonly ComposeError[]): string =>
  warnings.map((warning) => `warning: ${renderError(warning)}\n`).join('')

const renderError = ({ path, message, location, hint }: ComposeError): string => {
  const place = location ? `${location.file}:${location.line}:${location.column} ` : ''
  const service = /^services\.([^.[\]]+)$/.exec(path)
  const about = service ? `service "${service[1]}": ` : path === '' ? '' : `${path}: `
  const first = `${place}${about}${message}${hint === undefined ? '' : `. ${hint}`}`
  if (!location || location.text.trim() === '') return first
  const number = String(location.line).padStart(5)
  const { start, text } = visible(location.text, location.caret.column)
  const at = location.caret.column - start
  // Tabs as they are in the line, so that the caret stands under what it means.
  const indent = text.slice(0, at - 1).replaceAll(/[^\t]/g, ' ')
  const length = Math.min(location.caret.length, Math.max(1, text.length - at + 1))
  return `${first}\n${number} | ${text}\n${' '.repeat(5)} | ${indent}${'^'.repeat(length)}`
}

const MAX_LINE = 160

/** The part of a very long line around a column. */
const visible = (line: string, column: number): { start: number; text: string } => {
  const clean = line.replaceAll(/[^\t -~\u00a0-\u{10ffff}]/gu, '?')
  if (clean.length <= MAX_LINE) return { start: 0, text: clean }
  const start = Math.max(0, Math.min(column - MAX_LINE / 2, clean.length - MAX_LINE))
  return { start, text: clean.slice(start, start + MAX_LINE) }
}
