/** Looks at a member's data at rest. */
import { readdir } from 'node:fs/promises'
import { MusterError } from '../../base/index.ts'
import type { Cluster, Ledger } from '../../catalog/index.ts'
import type { Recipe } from '../../recipes/index.ts'
import type { VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import { classify } from './classify.ts'
import { type HelperEngine, askHelper } from './helper.ts'
import type { Look } from './report.ts'

export interface LookOptions {
  engine: HelperEngine
  store: VolumeStore
  record: VolumeRecord
  recipe: Recipe
  cluster: Cluster | null
  /** Id of an image that can read the data; null if none is known. */
  image: string | null
  signal: AbortSignal
}

/**
 * What the data are, and how far. A folder whose data are lost is another one from then on. Nothing
 * else may use the folder meanwhile. Throws when it cannot be told: trying again may help.
 */
export const lookAt = async (options: LookOptions): Promise<Look> => {
  const { engine, store, record, recipe, cluster, image, signal } = options
  const ledger: Ledger | null = cluster?.ledger ?? null
  const names = await readdir(store.path(record))
  const found = classify(record.marker, recipe.holdsData(names), ledger)
  if (found === 'lost') await store.renew(record.name)
  const data = found === 'lost' ? 'empty' : found
  const look: Look = { data, position: null, recovered: true, clean: false, problem: null }
  if (data === 'foreign') {
    return { ...look, problem: `the data in its folder are no copy of ${record.member?.cluster}` }
  }
  if (data !== 'good' || recipe.recover === null) return look
  if (image === null) return { ...look, recovered: false }
  const parts = recipe.container(cluster?.head?.choice.options ?? {})
  const told = await askHelper(recipe.recover, {
    engine,
    member: record.member?.id ?? record.name,
    image,
    user: parts.user,
    env: parts.env,
    folder: store.path(record),
    target: recipe.data,
    signal,
  })
  if (told === null) {
    throw new MusterError('ENGINE_REFUSED', 'its data do not tell how far they are')
  }
  if (told.damaged !== null) return { ...look, data: 'damaged', problem: told.damaged }
  return { ...look, position: told.position, clean: told.clean }
}
