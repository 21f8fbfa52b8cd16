/** What every list and table of the command line has in common. */
import stringWidth from 'string-width'
import { MusterError } from '../base/index.ts'

/** `table` for people, `json` for scripts. */
export type Format = 'table' | 'json'

export const parseFormat = (text: string): Format => {
  if (text === 'table' || text === 'json') return text
  throw new MusterError('USAGE', `--format takes table or json, not "${text}".`)
}

/** One column: its heading and how a row fills it. */
export interface Column<Row> {
  head: string
  cell: (row: Row) => string
}

/** Columns padded to their widest cell, two spaces apart, no borders; `-` where there is nothing. */
export const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string => {
  const grid = [
    columns.map((column) => column.head),
    ...rows.map((row) => columns.map((column) => column.cell(row) || '-')),
  ]
  const widths = columns.map((_, i) =>
    Math.max(...grid.map((cells) => stringWidth(cells[i] ?? ''))),
  )
  return grid
    .map((cells) =>
      cells
        .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - stringWidth(cell)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** Prints rows as a table, or as one JSON array of the same rows. */
export const printRows = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  format: Format,
): void => {
  process.stdout.write(
    format === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : table(rows, columns),
  )
}

/** `12s`, `3m`, `5h`, `2d`: the largest whole unit. */
export const age = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** `3.1 GiB`, `512 MiB`: binary units, one decimal from GiB on. */
export const bytes = (count: number): string => {
  const gib = count / 2 ** 30
  if (gib >= 1) return `${gib.toFixed(1)} GiB`
  return `${Math.round(count / 2 ** 20)} MiB`
}

/** `1 host`, `3 hosts`. */
export const plural = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`

/** Asks on the terminal; without one the answer is what `--yes` says. */
export const confirm = async (question: string, options: { yes: boolean }): Promise<boolean> => {
  if (options.yes) return true
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new MusterError('USAGE', `${question} There is no terminal to ask on.`, {
      hint: 'Add --yes to answer beforehand.',
    })
  }
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim())
  } finally {
    prompt.close()
  }
}
