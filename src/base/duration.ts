import { MusterError } from './errors.ts'

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of `500ms`, `2s`, `1m30s` (as Docker writes them) or a plain number of seconds. */
export const parseDuration = (text: string, flag: string): number => {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000)
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    throw new MusterError(
      'USAGE',
      `${flag} takes a duration like 500ms, 2s or 1m30s, not "${text}".`,
    )
  }
  let total = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(count) * (UNITS[unit ?? ''] ?? 0)
  }
  return Math.round(total)
}
