/** Files that survive a power cut at any moment. */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Replaces a file so that either the old or the new one is there, whole, whatever happens. */
export const writeDurably = async (path: string, text: string): Promise<void> => {
  const fresh = `${path}.new`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  await syncFolder(dirname(path))
}

/** Makes what was created, renamed or removed in a folder outlast a power cut. */
export const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
