import { displayName, readSource, type ReadResult } from './files.ts'
import type { MapNode, Node } from './node.ts'
import { parseYaml } from './parse.ts'
import type { Problems, Spot } from './problems.ts'
import type { SchemaValidator } from './schema.ts'
import type { SourceFile } from './source.ts'

/** What all files of one project share while they are read. */
export interface Reading {
  problems: Problems
  schema: SchemaValidator
  /** Where people stand: names of files are shown relative to it. */
  cwd: string
  /** False: variables are left as they are written. */
  interpolate: boolean
  /** Files already read, by path, and parsed: one that is extended often is parsed once. */
  sources: Map<string, Promise<ReadResult>>
  parsed: Map<SourceFile, readonly Node[]>
  /** How many files were included: a file may be included again and again. */
  included: number
}

/** The surroundings that a file is read in. */
export interface Scope {
  reading: Reading
  /** Where relative paths start, absolute. */
  directory: string
  environment: ReadonlyMap<string, string>
  /** The files that included this one, outermost first. */
  chain: readonly string[]
  /** The services of files that are extended, by path. */
  families: Map<string, { services: MapNode; source: SourceFile }>
}

/** The documents of a file as they are written; it is parsed once, its problems are told once. */
export const parsedDocuments = (source: SourceFile, reading: Reading): readonly Node[] => {
  const known = reading.parsed.get(source) ?? parseYaml(source, reading.problems)
  reading.parsed.set(source, known)
  return known
}

/** Opens a file that another one names at a spot; reports that it cannot be read. */
export const openFile = async (
  path: string,
  spot: Spot,
  { sources, cwd, problems }: Reading,
): Promise<SourceFile | undefined> => {
  const known = sources.get(path) ?? readSource(path, displayName(path, cwd))
  sources.set(path, known)
  const result = await known
  if (!('wrong' in result)) return result
  problems.error(spot, result.wrong)
  return undefined
}

/** Why a file elsewhere is not loaded. */
export const REMOTE = 'files from git, OCI or the web are not fetched'
export const REMOTE_HINT = 'Fetch it yourself and name the local file.'
