/** The secrets of a recipe: made once per cluster, kept as long as its data. */
import { LABEL, MusterError } from '../base/index.ts'
import type { ClusterName } from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { type MemberSecrets, secretName } from './member-spec.ts'

/**
 * The secrets that members of a cluster mount, made where they are not there yet. Whoever is second
 * to make one uses the first one's.
 */
export const ensureSecrets = async (
  engine: Pick<Engine, 'listSecrets' | 'createSecret'>,
  what: { cluster: ClusterName; recipe: Recipe; random: (bytes: number) => Buffer },
): Promise<MemberSecrets> => {
  const { cluster, recipe, random } = what
  if (recipe.secrets.length === 0) return new Map()
  const read = async () =>
    new Map(
      (await engine.listSecrets({ label: [`${LABEL.cluster}=${cluster}`] })).map((each) => [
        each.Spec.Name,
        each.ID,
      ]),
    )
  let known = await read()
  const missing = recipe.secrets.filter(({ name }) => !known.has(secretName(cluster, name)))
  for (const { name, bytes } of missing) {
    const text = random(bytes).toString('base64url')
    try {
      await engine.createSecret({
        Name: secretName(cluster, name),
        Labels: { [LABEL.cluster]: cluster },
        Data: Buffer.from(text).toString('base64'),
      })
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'CONFLICT') throw error
    }
  }
  if (missing.length > 0) known = await read()
  return new Map(
    recipe.secrets.flatMap(({ name }) => {
      const full = secretName(cluster, name)
      const id = known.get(full)
      return id === undefined ? [] : [[name, { id, name: full }] as const]
    }),
  )
}
