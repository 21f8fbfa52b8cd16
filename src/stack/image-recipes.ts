/** Recipes that images ask for by a label of their own. */
import { LABEL, MusterError } from '../base/index.ts'
import { headOf } from '../catalog/index.ts'
import type { Stack } from '../compose/index.ts'
import type { Engine, Service } from '../engine/index.ts'
import { parseMusterOptions } from './x-muster.ts'

/** Label of an image: the name of the recipe that is for it. */
export const IMAGE_LABEL = 'io.muster.recipe'

/** Names of recipes, by key of the service. */
export type ImageRecipes = ReadonlyMap<string, string>

/**
 * What the images of services say that have more than one replica and no recipe in the file. They are
 * read from this host's engine, and only for services that are new: what runs stays what it is, whether the
 * image is still here or not.
 */
export const readImageRecipes = async (
  engine: Pick<Engine, 'inspectImage'>,
  stack: Stack,
  services: readonly Service[],
): Promise<ImageRecipes> => {
  const found = new Map<string, string>()
  await Promise.all(
    Object.entries(stack.services).map(async ([key, service]) => {
      const { image, deploy, scale } = service
      // What is wrong there is said elsewhere.
      const { recipe } = parseMusterOptions(key, service, [])
      if (image === undefined || recipe !== undefined || (deploy?.replicas ?? scale ?? 1) < 2)
        return
      const existing = services.find(({ Spec }) => Spec.Name === `${stack.name}_${key}`)
      const name =
        existing === undefined ? await labelOf(engine, image) : chosenBefore(existing.Spec)
      if (name !== undefined) found.set(key, name)
    }),
  )
  return found
}

const chosenBefore = (spec: Service['Spec']): string | undefined =>
  spec.Labels?.[LABEL.recipeFrom] === undefined ? undefined : headOf(spec)?.choice.name

const labelOf = async (
  engine: Pick<Engine, 'inspectImage'>,
  image: string,
): Promise<string | undefined> => {
  try {
    return (await engine.inspectImage(image)).Labels[IMAGE_LABEL]
  } catch (error) {
    if (error instanceof MusterError && ['NOT_FOUND', 'ENGINE_REFUSED'].includes(error.code)) {
      return undefined
    }
    throw error
  }
}
