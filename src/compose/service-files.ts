import type { LoadedTree } from './decode-stack.ts'
import { parseEnvFile, parseRawEnvFile } from './dotenv.ts'
import { displayName, readSource, type ReadResult } from './files.ts'
import { spotAt } from './locate.ts'
import type { ModelPath, Service, Stack } from './model.ts'
import type { SourceFile } from './source.ts'
import type { Lookup } from './template.ts'

/** Opens a file that a service names; undefined if it is not there (reported where it must be). */
type Open = (path: string, place: ModelPath, required: boolean) => Promise<SourceFile | undefined>

interface ServiceFiles {
  name: string
  service: Service
  loaded: LoadedTree
  open: Open
}

/** Reads `env_file` and `label_file` of the services to run into `environment` and `labels`. */
export const resolveServiceFiles = async (
  stack: Stack,
  loaded: LoadedTree,
  cwd: string,
): Promise<void> => {
  const cache = new Map<string, Promise<ReadResult>>()
  const open: Open = async (path, place, required) => {
    const known = cache.get(path) ?? readSource(path, displayName(path, cwd))
    cache.set(path, known)
    const result = await known
    if (!('wrong' in result)) return result
    if (result.missing && !required) return undefined
    const optional = result.missing && place.includes('env_file')
    const hint = optional ? 'If it need not be there: {path: ..., required: false}.' : undefined
    loaded.problems.error(spotAt(loaded.tree, place), result.wrong, hint)
    return undefined
  }
  for (const [name, service] of Object.entries(stack.services)) {
    await readEnvironment({ name, service, loaded, open })
    await readLabels({ name, service, loaded, open })
  }
}

const readEnvironment = async ({ name, service, loaded, open }: ServiceFiles): Promise<void> => {
  const { environment, problems, tree } = loaded
  const own = new Map(Object.entries(service.environment ?? {}))
  for (const [key, value] of own) if (value === null) own.set(key, environment.get(key) ?? null)
  const values = new Map<string, string>()
  const lookup: Lookup = (key) => environment.get(key) ?? own.get(key) ?? values.get(key)
  for (const [index, file] of (service.env_file ?? []).entries()) {
    const place = ['services', name, 'env_file', index]
    const source = await open(file.path, place, file.required)
    if (!source) continue
    if (file.format !== undefined && file.format !== 'raw') {
      const message = `unknown format ${JSON.stringify(file.format)}, the only one is "raw"`
      problems.error(spotAt(tree, [...place, 'format']), message)
      continue
    }
    const parse = file.format === 'raw' ? parseRawEnvFile : parseEnvFile
    for (const [key, value] of parse(source, lookup, problems)) values.set(key, value)
  }
  delete service.env_file
  const all = new Map<string, string | null>([...values, ...own])
  if (all.size > 0) service.environment = Object.fromEntries(all)
}

const readLabels = async ({ name, service, loaded, open }: ServiceFiles): Promise<void> => {
  const values = new Map<string, string>()
  const lookup: Lookup = (key) => values.get(key)
  for (const [index, path] of (service.label_file ?? []).entries()) {
    const source = await open(path, ['services', name, 'label_file', index], true)
    if (!source) continue
    for (const [key, value] of parseEnvFile(source, lookup, loaded.problems)) values.set(key, value)
  }
  delete service.label_file
  const all = new Map([...values, ...Object.entries(service.labels ?? {})])
  if (all.size > 0) service.labels = Object.fromEntries(all)
}
