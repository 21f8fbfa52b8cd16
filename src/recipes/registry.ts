import { MusterError } from '../base/index.ts'
import { etcd } from './etcd/index.ts'
import { galera } from './galera/index.ts'
import type { Recipe } from './recipe.ts'

/** Every recipe that comes with Muster. */
export const RECIPES: readonly Recipe[] = [etcd, galera]

/**
 * The recipe of a name, as it stands in a ledger or in `x-muster: {recipe: NAME}`.
 *
 * @throws MusterError NOT_FOUND
 */
export const recipeNamed = (name: string): Recipe => {
  const found = RECIPES.find((recipe) => recipe.name === name)
  if (found) return found
  throw new MusterError('NOT_FOUND', `There is no recipe ${JSON.stringify(name)}.`, {
    hint: `There are: ${RECIPES.map((recipe) => recipe.name).join(', ')}.`,
  })
}
