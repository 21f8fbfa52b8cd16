import { MusterError, messageOf } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import type { ImageAnswer } from './settle.ts'

/** Registries that do not answer must not hold up a deployment. */
const REGISTRY_LIMIT_MS = 4000

/** Asks the registries for the digests of images, all at once. Never fails: no answer is an answer. */
export const resolveDigests = async (
  engine: Engine,
  images: readonly string[],
  registryAuth: (image: string) => string | undefined,
): Promise<Map<string, ImageAnswer>> =>
  new Map(
    await Promise.all(
      images.map(async (image): Promise<[string, ImageAnswer]> => {
        const auth = registryAuth(image)
        try {
          const digest = await engine.imageDigest(image, {
            timeoutMs: REGISTRY_LIMIT_MS,
            ...(auth === undefined ? {} : { registryAuth: auth }),
          })
          return [image, { digest }]
        } catch (error) {
          return [image, { error: describe(error) }]
        }
      }),
    ),
  )

const describe = (error: unknown): string => {
  if (error instanceof MusterError && error.code === 'TIMEOUT')
    return 'the registry does not answer'
  if (error instanceof MusterError && error.code === 'NOT_FOUND')
    return 'the registry has no such image'
  return `the registry says: ${messageOf(error).replace(/\.$/, '')}`
}
