/** Deterministic randomness: the same seed gives the same history. */
export interface Random {
  /** At least 0, below 1. */
  next(): number
  /** At least `from`, below `to`. */
  between(from: number, to: number): number
  /** Letters and digits, as Swarm's ids (25) are made of. */
  id(length?: number): string
  /** Hexadecimal digits, as container ids (64) are made of. */
  hex(length?: number): string
}

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'

/** mulberry32: small, fast, good enough to shuffle. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const text = (letters: string, length: number) =>
    Array.from({ length }, () => letters[Math.floor(next() * letters.length)]).join('')
  return {
    next,
    between: (from, to) => from + next() * (to - from),
    id: (length = 25) => text(LETTERS, length),
    hex: (length = 64) => text('0123456789abcdef', length),
  }
}
