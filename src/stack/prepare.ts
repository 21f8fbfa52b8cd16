import type { ComposeError, ModelPath, Stack } from '../compose/index.ts'
import type { Engine } from '../engine/index.ts'
import { RECIPES } from '../recipes/index.ts'
import type { Problem } from './check.ts'
import { type Current, readCurrent } from './current.ts'
import { resolveDigests } from './digests.ts'
import { baseName, readFileContents } from './files.ts'
import { readImageRecipes } from './image-recipes.ts'
import { plan, type Plan } from './plan.ts'
import { planRefusals, type Refusal } from './refusals.ts'
import { readRecipeFiles } from './recipe-files.ts'
import { readRegistryAuth } from './registry-auth.ts'
import { imagesToPin, settle } from './settle.ts'
import { toDesired } from './specs.ts'

/** A plan, with what it was made from. */
export interface Prepared {
  plan: Plan
  current: Current
  registryAuth: (image: string) => string | undefined
}

/** What is wrong in the file, in the form that Compose errors are shown in. */
export interface Refused {
  /** `PORT_CONFLICT` if nothing but ports is wrong. */
  code: 'STACK_REFUSED' | 'PORT_CONFLICT'
  errors: ComposeError[]
}

/** Everything between a loaded Compose project and its plan: files, registries, the cluster. */
export const prepare = async (
  engine: Engine,
  stack: Stack,
  options: { tolerate: readonly string[] },
): Promise<Prepared | Refused> => {
  const images = Object.values(stack.services).flatMap((each) => each.image ?? [])
  const [files, modules, { api }, current, registryAuth] = await Promise.all([
    readFileContents(stack),
    readRecipeFiles(stack),
    engine.version(),
    readCurrent(engine, stack.name),
    readRegistryAuth(images),
  ])
  const imageRecipes = await readImageRecipes(engine, stack, current.services)
  const specs = toDesired(stack, {
    api,
    restartDelayMs: current.restartDelayMs,
    contents: files.contents,
    tolerate: options.tolerate,
    recipes: RECIPES,
    recipeFiles: modules.recipeFiles,
    imageRecipes,
  })
  const problems = [...files.problems, ...modules.problems]
  if (problems.length > 0 || !('desired' in specs)) {
    return {
      code: 'STACK_REFUSED',
      errors: [...problems, ...specs.problems].map((each) => locate(stack, each)),
    }
  }
  const answers = await resolveDigests(engine, imagesToPin(specs.desired), registryAuth)
  const { settled, conflicts, notes } = settle(specs.desired, current, answers)
  if (conflicts.length > 0) {
    return {
      code: 'PORT_CONFLICT',
      errors: conflicts.map((each) =>
        locate(stack, {
          path: ['services', each.key, 'ports'],
          message: each.message,
          hint: each.hint,
        }),
      ),
    }
  }
  const refusals = planRefusals(settled, current)
  if (refusals.length > 0) {
    return {
      code: 'STACK_REFUSED',
      errors: refusals.map((each) =>
        locate(stack, { path: pathOf(stack, each), message: each.message, hint: each.hint }),
      ),
    }
  }
  const newest = current.revisions.at(-1)
  if (newest?.state === 'deploying') {
    notes.push(
      `revision ${newest.number} is being deployed by somebody else, or whoever did it stopped waiting.`,
    )
  }
  return { plan: plan(settled, current, notes), current, registryAuth }
}

/** Where the file speaks of a network, config or secret. */
const pathOf = (stack: Stack, { group, name }: Refusal): ModelPath => {
  const key = Object.keys(stack[group]).find((each) => {
    const own = stack[group][each]?.name ?? ''
    return own === name || own === baseName(name)
  })
  return key === undefined ? [group] : [group, key]
}

const locate = (stack: Stack, problem: Problem): ComposeError => {
  const location = problem.path.length === 0 ? undefined : stack.locate(problem.path)
  return {
    path: pathText(problem.path),
    message: problem.message.replace(/\.$/, ''),
    ...(location === undefined ? {} : { location }),
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
  }
}

/** `services.web.ports[0].published` */
const pathText = (path: ModelPath): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
    '',
  )
