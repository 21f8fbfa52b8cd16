/** Copies of the data beside a member's data: which there are, and data made of one. */
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../../base/index.ts'
import type { Ledger, Order, DataSnapshot } from '../../catalog/index.ts'
import type { Recipe } from '../../recipes/index.ts'
import type { VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import { type HelperRun, askHelper } from './helper.ts'

/** The newest of a member; null if there is none. */
export const newestSnapshot = async (
  store: VolumeStore,
  record: VolumeRecord | undefined,
  recipe: Recipe | undefined,
): Promise<DataSnapshot | null> => {
  const { snapshots } = recipe ?? {}
  if (record === undefined || snapshots === undefined) return null
  let names: string[]
  try {
    names = await readdir(join(store.path(record), snapshots.folder))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
  const all = names.flatMap((name) => {
    const said = snapshots.read(name)
    return said === null ? [] : [{ name, ...said }]
  })
  return all.reduce<DataSnapshot | null>((a, b) => (a !== null && a.at >= b.at ? a : b), null)
}

/**
 * Makes the data of a snapshot. The folder is another one from then on: should the others prove to be
 * running, it is none of theirs. One that cannot be used is never offered again; throws then, and when
 * trying again may help.
 */
export const restoreSnapshot = async (
  { snapshot, at }: Order & { snapshot: string },
  what: {
    store: VolumeStore
    record: VolumeRecord
    recipe: Recipe
    ledger: Ledger
    run: Omit<HelperRun, 'member' | 'folder' | 'target'>
  },
): Promise<VolumeRecord> => {
  const { store, record, recipe, ledger, run } = what
  const { snapshots } = recipe
  if (snapshots?.read(snapshot) == null) {
    throw new MusterError('HOST_SETUP', `${recipe.name} knows no snapshot ${snapshot}`)
  }
  const said = await askHelper(snapshots.restore(snapshot, at.toString(36)), {
    ...run,
    member: record.member?.id ?? record.name,
    folder: store.path(record),
    target: recipe.data,
  })
  if (said === null) {
    throw new MusterError('ENGINE_REFUSED', `no data could be made of the snapshot ${snapshot}`)
  }
  if (said.damaged !== null) {
    const file = join(store.path(record), snapshots.folder, snapshot)
    await rename(file, `${file}.damaged`)
    throw new MusterError('ENGINE_REFUSED', `the snapshot ${snapshot} is damaged: ${said.damaged}`)
  }
  await store.renew(record.name)
  return store.mark(record.name, {
    restored: at,
    joined: ledger.uid,
    recipe: recipe.name,
    image: run.image,
  })
}
