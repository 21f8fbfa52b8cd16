/** Recipes that lie beside the Compose file. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MusterError, messageOf } from '../base/index.ts'
import type { Stack } from '../compose/index.ts'
import { type Recipe, recipeFromModule } from '../recipes/index.ts'
import type { Problem } from './check.ts'
import { MUSTER_KEY, parseMusterOptions, writtenRecipe } from './x-muster.ts'

/** A recipe, and the text of its module. */
export interface RecipeFile {
  recipe: Recipe
  code: string
}

/** By the path as it is written. */
export type RecipeFiles = ReadonlyMap<string, RecipeFile>

/** Reads and runs the modules that the services of a stack name. */
export const readRecipeFiles = async (
  stack: Stack,
): Promise<{ recipeFiles: RecipeFiles; problems: Problem[] }> => {
  const recipeFiles = new Map<string, RecipeFile>()
  const problems: Problem[] = []
  for (const [key, service] of Object.entries(stack.services)) {
    // What is wrong with the rest of it is said elsewhere.
    const file = writtenRecipe(parseMusterOptions(key, service, []))?.file
    if (file === undefined || recipeFiles.has(file)) continue
    try {
      const code = await readFile(resolve(stack.projectDirectory, file), 'utf8')
      recipeFiles.set(file, { recipe: await recipeFromModule(code), code })
    } catch (error) {
      problems.push({
        path: ['services', key, MUSTER_KEY, 'recipe', 'file'],
        message: `${file}: ${messageOf(error)}`,
        ...(error instanceof MusterError && error.hint !== undefined ? { hint: error.hint } : {}),
      })
    }
  }
  return { recipeFiles, problems }
}
