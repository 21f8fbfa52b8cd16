/** Services whose files a recipe makes from what the cluster looks like now. */
import { LABEL, MusterError } from '../base/index.ts'
import type { ModelPath, Service } from '../compose/index.ts'
import { RENDERED_RECIPES, type RenderedChoice, type RenderedRecipe } from '../recipes/index.ts'
import type { Problem } from './check.ts'
import type { SwarmServiceSpec } from './desired.ts'
import { parseImage } from './image.ts'
import { variablesOf } from './variables.ts'
import { MUSTER_KEY, type MusterOptions, writtenRecipe } from './x-muster.ts'

/** What a recipe makes of a service. */
export interface Rendered {
  recipe: RenderedRecipe
  choice: RenderedChoice
}

/** Volume of such a service on each host, for the files; all its containers there have the same. */
const filesVolume = (service: string): string => `${service}.run`
/** The same of each container: Swarm fills in its number. */
const ownVolume = (service: string): string => `${service}.{{.Task.Slot}}.run`
const FILES_FOLDER = '/muster'
const VOLUME_DRIVER = 'muster'

/**
 * The recipe of a service, if it is one of this kind: the file names it, or it is for the image and the
 * environment says that it is wanted. What is wrong is added to `problems`.
 */
export const renderedService = (
  key: string,
  service: Service,
  context: {
    muster: MusterOptions
    /** Text of a config of the stack. */
    config: (name: string) => string | null
    problems: Problem[]
  },
): Rendered | undefined => {
  const { muster, config, problems } = context
  if (muster.recipe === false) return undefined
  const written = writtenRecipe(muster)
  if (written?.file !== undefined) return undefined
  const { name, options: given } = written ?? { options: {} }
  const environment = variablesOf(service)
  const recipe =
    name === undefined
      ? recipeOfImage(service.image ?? '', environment)
      : RENDERED_RECIPES.find((each) => each.name === name)
  if (!recipe) return undefined
  try {
    return {
      recipe,
      choice: { recipe: recipe.name, options: recipe.options(given, { environment, config }) },
    }
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    const path: ModelPath = ['services', key, ...(written === undefined ? [] : [MUSTER_KEY])]
    problems.push({
      path,
      message: `recipe ${recipe.name}: ${error.message}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
    return undefined
  }
}

const recipeOfImage = (
  image: string,
  environment: ReadonlyMap<string, string>,
): RenderedRecipe | undefined => {
  const repository = parseImage(image)?.repository
  return RENDERED_RECIPES.find(
    (each) =>
      repository !== undefined && each.images.includes(repository) && each.claims(environment),
  )
}

/** The spec with a folder for the files, which the agent of each host fills before it starts. */
export const renderedSpec = (
  spec: SwarmServiceSpec,
  { recipe, choice }: Rendered,
): SwarmServiceSpec => {
  const container = spec.TaskTemplate.ContainerSpec
  return {
    ...spec,
    TaskTemplate: {
      ...spec.TaskTemplate,
      ContainerSpec: {
        ...container,
        Labels: { ...container.Labels, [LABEL.files]: JSON.stringify(choice) },
        ...(recipe.entrypoint === null ? {} : { Command: recipe.entrypoint }),
        Mounts: [
          ...(container.Mounts ?? []),
          {
            Type: 'volume',
            Source: (recipe.ownFiles?.(choice.options) === true ? ownVolume : filesVolume)(
              spec.Name,
            ),
            Target: FILES_FOLDER,
            ReadOnly: true,
            VolumeOptions: {
              NoCopy: true,
              DriverConfig: { Name: VOLUME_DRIVER, Options: { type: 'run' } },
            },
          },
        ],
      },
    },
  }
}
