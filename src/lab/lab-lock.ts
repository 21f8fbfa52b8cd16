import type { OnProgress } from './lab.ts'
import { takeLock } from './lock.ts'
import { killAll, labProcesses } from './processes.ts'

const LOCK_MS = 300_000

/** Held by whoever changes a lab. */
export const lockLab = async (name: string, onProgress: OnProgress): Promise<AsyncDisposable> => {
  const lock = await takeLock(`lab-${name}`, {
    timeoutMs: LOCK_MS,
    onWait: () => onProgress(`waiting for another command on lab ${name}`),
  })
  // What a killed command was in the middle of must not go on under our hands.
  await killAll(labProcesses(name).filter((process) => process.role === 'helper'))
  return lock
}

/** Held by whoever looks at all labs to change what they share. */
export const lockAllLabs = (): Promise<AsyncDisposable> => takeLock('labs', { timeoutMs: LOCK_MS })

/** Held by whoever builds images, or removes them all; a build can take long. */
export const lockImages = (onWait: () => void = () => undefined): Promise<AsyncDisposable> =>
  takeLock('images', { timeoutMs: 3 * LOCK_MS, onWait })
