import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { MusterError } from '../../base/index.ts'
import type { RenderedFile } from '../../recipes/index.ts'

/** Makes a folder hold exactly these files. What reads one meanwhile sees the old or the new, whole. */
export const writeFiles = async (folder: string, files: readonly RenderedFile[]): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const paths = new Set<string>()
  for (const { path, content, mode = 0o644 } of files) {
    const clean = normalize(path)
    if (clean !== path || clean.startsWith('/') || clean.split('/').includes('..')) {
      throw new MusterError('HOST_SETUP', `a recipe may not write ${path}.`)
    }
    paths.add(clean)
    const target = join(folder, clean)
    await mkdir(dirname(target), { recursive: true, mode: 0o755 })
    await writeFile(`${target}.new`, content)
    // The umask is no part of what a recipe asks for.
    await chmod(`${target}.new`, mode)
    await rename(`${target}.new`, target)
  }
  for (const name of await readdir(folder)) {
    if ([...paths].some((path) => path === name || path.startsWith(`${name}/`))) continue
    await rm(join(folder, name), { recursive: true, force: true })
  }
}
