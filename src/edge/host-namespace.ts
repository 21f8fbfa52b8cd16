import { execFile } from 'node:child_process'
import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TIMEOUT_MS = 5000

const inode = async (path: string): Promise<number | null> => {
  try {
    return (await stat(path)).ino
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/**
 * Makes `folder/name` a bind mount of the host's network namespace, which is how HAProxy's
 * `namespace NAME` finds it once the folder is /var/run/netns. `mounted`: it was missing or another
 * one, so a container that has the folder from before does not see it until it is started again.
 */
export const bindHostNamespace = async (
  folder: string,
  name: string,
): Promise<'there' | 'mounted'> => {
  const path = join(folder, name)
  const host = '/proc/1/ns/net'
  const wanted = await inode(host)
  const present = await inode(path)
  if (present !== null && present === wanted) return 'there'
  await mkdir(folder, { recursive: true, mode: 0o755 })
  if (present === null) await (await open(path, 'a')).close()
  await run('mount', ['--bind', host, path], { timeout: TIMEOUT_MS })
  return 'mounted'
}
