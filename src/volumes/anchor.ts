/**
 * Swarm lists a volume driver on a host only once the engine has used it, and an engine that starts
 * anew has forgotten that, unless it has a volume of that driver to restore. So every host has one,
 * which holds nothing.
 */
import { VOLUME_DRIVER } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import type { VolumeStore } from './store.ts'

export const ANCHOR = 'muster.host'

/** Lets Docker find the anchor. To be done before the driver is served. */
export const makeAnchor = async (store: VolumeStore): Promise<void> => {
  await store.create(ANCHOR, { type: 'run', stack: null, perSlot: false, member: null })
}

/** Makes the engine know the driver, now and at each of its starts. */
export const dropAnchor = async (engine: Pick<Engine, 'createVolume'>): Promise<void> => {
  await engine.createVolume({ name: ANCHOR, driver: VOLUME_DRIVER, options: { type: 'run' } })
}
