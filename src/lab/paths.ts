/** Where labs keep things on the machine. All of it is gone after `lab down`, but for the cache. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MusterError } from '../base/index.ts'

/** One folder per lab. */
export const LABS_DIR = '/var/lib/muster-labs'
/** Images that were made, kept from run to run and shared by all labs. */
export const CACHE_DIR = '/var/cache/muster'

/** The files of one lab. */
export const labFiles = (lab: string) => {
  const dir = join(LABS_DIR, lab)
  return {
    dir,
    /** Where the folder goes first when the lab is removed: half a lab is never taken for one. */
    trash: join(LABS_DIR, `.${lab}.removing`),
    state: join(dir, 'lab.json'),
    /** Bind mount of the switch's network namespace. */
    switch: join(dir, 'switch'),
    registryConfig: join(dir, 'registry.yml'),
    registryLog: join(dir, 'registry.log'),
  }
}

/** The files of one host: its disk, as far as it has one of its own. */
export const hostFiles = (lab: string, host: string) => {
  const dir = join(LABS_DIR, lab, host)
  return { dir, init: join(dir, 'init.sh'), log: join(dir, 'log'), bootLog: join(dir, 'boot.log') }
}

/** Folder of the installed project: the one with bin/muster in it. */
export const projectRoot = (): string => {
  for (let dir = import.meta.dirname; dir !== '/'; dir = dirname(dir)) {
    if (existsSync(join(dir, 'bin', 'muster'))) return dir
  }
  throw new MusterError('LAB', `There is no bin/muster above ${import.meta.dirname}.`)
}

/** The search path of everything that runs on a host. */
export const HOST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
