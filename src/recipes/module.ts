/**
 * Recipes that come with a Compose file: one module each, which travels as text with its service and runs
 * in agents as root. Nothing that it does may end an agent: what it throws and what it answers is
 * looked at.
 */
import { z } from 'zod'
import { MusterError, messageOf } from '../base/index.ts'
import { guarded } from './guarded.ts'
import type { Recipe } from './recipe.ts'
import { RECIPES } from './registry.ts'

/** It is in the labels of a service, which every host reads. */
export const MAX_MODULE_BYTES = 64 * 1024

const method = z.custom<unknown>((value) => typeof value === 'function', 'expected a function')

/** What can be said of a recipe without running it. */
const shape = z.looseObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'expected a short lower-case name'),
  topology: z.looseObject({
    minimum: z.int().min(1),
    usual: z.int().min(1),
    forms: z.enum(['one', 'all']),
    recovers: z.enum(['elect', 'itself']),
    writer: z.boolean(),
    joinsOneByOne: z.boolean(),
  }),
  data: z.string().startsWith('/'),
  secrets: z.array(
    z.looseObject({ name: z.string().regex(/^[A-Za-z0-9_.-]{1,20}$/), bytes: z.int().min(16) }),
  ),
  options: method,
  founders: method.optional(),
  outside: method.optional(),
  container: method,
  holdsData: method,
  recover: z
    .looseObject({ command: z.array(z.string()), timeoutMs: z.number().positive(), read: method })
    .nullable(),
  snapshots: z
    .looseObject({
      folder: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/),
      read: method,
      restore: method,
    })
    .optional(),
  render: method,
  session: z.looseObject({
    command: z.array(z.string()),
    ask: method,
    read: method,
    everyMs: z.number().min(100),
    timeoutMs: z.number().min(100),
  }),
  verbs: z.record(z.string(), method),
  ports: z.array(
    z.looseObject({ port: z.int().min(1).max(65_535), to: z.enum(['any', 'writer']) }),
  ),
})

/** Throws MusterError when a module is too long. */
export const checkModuleLength = (source: string): void => {
  if (Buffer.byteLength(source) > MAX_MODULE_BYTES) {
    throw refused(`it is longer than ${MAX_MODULE_BYTES / 1024} KiB`)
  }
}

const refused = (why: string): MusterError =>
  new MusterError('STACK_REFUSED', `the recipe's module cannot be used: ${why}.`)

/** Longest that its first lines may take. */
const LOAD_LIMIT_MS = 5000

/**
 * Runs a module and gives its recipe. It can import only what comes with Node.
 *
 * @throws MusterError STACK_REFUSED
 */
export const recipeFromModule = async (
  source: string,
  onProblem: (problem: string) => void = () => undefined,
): Promise<Recipe> => {
  checkModuleLength(source)
  const text = Buffer.from(source).toString('base64')
  let module: { default?: unknown }
  try {
    module = (await inTime(import(`data:text/javascript;base64,${text}`))) as typeof module
  } catch (error) {
    throw refused(messageOf(error).replace(/data:text\/javascript;base64,\S*/g, 'it'))
  }
  const parsed = shape.safeParse(module.default)
  const [issue] = parsed.error?.issues ?? []
  if (issue) throw refused(`${issue.path.join('.') || 'default'}: ${issue.message}`)
  const recipe = module.default as Recipe
  if (RECIPES.some(({ name }) => name === recipe.name)) {
    throw refused(`Muster comes with a recipe ${recipe.name}, and it needs another name`)
  }
  return guarded(recipe, onProblem)
}

const inTime = async (loading: Promise<unknown>): Promise<unknown> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('it takes too long')), LOAD_LIMIT_MS)
  try {
    return await Promise.race([loading, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
