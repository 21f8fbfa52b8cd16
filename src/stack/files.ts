import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Config, Secret, Stack } from '../compose/index.ts'
import { LABEL, messageOf } from '../base/index.ts'
import type { Problem } from './check.ts'
import type { DesiredFile } from './desired.ts'

/** Names in the engine by name in the file. */
export type FileNames = Record<DesiredFile['kind'], Map<string, string>>

/** What the files that configs and secrets come from hold, by absolute path. */
export type FileContents = ReadonlyMap<string, Buffer>

/** The engine takes names up to 64 characters; 13 of them are the hash. */
const MAX_NAME = 64
const HASH_LENGTH = 12

/** The engine's limits for one object. */
const MAX_BYTES = { config: 1000 * 1024, secret: 500 * 1024 } as const

const GROUPS = [
  ['configs', 'config'],
  ['secrets', 'secret'],
] as const

/** Reads every file that a config or secret of the stack comes from. */
export const readFileContents = async (
  stack: Stack,
): Promise<{ contents: FileContents; problems: Problem[] }> => {
  const contents = new Map<string, Buffer>()
  const problems: Problem[] = []
  await Promise.all(
    GROUPS.flatMap(([group]) =>
      Object.entries(stack[group]).map(async ([key, value]) => {
        if (value.external || value.content !== undefined || value.file === undefined) return
        try {
          contents.set(value.file, await readFile(value.file))
        } catch (error) {
          problems.push({
            path: [group, key, 'file'],
            message: `${value.file} cannot be read: ${reason(error)}.`,
          })
        }
      }),
    ),
  )
  return { contents, problems }
}

const reason = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'permission denied'
  return messageOf(error)
}

/**
 * The configs and secrets of a stack. Their data can never change in Swarm, so the name carries a
 * hash of everything that is in it: new content is a new object, and old services keep the old one.
 */
export const desiredFiles = (
  stack: Stack,
  contents: FileContents,
  problems: Problem[],
): { files: DesiredFile[]; names: FileNames } => {
  const names: FileNames = { config: new Map(), secret: new Map() }
  const files: DesiredFile[] = []
  for (const [group, kind] of GROUPS) {
    for (const [key, value] of Object.entries(stack[group])) {
      const file = desiredFile(kind, value, { stack: stack.name, key, contents, problems })
      if (file === undefined) continue
      names[kind].set(key, file.name)
      files.push(file)
    }
  }
  return { files, names }
}

const desiredFile = (
  kind: DesiredFile['kind'],
  value: Secret | Config,
  at: { stack: string; key: string; contents: FileContents; problems: Problem[] },
): DesiredFile | undefined => {
  if (value.external) return { kind, name: value.name, external: true, labels: {} }
  const source = sourceOf(kind, value, at)
  if (source === undefined) return undefined
  const labels = { ...value.labels, [LABEL.stack]: at.stack }
  const { template_driver: templateDriver } = value
  const hash = digest([kind, source.driver ?? source.data, labels, templateDriver])
  return {
    kind,
    name: hashedName(value.name, hash),
    external: false,
    labels: { ...labels, [LABEL.content]: hash },
    ...source,
    ...(templateDriver === undefined ? {} : { templateDriver }),
  }
}

/** The driver that provides it, or what is in it; undefined if that is already a problem. */
const sourceOf = (
  kind: DesiredFile['kind'],
  value: Secret | Config,
  at: { key: string; contents: FileContents; problems: Problem[] },
): Pick<DesiredFile, 'driver' | 'data'> | undefined => {
  if ('driver' in value && value.driver !== undefined) {
    return { driver: { name: value.driver, options: value.driver_opts ?? {} } }
  }
  const data =
    value.content === undefined
      ? at.contents.get(value.file ?? '')
      : Buffer.from(value.content, 'utf8')
  if (data === undefined) return undefined
  if (data.length <= MAX_BYTES[kind] && data.length > 0) return { data: data.toString('base64') }
  at.problems.push({
    path: [`${kind}s`, at.key],
    message:
      data.length === 0
        ? `the ${kind} is empty, which Swarm does not take.`
        : `the ${kind} has ${data.length} bytes, Swarm takes at most ${MAX_BYTES[kind]}.`,
  })
  return undefined
}

const digest = (parts: unknown): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** `NAME_HASH`, cut to what the engine takes. */
export const hashedName = (name: string, hash: string): string =>
  `${name.slice(0, MAX_NAME - HASH_LENGTH - 1)}_${hash.slice(0, HASH_LENGTH)}`

/** A hashed name without its hash. */
export const baseName = (name: string): string => name.replace(/_[0-9a-f]{12}$/, '')
