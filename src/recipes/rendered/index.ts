import { z } from 'zod'
import { haproxy } from '../haproxy/index.ts'
import { template } from '../template/index.ts'
import type { RenderedRecipe } from './contract.ts'

export * from './contract.ts'
export { type OwnTask, viewFrom } from './view.ts'

/** Every recipe for ordinary services that comes with Muster. */
export const RENDERED_RECIPES: readonly RenderedRecipe[] = [haproxy, template]

/** The choice that a container's label carries; null if there is none that this version knows. */
export const renderedChoice = (
  label: string | undefined,
): { recipe: RenderedRecipe; options: Record<string, unknown> } | null => {
  if (label === undefined) return null
  const parsed = choiceSchema.safeParse(jsonOf(label))
  const recipe = RENDERED_RECIPES.find(({ name }) => name === parsed.data?.recipe)
  return recipe && parsed.data ? { recipe, options: parsed.data.options } : null
}

const choiceSchema = z.object({ recipe: z.string(), options: z.record(z.string(), z.unknown()) })

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
