/** Images for a lab: built from folders with a Dockerfile, and put into the lab's registry. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir, readlink, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { MusterError } from '../base/index.ts'
import { BASE_IMAGE, BASE_RECIPE, ensureBaseImage } from './base-image.ts'
import { type Builder, inBuilder, proxyEnv, startBuilder } from './builder.ts'
import { REGISTRY } from './host-services.ts'
import type { Lab, OnProgress } from './lab.ts'
import { lockImages } from './lab-lock.ts'
import { imageDigest } from './registry.ts'

/** An image to have: `name` is `NAME:TAG`, as it comes after the registry; `context` its folder. */
export interface ImageSource {
  name: string
  context: string
}

const BUILD_MS = 600_000

/**
 * Makes sure that the lab's registry has these images, and the base image, as their folders say now.
 * A folder that has not changed since it was built is not built again. Hosts pull them as
 * `registry:5000/NAME:TAG`.
 */
export const ensureImages = async (
  lab: Lab,
  sources: readonly ImageSource[],
  onProgress: OnProgress = () => undefined,
): Promise<void> => {
  const wanted = await Promise.all(sources.map(withHash))
  if ((await missing(lab, wanted)).length === 0) return
  await using _lock = await lockImages(() =>
    onProgress('waiting for another command that builds images'),
  )
  const left = await missing(lab, wanted)
  if (left.length === 0) return
  onProgress('starting the engine that builds images')
  await using builder = await startBuilder(lab.network)
  await ensureBaseImage(builder, onProgress)
  await push(builder, BASE_IMAGE, [BASE_IMAGE])
  for (const image of left) {
    onProgress(`building ${image.name}`)
    await build(builder, image)
  }
  await inBuilder(builder, ['docker', 'image', 'prune', '--force'])
}

/** An image and what its content is known by in the registry. */
interface Hashed extends ImageSource {
  /** A second tag of the same image; who has it has these contents. */
  contentTag: string
}

const withHash = async (source: ImageSource): Promise<Hashed> => {
  if (!/^[a-z0-9]+([._/-][a-z0-9]+)*:[\w][\w.-]{0,127}$/.test(source.name)) {
    throw new MusterError('USAGE', `"${source.name}" is no image name like web:1 or team/web:1.`)
  }
  const context = resolve(source.context)
  if (!existsSync(join(context, 'Dockerfile'))) {
    throw new MusterError('NOT_FOUND', `There is no Dockerfile in ${context}.`)
  }
  const hash = createHash('sha256').update(`${BASE_RECIPE}\n`)
  for (const line of await folderContents(context)) hash.update(`${line}\n`)
  const [repository] = source.name.split(':')
  return {
    ...source,
    context,
    contentTag: `${repository}:content-${hash.digest('hex').slice(0, 20)}`,
  }
}

/** One line per file, sorted: path, mode and hash of the content. */
const folderContents = async (folder: string, prefix = ''): Promise<string[]> => {
  const lines: string[] = []
  const entries = await readdir(join(folder, prefix), { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(prefix, entry.name)
    const file = join(folder, path)
    if (entry.isDirectory()) lines.push(...(await folderContents(folder, path)))
    else if (entry.isSymbolicLink()) lines.push(`${path} -> ${await readlink(file)}`)
    else if (entry.isFile()) {
      const { mode } = await stat(file)
      const content = createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
      lines.push(`${path} ${(mode & 0o777).toString(8)} ${content}`)
    }
  }
  return lines
}

/** Images whose tag is not there, or does not lead to the wanted content. */
const missing = async (lab: Lab, wanted: readonly Hashed[]): Promise<Hashed[]> => {
  const present = await Promise.all(
    wanted.map(async (image) => {
      const [tagged, content] = await Promise.all([
        imageDigest(lab.network, image.name),
        imageDigest(lab.network, image.contentTag),
      ])
      return tagged !== undefined && tagged === content
    }),
  )
  return wanted.filter((_, i) => !present[i])
}

const build = async (builder: Builder, image: Hashed): Promise<void> => {
  const proxies = Object.keys(proxyEnv()).flatMap((name) => ['--build-arg', name])
  const argv = [
    'docker',
    'build',
    '--network',
    'host',
    ...proxies,
    '--tag',
    image.name,
    image.context,
  ]
  await inBuilder(builder, argv, { timeoutMs: BUILD_MS })
  await push(builder, image.name, [image.name, image.contentTag])
}

/** Pushes an image of the builder under names in the lab's registry. */
const push = async (builder: Builder, image: string, names: readonly string[]): Promise<void> => {
  for (const name of names) {
    const target = `${REGISTRY}/${name}`
    await inBuilder(builder, ['docker', 'tag', image, target])
    await inBuilder(builder, ['docker', 'push', '--quiet', target], { timeoutMs: BUILD_MS })
    await inBuilder(builder, ['docker', 'rmi', '--no-prune', target])
  }
}
