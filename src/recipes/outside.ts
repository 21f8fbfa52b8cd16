import type { Outside, Recipe, Topology } from './recipe.ts'

/** Members outside of a service with these options; null if there are none and none may come. */
export const outsideOf = (
  recipe: Pick<Recipe, 'outside'>,
  options: Record<string, unknown> | undefined,
): Outside | null => (options === undefined ? null : (recipe.outside?.(options) ?? null))

/** How the cluster of one service behaves. `options` undefined: its file is not known. */
export const topologyOf = (
  recipe: Pick<Recipe, 'topology' | 'outside'>,
  options: Record<string, unknown> | undefined,
): Topology =>
  (outsideOf(recipe, options)?.members.length ?? 0) > 0
    ? { ...recipe.topology, outside: true }
    : recipe.topology
