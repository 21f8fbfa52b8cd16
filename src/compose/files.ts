import { readFile, stat } from 'node:fs/promises'
import { relative } from 'node:path'
import { sourceFile, type SourceFile } from './source.ts'

/** The largest Compose or env file that is read: ten thousand services, or seconds of reading. */
export const MAX_FILE_BYTES = 5 * 1024 * 1024

/** A file, or in words why it cannot be read. */
export type ReadResult = SourceFile | { wrong: string; missing?: boolean; folder?: boolean }

/** Reads a text file: not a folder, not binary, not larger than it should be. */
export const readSource = async (path: string, name: string): Promise<ReadResult> => {
  try {
    const info = await stat(path)
    if (info.isDirectory()) return { wrong: `${name} is a folder, not a file`, folder: true }
    if (!info.isFile() && !info.isFIFO() && !info.isCharacterDevice())
      return { wrong: `${name} is not a file` }
    if (info.size > MAX_FILE_BYTES) return { wrong: tooLarge(name) }
    // A device or pipe says nothing about its size, and may never end.
    if (!info.isFile()) return await readStream(path, name)
    return decodeSource(await readFile(path), path, name)
  } catch (error) {
    return failure(error, name)
  }
}

const readStream = async (path: string, name: string): Promise<ReadResult> => {
  const { createReadStream } = await import('node:fs')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of createReadStream(path, { signal: AbortSignal.timeout(30_000) })) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > MAX_FILE_BYTES) return { wrong: tooLarge(name) }
  }
  return decodeSource(Buffer.concat(chunks), path, name)
}

const tooLarge = (name: string): string =>
  `${name} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`

const failure = (error: unknown, name: string): ReadResult => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return { wrong: `there is no file ${name}`, missing: true }
  if (code === 'EACCES' || code === 'EPERM')
    return { wrong: `${name} may not be read by this user` }
  if (code === 'ELOOP') return { wrong: `${name} is a symbolic link that leads nowhere` }
  if (code === 'ENAMETOOLONG') return { wrong: `the name ${name.slice(0, 60)}... is too long` }
  if (code === 'ERR_INVALID_ARG_VALUE')
    return { wrong: `${JSON.stringify(name)} is not a file name` }
  if (error instanceof Error && error.name === 'AbortError')
    return { wrong: `${name} gave no end within 30 s` }
  return {
    wrong: `${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
  }
}

/** Bytes as text, if they are text. UTF-16 with a byte order mark is text too. */
export const decodeSource = (bytes: Uint8Array, path: string, name: string): ReadResult => {
  if (bytes.length > MAX_FILE_BYTES) return { wrong: tooLarge(name) }
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : 'utf-8'
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes)
    if (CONTROL.test(text)) return { wrong: `${name} is not a text file` }
    return sourceFile(name, path, text)
  } catch (error) {
    if (error instanceof TypeError) return { wrong: `${name} is not a text file (not UTF-8)` }
    throw error
  }
}

// oxlint-disable-next-line no-control-regex -- exactly these make a file binary
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/

/** A path as people want to read it: relative to where they stand if it is not above. */
export const displayName = (path: string, cwd: string): string => {
  const shown = relative(cwd, path)
  return shown === '' || shown.startsWith('..') ? path : shown
}
