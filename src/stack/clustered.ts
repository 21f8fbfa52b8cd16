/** Services that a recipe makes a cluster of: what the file says of them, checked. */
import { LABEL, MusterError } from '../base/index.ts'
import type { RecipeChoice } from '../catalog/index.ts'
import type { ModelPath, Service } from '../compose/index.ts'
import type { Recipe } from '../recipes/index.ts'
import type { Problem } from './check.ts'
import type { SwarmMount, SwarmServiceSpec } from './desired.ts'
import { IMAGE_LABEL, type ImageRecipes } from './image-recipes.ts'
import { parseImage } from './image.ts'
import { variablesOf } from './variables.ts'
import type { RecipeFiles } from './recipe-files.ts'
import { MUSTER_KEY, type MusterOptions, writtenRecipe } from './x-muster.ts'

/** What a recipe makes of a service. */
export interface Clustered {
  recipe: Recipe
  choice: RecipeChoice
  /** Wanted members. */
  members: number
  /** The image has asked for it. */
  fromImage: boolean
}

export interface ClusteredContext {
  muster: MusterOptions
  recipes: readonly Recipe[]
  /** Those that lie beside the Compose file. */
  recipeFiles: RecipeFiles
  /** Those that images ask for. */
  imageRecipes: ImageRecipes
  problems: Problem[]
}

/**
 * The recipe of a service: the one that `x-muster: {recipe: ...}` names, or, when more than one
 * replica is wanted, the one that is for its image (several plain containers of such software would
 * share nothing). Undefined for an ordinary service, and when what is wrong is in `problems`.
 */
export const clusteredService = (
  key: string,
  service: Service,
  context: ClusteredContext,
): Clustered | undefined => {
  if (context.muster.recipe === false) return undefined
  const path: ModelPath = ['services', key, MUSTER_KEY, 'recipe']
  const replicas = service.deploy?.replicas ?? service.scale
  const written = writtenRecipe(context.muster)
  const fromImage = written === undefined ? context.imageRecipes.get(key) : undefined
  const { file, options: given } = written ?? { options: {} }
  const name = written?.name ?? fromImage
  const own = file === undefined ? undefined : context.recipeFiles.get(file)
  // A module that could not be read has been complained of.
  if (file !== undefined && own === undefined) return undefined
  const recipe =
    own?.recipe ??
    (name === undefined
      ? (replicas ?? 1) > 1
        ? recipeForImage(context.recipes, service.image ?? '')
        : undefined
      : context.recipes.find((each) => each.name === name))
  if (recipe === undefined) {
    const known = context.recipes.map((each) => each.name).join(', ')
    if (fromImage !== undefined) {
      context.problems.push({
        path: ['services', key, 'image'],
        message: `the image asks by its label ${IMAGE_LABEL} for a recipe "${fromImage}", which there is not.`,
        hint: `Recipes are: ${known}. ${MUSTER_KEY}: {recipe: false} takes it as any other image.`,
      })
    } else if (name !== undefined) {
      context.problems.push({
        path,
        message: `${MUSTER_KEY}: there is no recipe "${name}".`,
        hint: `Recipes are: ${known}; one of your own is given as {file: PATH}.`,
      })
    }
    return undefined
  }
  const environment = variablesOf(service)
  const options = checkedOptions(recipe, given, { environment, path, problems: context.problems })
  const members = replicas ?? recipe.topology.usual
  refuseWhatMembersLack(key, service, { recipe, options, members, problems: context.problems })
  const choice: RecipeChoice = {
    name: recipe.name,
    options: options ?? {},
    ports: recipe.ports,
    ...(own === undefined ? {} : { code: own.code }),
  }
  return { recipe, choice, members, fromImage: fromImage !== undefined }
}

/** The recipe that claims an image, whatever its registry and tag. */
export const recipeForImage = (recipes: readonly Recipe[], image: string): Recipe | undefined => {
  const parsed = parseImage(image)
  if (parsed === undefined) return undefined
  const path = parsed.repository.replace(/^library\//, '')
  return recipes.find((each) =>
    each.images.some((claimed) => claimed.replace(/^library\//, '') === path),
  )
}

const checkedOptions = (
  recipe: Recipe,
  given: Record<string, unknown>,
  {
    environment,
    path,
    problems,
  }: { environment: ReadonlyMap<string, string>; path: ModelPath; problems: Problem[] },
): Record<string, unknown> | undefined => {
  try {
    return recipe.options(given, environment)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    problems.push({
      path,
      message: `${MUSTER_KEY}: recipe ${recipe.name}: ${error.message}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
    return undefined
  }
}

const refuseWhatMembersLack = (
  key: string,
  service: Service,
  what: {
    recipe: Recipe
    /** Undefined: they are wrong, which is said already. */
    options: Record<string, unknown> | undefined
    members: number
    problems: Problem[]
  },
): void => {
  const { recipe, options, members, problems } = what
  const refuse = (path: ModelPath, message: string, hint: string) =>
    problems.push({ path: ['services', key, ...path], message, hint })
  const { minimum, usual } = recipe.topology
  if (members > 0 && members < minimum) {
    refuse(
      ['deploy', 'replicas'],
      `${members} ${members === 1 ? 'member is' : 'members are'} too few for the recipe ${recipe.name}.`,
      `Give it at least ${minimum}; ${usual} is usual.`,
    )
  }
  const founders = (options && recipe.founders?.(options)) ?? 0
  if (members > 0 && founders > members) {
    refuse(
      ['deploy', 'replicas'],
      `the cluster is to be formed by ${founders} members, and there are to be ${members}.`,
      'Ask for more replicas, or for fewer members to form it.',
    )
  }
  const mode = service.deploy?.mode
  if (mode !== undefined && mode !== 'replicated') {
    refuse(
      ['deploy', 'mode'],
      `a service with the recipe ${recipe.name} is made of members, it cannot be ${mode}.`,
      'Leave deploy.mode out and give deploy.replicas.',
    )
  }
  if (service.network_mode !== undefined && !['bridge', 'default'].includes(service.network_mode)) {
    refuse(
      ['network_mode'],
      `members of the recipe ${recipe.name} reach each other on the stack's networks.`,
      'Leave network_mode out.',
    )
  }
  if (service.deploy?.endpoint_mode === 'dnsrr') {
    refuse(
      ['deploy', 'endpoint_mode'],
      `a service with the recipe ${recipe.name} needs virtual IPs, so that its name leads to ready members only.`,
      'Leave deploy.endpoint_mode out.',
    )
  }
  for (const [i, port] of (service.ports ?? []).entries()) {
    if (port.mode !== 'host' && port.protocol === 'tcp') continue
    refuse(
      ['ports', i],
      `only TCP ports that every host serves can be published by a service with the recipe ${recipe.name}.`,
      'Leave mode and protocol out.',
    )
  }
  for (const [i, mount] of (service.volumes ?? []).entries()) {
    if (mount.target !== recipe.data || mount.type === 'volume') continue
    refuse(
      ['volumes', i],
      `${recipe.data} is where the recipe ${recipe.name} keeps the data of each member.`,
      'Leave this mount out: each member gets a volume of its own, on its host.',
    )
  }
}

/** The mounts that the head keeps: each member brings its own for the data. */
export const withoutData = (
  mounts: readonly SwarmMount[],
  { recipe }: Clustered,
): { kept: SwarmMount[]; replaced: string[] } => ({
  kept: mounts.filter((each) => each.Target !== recipe.data),
  replaced: mounts.flatMap((each) =>
    each.Target === recipe.data ? [each.Source ?? '(anonymous)'] : [],
  ),
})

/** Whether a member is well is for the recipe to say. */
const withoutHealth = ({ TaskTemplate }: SwarmServiceSpec) => {
  const { Healthcheck: _, ...container } = TaskTemplate.ContainerSpec
  return container
}

/** The spec of a head: it has no tasks, its labels say what the leader makes of it. */
export const headSpec = (spec: SwarmServiceSpec, clustered: Clustered): SwarmServiceSpec => ({
  ...spec,
  TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: withoutHealth(spec) },
  Mode: { Replicated: { Replicas: 0 } },
  Labels: {
    ...spec.Labels,
    [LABEL.recipe]: JSON.stringify(clustered.choice),
    [LABEL.members]: String(clustered.members),
    ...(clustered.fromImage ? { [LABEL.recipeFrom]: 'image' } : {}),
  },
})
