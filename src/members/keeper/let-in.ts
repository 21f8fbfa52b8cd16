/** Makes everything ready for a member's process, and writes down what it was let in for. */
import { readdir } from 'node:fs/promises'
import type { Cluster } from '../../catalog/index.ts'
import type { Recipe, Situation } from '../../recipes/index.ts'
import type { VolumeRecord, VolumeStore } from '../../volumes/index.ts'
import { runVolume } from '../member-spec.ts'
import { writeFiles } from './run-folder.ts'

export interface LetIn {
  store: VolumeStore
  record: VolumeRecord
  cluster: Cluster
  recipe: Recipe
  situation: Situation
  /** Docker's id of the mount. */
  mountId: string
  /** Id of the image that the process runs. */
  image: string | null
}

/** Nothing has been let in when it throws. */
export const letIn = async (pass: LetIn): Promise<void> => {
  const { store, record, cluster, recipe, situation, mountId, image } = pass
  const { start, self } = situation
  const files = recipe.render(situation)
  if (start.kind === 'form' || (start.kind === 'join' && start.position === null)) {
    // What a start that was cut off has left is in the way.
    const left = await readdir(store.path(record))
    if (left.length > 0) await store.setAside(record.name)
  }
  const run = store.get(runVolume(self))
  if (run) await writeFiles(store.path(run), files)
  await store.mark(record.name, {
    claim: { ledger: cluster.ledger.uid, epoch: cluster.ledger.epoch, kind: start.kind },
    passed: mountId,
    recipe: recipe.name,
    image,
  })
}
