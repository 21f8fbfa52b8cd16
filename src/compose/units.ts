/** Sizes and lengths of time as the reference loader reads and prints them. */

const SIZE = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgtp]?)(i?b)?\s*$/i
const POWERS = ['', 'k', 'm', 'g', 't', 'p']

/**
 * A size in bytes: `64m`, `1.5 GiB`, `1024`. Units are powers of 1024 whichever way they are written.
 * -1 (no limit) is allowed. Undefined if it is no size.
 */
export const parseBytes = (text: string): number | undefined => {
  if (text.trim() === '-1') return -1
  const match = SIZE.exec(text)
  if (!match) return undefined
  const [, digits = '', unit = '', suffix = ''] = match
  if (unit === '' && suffix.toLowerCase() === 'ib') return undefined
  return Math.trunc(Number(digits) * 1024 ** POWERS.indexOf(unit.toLowerCase()))
}

const NANOSECONDS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  w: 604_800e9,
}
const TIME_PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)/y

/** A length of time in nanoseconds: `1m30s`, `500ms`, `2d`, `0`. Undefined if it is none. */
export const parseDuration = (text: string): number | undefined => {
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return 0
  if (body === '') return undefined
  let total = 0
  let at = 0
  while (at < body.length) {
    TIME_PART.lastIndex = at
    const match = TIME_PART.exec(body)
    if (!match) return undefined
    const [whole, digits = '', unit = ''] = match
    total += Math.round(Number(digits) * (NANOSECONDS[unit] ?? 0))
    at += whole.length
  }
  return sign * total
}

/** A length of time as Go prints it: `1m30s`, `500ms`, `0s`. */
export const formatDuration = (nanoseconds: number): string => {
  if (nanoseconds === 0) return '0s'
  const sign = nanoseconds < 0 ? '-' : ''
  const total = Math.abs(nanoseconds)
  if (total < 1e3) return `${sign}${total}ns`
  if (total < 1e6) return `${sign}${total / 1e3}µs`
  if (total < 1e9) return `${sign}${total / 1e6}ms`
  const hours = Math.floor(total / 3600e9)
  const minutes = Math.floor((total % 3600e9) / 60e9)
  const seconds = (total % 60e9) / 1e9
  const text = `${Number(seconds.toFixed(9))}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${text}`
  return minutes > 0 ? `${sign}${minutes}m${text}` : sign + text
}

/** Permission bits as Go prints them: 0o440 is `0440`. */
export const formatMode = (mode: number): string => `0${mode.toString(8)}`
