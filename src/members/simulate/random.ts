/** Repeatable chance: equal seeds give equal histories. */
export interface Random {
  /** 0 to 1. */
  next: () => number
  /** 0 to below `limit`. */
  below: (limit: number) => number
  chance: (share: number) => boolean
  /** One of them; undefined of none. */
  pick: <T>(of: readonly T[]) => T | undefined
}

/** Mulberry32. */
export const randomOf = (seed: number): Random => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { next, below, chance: (share) => next() < share, pick: (of) => of[below(of.length)] }
}
