/** The control groups of a lab's containers; version 1 (one tree per controller) and 2. */
import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'

/** Parent of all control groups of a host's containers, as dockerd's --cgroup-parent takes it. */
export const hostCgroup = (lab: string, host: string): string => `/muster-${lab}.${host}`

const roots = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mountPoint) => existsSync(mountPoint))

/** Removes the control groups of one host, or of all hosts of a lab; their processes have ended. */
export const removeCgroups = async (lab: string, host?: string): Promise<void> => {
  const wanted = (name: string) =>
    host === undefined ? name.startsWith(`muster-${lab}.`) : `/${name}` === hostCgroup(lab, host)
  const deadline = performance.now() + 10_000
  for (const root of roots()) {
    for (const name of readdirSync(root).filter(wanted)) {
      // The kernel lets go of a group a moment after its last process.
      while (!removeTree(join(root, name))) {
        if (performance.now() > deadline) {
          throw new MusterError('LAB', `Control group ${join(root, name)} is still in use.`, {
            hint: `The processes are in its cgroup.procs files.`,
          })
        }
        await delay(20)
      }
    }
  }
}

/** Children first. False if something is still in use. */
const removeTree = (dir: string): boolean => {
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeTree(join(dir, entry.name))) return false
    }
    rmdirSync(dir)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EBUSY') return false
    if (code === 'ENOENT') return true
    throw error
  }
}
