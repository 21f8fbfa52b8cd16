import { MusterError } from '../base/index.ts'
import { galera } from './galera/index.ts'
import type { Recipe } from './recipe.ts'

/** Every recipe that comes with Muster. */
export const RECIPES: readonly Recipe[] = [galera]

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

/** The recipe that an image's name says, whatever its registry, tag or digest; undefined if none. */
export const recipeOfImage = (image: string): Recipe | undefined => {
  const name = imageName(image)
  return RECIPES.find((recipe) => recipe.images.includes(name))
}

/** `registry:5000/team/mariadb:10.11@sha256:...` is `team/mariadb`. */
const imageName = (image: string): string => {
  const [path = ''] = image.split('@')
  const parts = path.split('/')
  // As Docker reads it: a first part with a dot or a port, or localhost, is a registry.
  if (parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? '')) parts.shift()
  return parts.join('/').replace(/:[^:/]*$/, '')
}
