import type { Recipe } from '../recipes/index.ts'

/** How many members have to be there before a cluster is formed, of those that are wanted. */
export const foundersOf = (
  { founders, topology }: Pick<Recipe, 'founders' | 'topology'>,
  options: Record<string, unknown>,
  wanted: number | null,
): number => {
  const { forms, usual, minimum } = topology
  const asked = founders?.(options) ?? (forms === 'all' ? usual : minimum)
  return Math.max(1, Math.min(asked, wanted ?? 0))
}
