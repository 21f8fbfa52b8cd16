/**
 * Decoders: from whatever JSON held to strict types. Hand-written because a follower decodes tens
 * of thousands of endpoints at once, and because what passes here ends up in configuration files.
 */

/** A message or label is not what it has to be. */
export class CorruptMessage extends Error {
  override readonly name = 'CorruptMessage'
}

/** Returns a value of the type, newly made; throws CorruptMessage. `at` says where, for the error. */
export type Decode<T> = (value: unknown, at: string) => T

type Decoded<D> = D extends Decode<infer T> ? T : never

const wrong = (at: string, expected: string): never => {
  throw new CorruptMessage(`${at}: expected ${expected}`)
}

/** A string that matches the whole pattern. */
export const text =
  (pattern: RegExp, expected: string): Decode<string> =>
  (value, at) =>
    typeof value === 'string' && pattern.test(value) ? value : wrong(at, expected)

/** Any string up to `limit` characters. */
export const anyText =
  (limit: number): Decode<string> =>
  (value, at) =>
    typeof value === 'string' && value.length <= limit
      ? value
      : wrong(at, `a string of at most ${limit} characters`)

export const bool: Decode<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : wrong(at, 'true or false')

/** A whole number from `min` to `max`. */
export const integer =
  (min: number, max: number = Number.MAX_SAFE_INTEGER): Decode<number> =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : wrong(at, `a whole number from ${min} to ${max}`)

/** A finite number that is not negative. */
export const amount: Decode<number> = (value, at) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : wrong(at, 'a number that is not negative')

export const oneOf =
  <const T extends string>(...choices: readonly T[]): Decode<T> =>
  (value, at) =>
    (choices as readonly unknown[]).includes(value)
      ? (value as T)
      : wrong(at, `one of ${choices.join(', ')}`)

export const nullable =
  <T>(decode: Decode<T>): Decode<T | null> =>
  (value, at) =>
    value === null ? null : decode(value, at)

/** `decode`, or `absent` where there is nothing. */
export const fallback =
  <T>(decode: Decode<T>, absent: T): Decode<T> =>
  (value, at) =>
    value === undefined ? absent : decode(value, at)

export const list =
  <T>(decode: Decode<T>, limit = 1_000_000): Decode<T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length > limit)
      return wrong(at, `a list of at most ${limit}`)
    return value.map((entry: unknown, i) => decode(entry, `${at}[${i}]`))
  }

/** An object used as a table: every key matches, every value decodes. */
export const record =
  <T>(key: Decode<string>, decode: Decode<T>): Decode<Record<string, T>> =>
  (value, at) => {
    const result: Record<string, T> = {}
    for (const [name, entry] of Object.entries(plain(value, at))) {
      if (name === '__proto__') return wrong(at, 'ordinary keys')
      result[key(name, at)] = decode(entry, at)
    }
    return result
  }

/** An object with these fields. Others are left out: a newer version may send more. */
export const object = <S extends Record<string, Decode<unknown>>>(
  shape: S,
): Decode<{ [K in keyof S]: Decoded<S[K]> }> => {
  const fields = Object.entries(shape)
  return (value, at) => {
    const source = plain(value, at)
    const result: Record<string, unknown> = {}
    for (const [name, decode] of fields) result[name] = decode(source[name], `${at}.${name}`)
    return result as { [K in keyof S]: Decoded<S[K]> }
  }
}

/** JSON text through a decoder. Throws CorruptMessage for either. */
export const fromJson = <T>(json: string, decode: Decode<T>, at: string): T => {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new CorruptMessage(`${at}: not JSON`, { cause })
  }
  return decode(value, at)
}

const plain = (value: unknown, at: string): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : wrong(at, 'an object')
