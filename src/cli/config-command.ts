import { MusterError } from '../base/index.ts'
import {
  loadStack,
  loadTree,
  projectVariables,
  renderErrors,
  renderPlain,
  renderStack,
  renderWarnings,
  toCanonical,
  toPlain,
  type ComposeError,
  type Format,
  type LoadOptions,
  type Stack,
} from '../compose/index.ts'
import { plural } from './output.ts'

export interface ConfigOptions {
  file: string[]
  projectName?: string
  projectDirectory?: string
  profile: string[]
  envFile: string[]
  format: string
  output?: string
  check?: boolean
  interpolate: boolean
  normalize: boolean
  consistency: boolean
  pathResolution: boolean
  envResolution: boolean
  services?: boolean
  images?: boolean
  volumes?: boolean
  networks?: boolean
  profiles?: boolean
  variables?: boolean
  environment?: boolean
  hash?: string
}

/** Prints the model, or the part of it that was asked for. What the user wrote wrong is exit status 2. */
export const config = async (services: string[], options: ConfigOptions): Promise<void> => {
  if (options.format !== 'yaml' && options.format !== 'json')
    throw new MusterError('USAGE', `--format takes yaml or json, not "${options.format}".`)
  const load: LoadOptions = {
    files: options.file,
    ...(options.projectName === undefined ? {} : { projectName: options.projectName }),
    ...(options.projectDirectory === undefined
      ? {}
      : { projectDirectory: options.projectDirectory }),
    profiles: options.profile,
    envFiles: options.envFile,
    services,
    interpolate: options.interpolate,
    normalize: options.normalize,
    consistency: options.consistency,
    resolvePaths: options.pathResolution,
    resolveEnvFiles: options.envResolution,
  }
  const text =
    options.interpolate && !options.variables
      ? await typed(load, options, options.format)
      : await untyped(load, options, options.format)
  if (text === undefined || options.check) return
  if (options.output === undefined) process.stdout.write(text)
  else {
    const { writeFile } = await import('node:fs/promises')
    await writeFile(options.output, text)
  }
}

const lines = (values: Iterable<string>): string =>
  [...new Set(values)].map((value) => `${value}\n`).join('')

const typed = async (
  load: LoadOptions,
  options: ConfigOptions,
  format: Format,
): Promise<string | undefined> => {
  const result = await loadStack(load)
  if (result.errors) return refuse(result.errors)
  const { stack } = result
  process.stderr.write(renderWarnings(stack.warnings))
  if (options.check) return undefined
  if (options.services) return lines(Object.keys(stack.services))
  if (options.images)
    return lines(
      Object.entries(stack.services).map(([name, s]) => s.image ?? `${stack.name}-${name}`),
    )
  if (options.volumes) return lines(Object.keys(stack.volumes))
  if (options.networks) return lines(Object.keys(stack.networks))
  if (options.profiles) return lines(allProfiles(stack).toSorted())
  if (options.environment)
    return lines(
      Object.entries(stack.environment)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    )
  if (options.hash !== undefined) return hashes(stack, options.hash)
  return renderStack(stack, format)
}

const allProfiles = (stack: Stack): string[] =>
  [...Object.values(stack.services), ...Object.values(stack.disabledServices)].flatMap(
    (service) => service.profiles ?? [],
  )

/** A line for each service; it changes when anything about the service does, but not its replicas. */
const hashes = async (stack: Stack, wanted: string): Promise<string> => {
  const { createHash } = await import('node:crypto')
  const names = wanted === '*' ? Object.keys(stack.services).toSorted() : wanted.split(',')
  const all = toCanonical(stack, 'json')['services'] as Record<string, Record<string, unknown>>
  return names
    .map((name) => {
      const service = all[name]
      if (!service) throw new MusterError('NOT_FOUND', `There is no service "${name}".`)
      const { scale: _, depends_on: __, ...own } = service
      return `${name} ${createHash('sha256').update(JSON.stringify(own)).digest('hex')}\n`
    })
    .join('')
}

const untyped = async (
  load: LoadOptions,
  options: ConfigOptions,
  format: Format,
): Promise<string | undefined> => {
  const loaded = await loadTree({ ...load, interpolate: false })
  if ('errors' in loaded) return refuse(loaded.errors)
  if (loaded.problems.errors.length > 0) return refuse(loaded.problems.errors)
  if (!options.variables) return renderPlain(toPlain(loaded.tree), format)
  const variables = projectVariables(loaded.tree)
  if (format === 'json')
    return renderPlain(Object.fromEntries(variables.map((v) => [v.name, v])), format)
  const rows = variables.map(({ name, required, default: value, alternate }) =>
    [name, required ? 'true' : 'false', value, alternate].join('\t'),
  )
  return lines(['NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE', ...rows])
}

const refuse = (errors: readonly ComposeError[]): undefined => {
  process.stderr.write(renderErrors(errors))
  process.stderr.write(`${plural(errors.length, 'error')}, nothing was changed.\n`)
  process.exitCode = 2
}
