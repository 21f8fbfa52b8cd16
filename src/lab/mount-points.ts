/**
 * A host's own /var/lib/docker and so on are mounted over the machine's. Where the machine has no
 * such folder an empty one is made, and removed with the last lab.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { OWN_FOLDERS } from './host-init.ts'
import { LABS_DIR } from './paths.ts'

const RECORD = join(LABS_DIR, 'made-folders.json')

/** Call with the lock of all labs held. */
export const makeMountPoints = async (): Promise<void> => {
  const missing = Object.values(OWN_FOLDERS).filter((folder) => !existsSync(folder))
  if (missing.length === 0) return
  const made = [...(await madeFolders()), ...missing]
  await mkdir(LABS_DIR, { recursive: true })
  await writeFile(RECORD, JSON.stringify([...new Set(made)]))
  for (const folder of missing) await mkdir(folder, { recursive: true })
}

const madeFolders = async (): Promise<string[]> => {
  if (!existsSync(RECORD)) return []
  return z.array(z.string()).parse(JSON.parse(await readFile(RECORD, 'utf8')))
}

/** Removes what all labs had in common, once no lab is left. Call with the lock of all labs held. */
export const removeMountPoints = async (): Promise<void> => {
  for (const folder of await madeFolders()) {
    // Something else may have moved in meanwhile: then it stays.
    if (existsSync(folder) && (await readdir(folder)).length === 0) await rmdir(folder)
  }
  await rm(RECORD, { force: true })
  if (existsSync(LABS_DIR) && (await readdir(LABS_DIR)).length === 0) await rmdir(LABS_DIR)
}
