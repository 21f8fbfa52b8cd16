import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { MusterError } from '../base/index.ts'
import { HOST_PATH } from './paths.ts'

/** What a lab runs on the machine or on its hosts. */
const PROGRAMS =
  'docker dockerd containerd docker-registry tini ip iptables nft conntrack mount unshare nsenter setpriv'.split(
    ' ',
  )

/** Throws HOST_SETUP unless this machine has what a lab needs. */
export const checkMachine = (): void => {
  if (process.getuid?.() !== 0) {
    throw new MusterError('HOST_SETUP', 'A lab makes namespaces and mounts: run it as root.')
  }
  const missing = PROGRAMS.filter((program) => !isInstalled(program))
  if (missing.length === 0) return
  throw new MusterError('HOST_SETUP', `This machine lacks ${missing.join(', ')}.`, {
    hint: 'scripts/setup.sh installs what a lab needs.',
  })
}

const isInstalled = (program: string): boolean =>
  HOST_PATH.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch (error) {
      if (error instanceof Error) return false
      throw error
    }
  })
