import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { MusterError } from '../base/index.ts'
import { removeBuilder } from './builder.ts'
import { removeCgroups } from './cgroups.ts'
import type { OnProgress } from './lab.ts'
import { lockAllLabs, lockImages, lockLab } from './lab-lock.ts'
import { tryLock } from './lock.ts'
import { removeMountPoints } from './mount-points.ts'
import { checkLabName } from './names.ts'
import { labNetwork } from './network.ts'
import { CACHE_DIR, labFiles } from './paths.ts'
import { initFirst, killAll, labProcesses } from './processes.ts'
import { run } from './run.ts'
import { labNames, loadState } from './state.ts'
import { removeSwitch } from './switch.ts'

const REMOVE_MS = 300_000

/**
 * Removes a lab and everything it left, whatever state it is in; false if there was nothing. With
 * `purge` also the images that were made, if no other lab is there.
 */
export const labDown = async (
  name: string,
  options: { purge?: boolean; onProgress?: OnProgress } = {},
): Promise<boolean> => {
  checkLabName(name)
  const onProgress = options.onProgress ?? (() => undefined)
  await using _lock = await lockLab(name, onProgress)
  const existed = await removeLab(name, onProgress)
  await clearBuilder()
  await using _all = await lockAllLabs()
  const others = labNames()
  if (others.length === 0) await removeMountPoints()
  if (options.purge && others.length > 0) {
    throw new MusterError('LAB', `The images stay: ${others.join(', ')} may use them.`, {
      hint: 'Take those labs down first.',
    })
  }
  if (options.purge) {
    await using _images = await lockImages()
    await remove(name, CACHE_DIR)
  }
  return existed
}

/** Everything that belongs to one lab alone; false if there was nothing. Call with its lock held. */
export const removeLab = async (lab: string, onProgress: OnProgress): Promise<boolean> => {
  const { dir, trash } = labFiles(lab)
  const existed = existsSync(dir) || existsSync(trash)
  const state = loadState(lab)
  const processes = labProcesses(lab).filter((process) => process.role !== 'reader')
  if (processes.length > 0) onProgress('ending its processes')
  await killAll(initFirst(processes))
  if (existed) onProgress('removing its network and files')
  await removeSwitch(lab, state && labNetwork(state.octet))
  await removeCgroups(lab)
  await remove(lab, trash)
  if (existsSync(dir)) await rename(dir, trash)
  await remove(lab, trash)
  return existed || processes.length > 0
}

const remove = async (lab: string, folder: string): Promise<void> => {
  if (!existsSync(folder)) return
  await run(lab, ['rm', '-rf', '--one-file-system', folder], { timeoutMs: REMOVE_MS })
}

/** What a build that was killed may have left; one that goes on is not disturbed. */
const clearBuilder = async (): Promise<void> => {
  await using lock = await tryLock('images')
  if (lock) await removeBuilder()
}
