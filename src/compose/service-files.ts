import { entryAt } from './consistency.ts'
import { parseEnvFile, parseRawEnvFile } from './dotenv.ts'
import { displayName, readSource, type ReadResult } from './files.ts'
import type { LoadedTree } from './load.ts'
import type { ModelPath, Service, Stack } from './model.ts'
import type { SourceFile } from './source.ts'
import type { Lookup } from './template.ts'

/** Reads `env_file` and `label_file` of the services to run into `environment` and `labels`. */
export const resolveServiceFiles = async (
  stack: Stack,
  loaded: LoadedTree,
  cwd: string,
): Promise<void> => {
  const cache = new Map<string, Promise<ReadResult>>()
  const open = async (
    path: string,
    place: ModelPath,
    required: boolean,
  ): Promise<SourceFile | undefined> => {
    const known = cache.get(path) ?? readSource(path, displayName(path, cwd))
    cache.set(path, known)
    const result = await known
    if (!('wrong' in result)) return result
    if (result.missing && !required) return undefined
    const { value, key } = entryAt(loaded.tree, place)
    const hint = result.missing
      ? 'If it need not be there: {path: ..., required: false}.'
      : undefined
    loaded.problems.error(
      place,
      result.wrong,
      { at: value.at, key },
      place.includes('env_file') ? hint : undefined,
    )
    return undefined
  }
  for (const [name, service] of Object.entries(stack.services)) {
    if (loaded.problems.isBroken('services', name)) continue
    await readEnvironment(name, service, loaded, open)
    await readLabels(name, service, loaded, open)
  }
}

type Open = (path: string, place: ModelPath, required: boolean) => Promise<SourceFile | undefined>

const readEnvironment = async (
  name: string,
  service: Service,
  { environment, problems }: LoadedTree,
  open: Open,
): Promise<void> => {
  const own = { ...service.environment }
  for (const [key, value] of Object.entries(own))
    if (value === null) own[key] = environment.get(key) ?? null
  const values = new Map<string, string>()
  const lookup: Lookup = (key) => environment.get(key) ?? own[key] ?? values.get(key)
  for (const [index, file] of (service.env_file ?? []).entries()) {
    const source = await open(file.path, ['services', name, 'env_file', index], file.required)
    if (!source) continue
    if (file.format !== undefined && file.format !== 'raw') {
      problems.error(
        ['services', name, 'env_file', index, 'format'],
        `unknown format ${JSON.stringify(file.format)}, the only one is "raw"`,
      )
      continue
    }
    const parse = file.format === 'raw' ? parseRawEnvFile : parseEnvFile
    for (const [key, value] of parse(source, lookup, problems)) values.set(key, value)
  }
  delete service.env_file
  const all = { ...Object.fromEntries(values), ...own }
  if (Object.keys(all).length > 0) service.environment = all
}

const readLabels = async (
  name: string,
  service: Service,
  { problems }: LoadedTree,
  open: Open,
): Promise<void> => {
  const values = new Map<string, string>()
  for (const [index, path] of (service.label_file ?? []).entries()) {
    const source = await open(path, ['services', name, 'label_file', index], true)
    if (!source) continue
    for (const [key, value] of parseEnvFile(source, (key) => values.get(key), problems))
      values.set(key, value)
  }
  delete service.label_file
  const all = { ...Object.fromEntries(values), ...service.labels }
  if (Object.keys(all).length > 0) service.labels = all
}
