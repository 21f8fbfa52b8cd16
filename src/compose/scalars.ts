import type { ScalarNode } from './node.ts'

/**
 * Plain (unquoted) YAML scalars as the reference loader reads them. Go's YAML library is neither
 * YAML 1.1 nor 1.2: `yes` and `22:22` are text, `0440` is octal, `1_000` is a number, a date is a
 * point in time that prints in Go's own way.
 */
export const plainScalar = (text: string): Pick<ScalarNode, 'value' | 'print'> => {
  const word = WORDS.get(text)
  if (word !== undefined) return { value: word }
  if (text === '' || !/^[-+.0-9]/.test(text)) return { value: text }
  const date = timestamp(text)
  if (date !== undefined) return { value: date, print: date }
  const digits = text.replaceAll('_', '')
  const integer = goInteger(digits)
  if (integer !== undefined) return { value: integer }
  if (FLOAT.test(digits)) {
    const value = Number(digits)
    return { value, print: goFloat(value) }
  }
  return { value: text }
}

const WORDS = new Map<string, boolean | null | number>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word) => [word, Infinity] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, -Infinity] as const),
])

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/

/** `strconv.ParseInt(text, 0, 64)`, then the unsigned one: decimal, 0x, 0b, 0o and 0 for octal. */
const goInteger = (text: string): number | bigint | undefined => {
  const match = INTEGER.exec(text)
  if (!match) return undefined
  const [, sign, digits = ''] = match
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits
  const value = BigInt(octal) * (sign === '-' ? -1n : 1n)
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** A float as `%v` prints it: shortest digits, with an exponent from 1e-05 down and 1e+06 up. */
export const goFloat = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const [mantissa = '', power = '0'] = value.toExponential().split('e')
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 6) return plainDigits(mantissa, exponent)
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
}

const plainDigits = (mantissa: string, exponent: number): string => {
  const sign = mantissa.startsWith('-') ? '-' : ''
  const digits = mantissa.replace('-', '').replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const rest = digits.slice(exponent + 1)
  return rest === '' ? sign + whole : `${sign}${whole}.${rest}`
}

const DATE =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|[ \t]+)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?[ \t]*(Z|[-+]\d{1,2}(?::?\d{2})?)?)?$/

/** A date or time in Go's `time.Time` text form, undefined if it is none. */
const timestamp = (text: string): string | undefined => {
  const match = DATE.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction, zone] = match
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number)
  if (!y || !mo || !d || mo > 12 || (h ?? 0) > 23 || (mi ?? 0) > 59 || (s ?? 0) > 59)
    return undefined
  if (d > new Date(Date.UTC(y, mo, 0)).getUTCDate()) return undefined
  // The library reads full dates only with two-digit parts, unless a time follows.
  if (match[4] === undefined && (month?.length !== 2 || day?.length !== 2)) return undefined
  const two = (part: string): string => part.padStart(2, '0')
  const tail = fraction?.replace(/0+$/, '')
  const offset = zoneText(zone)
  return (
    `${year}-${two(month ?? '')}-${two(day ?? '')} ${two(hour)}:${two(minute)}:${two(second)}` +
    `${tail ? `.${tail.slice(0, 9)}` : ''} ${offset}`
  )
}

const zoneText = (zone: string | undefined): string => {
  if (zone === undefined || zone === 'Z') return '+0000 UTC'
  const sign = zone[0] ?? '+'
  const [hours = '0', minutes = '0'] = zone.slice(1).includes(':')
    ? zone.slice(1).split(':')
    : [zone.slice(1, 3), zone.slice(3) || '0']
  const text = `${sign}${hours.padStart(2, '0')}${minutes.padStart(2, '0')}`
  return `${text} ${text}`
}
