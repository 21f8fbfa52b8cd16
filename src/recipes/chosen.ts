import type { RecipeChoice } from '../catalog/index.ts'
import { recipeFromModule } from './module.ts'
import type { Recipe } from './recipe.ts'
import { recipeNamed } from './registry.ts'

/**
 * The recipe that a service has chosen: one of Muster's, or the one that came with it.
 *
 * @throws MusterError NOT_FOUND, or STACK_REFUSED for a module that is none
 */
export const recipeChosen = async ({
  name,
  code,
}: Pick<RecipeChoice, 'name' | 'code'>): Promise<Recipe> =>
  code === undefined ? recipeNamed(name) : recipeFromModule(code)
