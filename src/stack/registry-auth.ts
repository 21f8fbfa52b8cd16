import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { parseImage } from './image.ts'

const configSchema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
})

/** Docker Hub's key in Docker's own files. */
const HUB_KEY = 'https://index.docker.io/v1/'
const HELPER_LIMIT_MS = 5000

/**
 * The credentials that `docker login` left for the registries of these images, as the engine takes
 * them (base64 of JSON). Registries without any are left out: they may need none.
 */
export const readRegistryAuth = async (
  images: readonly string[],
  folder = process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'),
): Promise<(image: string) => string | undefined> => {
  const config = await readConfig(join(folder, 'config.json'))
  const registries = new Set(images.flatMap((image) => parseImage(image)?.registry ?? []))
  const found = new Map<string, string>()
  await Promise.all(
    [...registries].map(async (registry) => {
      const auth = await credentials(registry, config)
      if (auth !== undefined) found.set(registry, auth)
    }),
  )
  return (image) => found.get(parseImage(image)?.registry ?? '')
}

type DockerConfig = z.infer<typeof configSchema>

const readConfig = async (file: string): Promise<DockerConfig> => {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    // Most people have none: nobody has logged in.
    return {}
  }
  try {
    return configSchema.parse(JSON.parse(text))
  } catch {
    // Docker's own file: what it cannot mean to us, it means to nobody here.
    return {}
  }
}

const credentials = async (registry: string, config: DockerConfig): Promise<string | undefined> => {
  const key = registry === 'docker.io' ? HUB_KEY : registry
  const helper = config.credHelpers?.[registry] ?? config.credsStore
  if (helper !== undefined) {
    const answer = await askHelper(helper, key)
    if (answer !== undefined) return encode({ ...answer, serveraddress: key })
  }
  const stored =
    config.auths?.[key] ?? config.auths?.[`https://${registry}`] ?? config.auths?.[registry]
  if (stored?.identitytoken) {
    return encode({ identitytoken: stored.identitytoken, serveraddress: key })
  }
  if (!stored?.auth) return undefined
  const plain = Buffer.from(stored.auth, 'base64').toString('utf8')
  const colon = plain.indexOf(':')
  if (colon < 0) return undefined
  return encode({
    username: plain.slice(0, colon),
    password: plain.slice(colon + 1),
    serveraddress: key,
  })
}

const encode = (auth: Record<string, string>): string =>
  Buffer.from(JSON.stringify(auth)).toString('base64url')

const helperSchema = z.object({ Username: z.string(), Secret: z.string() })

const helperAnswer = (stdout: string): Record<string, string> | undefined => {
  try {
    const { Username: username, Secret: secret } = helperSchema.parse(JSON.parse(stdout))
    return username === '<token>' ? { identitytoken: secret } : { username, password: secret }
  } catch {
    // It speaks another language: as good as knowing nothing.
    return undefined
  }
}

/** Asks `docker-credential-NAME`; undefined if it is not there or knows nothing. */
const askHelper = (helper: string, key: string): Promise<Record<string, string> | undefined> =>
  new Promise((resolve) => {
    const child = execFile(
      `docker-credential-${helper}`,
      ['get'],
      { timeout: HELPER_LIMIT_MS },
      (error, stdout) => {
        resolve(error === null ? helperAnswer(stdout) : undefined)
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(key)
  })
