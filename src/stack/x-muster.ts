import { z } from 'zod'
import type { HttpRoute } from '../catalog/index.ts'
import type { ModelPath, Service } from '../compose/index.ts'
import type { Problem } from './check.ts'

/** The extension key of Muster, in a service and at the top of the file. */
export const MUSTER_KEY = 'x-muster'

const portNumber = z.int().min(1).max(65535)
const hostName = z
  .string()
  .regex(
    /^(\*|(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/i,
    'expected a host name, *.example.com or *',
  )
  .transform((host) => host.toLowerCase())

const httpRoute = z.union([
  hostName.transform((host) => ({ host, path: '/', published: 80, target: undefined })),
  z.strictObject({
    host: hostName.default('*'),
    path: z
      .string()
      .regex(/^\/[^\s?#]*$/, 'expected a path that begins with /')
      .default('/'),
    published: portNumber.default(80),
    target: portNumber.optional(),
  }),
])

const serviceSchema = z.strictObject({
  /** Virtual hosts and paths. */
  http: z.array(httpRoute).optional(),
  /** How the edges treat each published port. */
  ports: z
    .record(
      z.string().regex(/^\d+$/, 'expected a published port'),
      z.strictObject({
        mode: z.enum(['tcp', 'http']).optional(),
        proxy_protocol: z.boolean().optional(),
      }),
    )
    .optional(),
  /** For every published TCP port of the service. */
  proxy_protocol: z.boolean().optional(),
  /** Keys that may be without effect. */
  tolerate: z.array(z.string()).optional(),
  /** Which recipe makes a cluster of the service; false: none, whatever its image. */
  recipe: z
    .union([
      z.string().min(1, 'expected the name of a recipe'),
      z.looseObject({ name: z.string().min(1, 'expected the name of a recipe') }),
      z.looseObject({ file: z.string().min(1, 'expected the path of a module') }),
      z.literal(false),
    ])
    .optional(),
})

const stackSchema = z.strictObject({ tolerate: z.array(z.string()).optional() })

/** `x-muster` of a service, checked. */
export type MusterOptions = z.infer<typeof serviceSchema>

/** What a service says of its recipe, in one form; undefined: nothing, or that it has none. */
export interface WrittenRecipe {
  /** One of Muster's. */
  name?: string
  /** A module beside the Compose file. */
  file?: string
  options: Record<string, unknown>
}

export const writtenRecipe = ({ recipe }: MusterOptions): WrittenRecipe | undefined => {
  if (recipe === undefined || recipe === false) return undefined
  if (typeof recipe === 'string') return { name: recipe, options: {} }
  if (typeof recipe['file'] === 'string' && recipe['name'] === undefined) {
    const { file, ...options } = recipe
    return { file, options }
  }
  const { name, ...options } = recipe
  return { name: String(name), options }
}

const parse = <T>(
  schema: z.ZodType<T>,
  value: unknown,
  { path, problems }: { path: ModelPath; problems: Problem[] },
): T | undefined => {
  if (value === undefined) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) {
    const extra = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
    problems.push({
      path: [
        ...path,
        ...issue.path.map((part) => (typeof part === 'symbol' ? '' : part)),
        ...extra,
      ],
      message: `${MUSTER_KEY}: ${describe(issue)}.`,
    })
  }
  return undefined
}

const describe = (issue: z.core.$ZodIssue): string => {
  if (issue.code === 'unrecognized_keys') return `unknown key "${issue.keys[0]}"`
  if (issue.code === 'invalid_union') {
    if (issue.path.at(-1) === 'recipe')
      return 'recipe: expected a name, {name: NAME, OPTIONS}, or {file: PATH, OPTIONS}'
    const inner = issue.errors.flat().map((each) => describe(each))
    return inner.at(-1) ?? issue.message
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}

/** `x-muster` of one service; what is wrong is added to `problems`. */
export const parseMusterOptions = (
  key: string,
  service: Service,
  problems: Problem[],
): MusterOptions =>
  parse(serviceSchema, service[MUSTER_KEY], {
    path: ['services', key, MUSTER_KEY],
    problems,
  }) ?? {}

/** Keys tolerated in the whole file. */
export const parseStackTolerance = (
  extensions: Record<string, unknown>,
  problems: Problem[],
): string[] =>
  parse(stackSchema, extensions[MUSTER_KEY], { path: [MUSTER_KEY], problems })?.tolerate ?? []

/**
 * The HTTP routes of a service. A route without `target` goes to the only port that the service
 * publishes or exposes.
 */
export const httpRoutes = (
  key: string,
  service: Service,
  { muster: options, problems }: { muster: MusterOptions; problems: Problem[] },
): HttpRoute[] => {
  const known = new Set([
    ...(service.ports ?? []).map((port) => port.target),
    ...(service.expose ?? []).map((port) => Number.parseInt(port, 10)),
  ])
  const only = known.size === 1 ? [...known][0] : undefined
  return (options.http ?? []).flatMap((route, i) => {
    const target = route.target ?? only
    if (target === undefined) {
      problems.push({
        path: ['services', key, MUSTER_KEY, 'http', i],
        message: `${MUSTER_KEY}: the route to "${route.host}" does not say which port of the container it goes to.`,
        hint: 'Add target: PORT.',
      })
      return []
    }
    return [{ host: route.host, path: route.path, published: route.published, target }]
  })
}
