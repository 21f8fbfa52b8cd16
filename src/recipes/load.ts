/** Recipes of the operator's own: modules in a folder of the host. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { messageOf } from '../base/index.ts'
import type { Recipe } from './recipe.ts'
import { RECIPES } from './registry.ts'

/** Only root can put anything there, and what is there runs in agents and the command line. */
export const RECIPES_DIR = '/etc/muster/recipes'

const method = z.custom<unknown>((value) => typeof value === 'function', 'expected a function')

/** What can be said of a recipe without running it. */
const shape = z.looseObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'expected a short lower-case name'),
  images: z.array(z.string()),
  topology: z.looseObject({
    minimum: z.int().min(1),
    usual: z.int().min(1),
    forms: z.enum(['one', 'all']),
    recovers: z.enum(['elect', 'itself']),
    writer: z.boolean(),
    joinsOneByOne: z.boolean(),
  }),
  data: z.string().startsWith('/'),
  secrets: z.array(z.looseObject({ name: z.string(), bytes: z.int().min(16) })),
  options: method,
  founders: method.optional(),
  container: method,
  holdsData: method,
  recover: z
    .looseObject({ command: z.array(z.string()), timeoutMs: z.number(), read: method })
    .nullable(),
  render: method,
  session: z.looseObject({
    command: z.array(z.string()),
    ask: method,
    read: method,
    everyMs: z.number(),
    timeoutMs: z.number(),
  }),
  verbs: z.record(z.string(), method),
  ports: z.array(z.looseObject({ port: z.int(), to: z.enum(['any', 'writer']) })),
})

/**
 * Adds the recipes in a folder to those that come with Muster: each `*.mjs` or `*.ts` exports one as
 * its default. Gives what is wrong with any; those are left out. A name can be taken once.
 */
export const loadRecipes = async (folder = RECIPES_DIR): Promise<string[]> => {
  let files: string[]
  try {
    files = (await readdir(folder)).filter((name) => /\.m?[jt]s$/.test(name)).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    return [`${folder}: ${messageOf(error)}`]
  }
  const problems: string[] = []
  for (const file of files) {
    const path = join(folder, file)
    try {
      const module = (await import(pathToFileURL(path).href)) as { default?: unknown }
      const parsed = shape.safeParse(module.default)
      const [issue] = parsed.error?.issues ?? []
      if (issue) problems.push(`${path}: ${issue.path.join('.') || 'default'}: ${issue.message}`)
      else add(module.default as Recipe)
    } catch (error) {
      problems.push(`${path}: ${messageOf(error)}`)
    }
  }
  return problems
}

const add = (recipe: Recipe): void => {
  if (RECIPES.some(({ name }) => name === recipe.name)) {
    throw new Error(`there is a recipe ${recipe.name} already`)
  }
  RECIPES.push(recipe)
}
