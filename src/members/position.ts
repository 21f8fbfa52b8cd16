import type { Position } from '../catalog/index.ts'

/** Negative when `a` is older. Only within one history. */
export const comparePositions = (a: Position, b: Position): number => {
  const difference = BigInt(a.sequence) - BigInt(b.sequence)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** `b` is of the same history and newer. */
export const isNewer = (b: Position | null, a: Position): boolean =>
  b !== null && b.history === a.history && comparePositions(a, b) < 0

/** For people: `350454 of 5e1c3a20`. */
export const positionText = ({ history, sequence }: Position): string =>
  `${sequence} of ${history.slice(0, 8)}`
