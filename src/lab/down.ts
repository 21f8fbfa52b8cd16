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
  const existed = labNames().includes(name)
  const state = loadState(name)
  const processes = labProcesses(name).filter((process) => process.role !== 'reader')
  if (processes.length > 0) onProgress('ending its processes')
  await killAll(initFirst(processes))
  onProgress('removing its network and files')
  await removeSwitch(name, state && labNetwork(state.octet))
  await removeCgroups(name)
  await run(name, ['rm', '-rf', '--one-file-system', labFiles(name).dir], { timeoutMs: 120_000 })
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
    await run(name, ['rm', '-rf', '--one-file-system', CACHE_DIR])
  }
  return existed || processes.length > 0
}

/** What a build that was killed may have left; one that goes on is not disturbed. */
const clearBuilder = async (): Promise<void> => {
  await using lock = await tryLock('images')
  if (lock) await removeBuilder()
}
