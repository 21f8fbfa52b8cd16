/** A disk of its own for the data of each lab host: a file system in a file, which can be full. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Lab } from '../../src/lab/index.ts'
import { hostFiles } from '../../src/lab/paths.ts'

const FOLDER = '/var/lib/muster-chaos'
const SIZE = '3G'

/** Gives every host its disk, at /var/lib/muster. The hosts are off and on again afterwards. */
export const addDisks = async (lab: Lab): Promise<void> => {
  await mkdir(join(FOLDER, lab.name), { recursive: true })
  for (const host of lab.hosts) {
    await lab.kill(host)
    const file = join(FOLDER, lab.name, `${host}.img`)
    await execa('truncate', ['--size', SIZE, file])
    await execa('mkfs.ext4', ['-q', '-m', '0', file])
    const target = join(hostFiles(lab.name, host).dir, 'muster')
    await execa('mount', ['-o', 'loop,discard', file, target])
  }
  await Promise.all(lab.hosts.map((host) => lab.start(host)))
}

/** Takes the disks of a lab away, whose hosts are off. */
export const removeDisks = async (name: string): Promise<void> => {
  const own = `${hostFiles(name, '').dir}/`
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
  for (const target of mounts.filter((each) => each.startsWith(own) && each.endsWith('/muster'))) {
    await execa('umount', [target])
  }
  const folder = join(FOLDER, name)
  if (existsSync(folder)) await rm(folder, { recursive: true })
}
