/** One host of a lab: power on, power off, the state of its engine. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'
import { removeCgroups } from './cgroups.ts'
import { engineSocketOf, pingEngine } from './engine-socket.ts'
import { OWN_FOLDERS, hostInitScript, hostsFile, resolvConf } from './host-init.ts'
import type { LabNetwork } from './network.ts'
import { HOST_PATH, hostFiles } from './paths.ts'
import { hostInit, initFirst, killAll, labProcesses, markerEnv } from './processes.ts'
import type { LabState } from './state.ts'
import { attach, plugIn, unplug } from './switch.ts'

const POWER_ON_MS = 30_000
const ENGINE_UP_MS = 60_000

/** For unshare. "slave": what the machine unmounts goes away on the host too. */
const NAMESPACES =
  '--net --mount --pid --uts --ipc --fork --kill-child=SIGKILL --mount-proc --propagation slave'.split(
    ' ',
  )

/** Everything that starting a host needs. */
export interface HostContext {
  state: LabState
  network: LabNetwork
}

/**
 * Powers a host on: namespaces, cable, services. Its disk is as it was left. Resolves when its first
 * process runs; `waitForEngine` waits for more.
 */
export const powerOn = async ({ state, network }: HostContext, host: string): Promise<void> => {
  const lab = state.name
  await prepareDisk({ state, network }, host)
  const files = hostFiles(lab, host)
  const log = openSync(files.bootLog, 'w')
  let child: ChildProcess
  try {
    child = spawn('unshare', [...NAMESPACES, 'sh', files.init], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', log, log, 'pipe'],
      env: { PATH: HOST_PATH, ...markerEnv(lab, host as `host-${number}`) },
    })
  } finally {
    closeSync(log)
  }
  // Its end is noticed by who waits for it; the cable to a dead child's stdin is no news.
  child.stdin?.on('error', () => undefined)
  const here = child.stdio[3]
  const ready = here ? once(here, 'data', { signal: AbortSignal.timeout(POWER_ON_MS) }) : undefined
  try {
    await Promise.race([
      ready,
      once(child, 'exit').then(() => Promise.reject(new Error('its first process ended'))),
    ])
    const pid = hostInit(lab, host)
    if (pid === undefined) throw new Error('its first process is gone')
    await unplug(lab, host)
    await plugIn(lab, { name: host, mac: network.mac(host), pid })
    child.stdin?.end('plugged\n')
  } catch (cause) {
    child.kill('SIGKILL')
    throw new MusterError('LAB', `${host} does not start: ${await bootFailure(lab, host, cause)}`, {
      cause,
    })
  } finally {
    here?.destroy()
    child.unref()
  }
}

const bootFailure = async (lab: string, host: string, cause: unknown): Promise<string> => {
  const said = lastLine(await readFile(hostFiles(lab, host).bootLog, 'utf8'))
  return said || (cause instanceof Error ? cause.message : String(cause))
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

const prepareDisk = async ({ state, network }: HostContext, host: string): Promise<void> => {
  const files = hostFiles(state.name, host)
  for (const name of Object.keys(OWN_FOLDERS)) {
    await mkdir(join(files.dir, name), { recursive: true })
  }
  const write = (name: string, text: string) => writeFile(join(files.dir, name), text)
  await write('hosts', hostsFile(network, state.hosts))
  await write('hostname', `${host}\n`)
  await write('resolv.conf', resolvConf(network))
  await write('init.sh', hostInitScript({ lab: state.name, host, network, agent: state.agent }))
}

/**
 * Pulls a host's power cord: first silence on the network, as from a machine without power, then
 * the end of every process at once. Does nothing to a host that is off.
 */
export const powerOff = async (lab: string, host: string): Promise<void> => {
  const processes = labProcesses(lab).filter((process) => process.role === host)
  if (processes.some((process) => process.init)) {
    // The cable may be gone already: then there is silence too.
    await attach(lab, host, false).catch((error: unknown) => {
      if (!(error instanceof MusterError)) throw error
    })
  }
  await killAll(initFirst(processes))
  await removeCgroups(lab, host)
}

/** Path of the socket of a host's engine, as the machine can open it; undefined if it is off. */
export const engineSocket = (lab: string, host: string): string | undefined => {
  const pid = hostInit(lab, host)
  return pid === undefined ? undefined : engineSocketOf(pid)
}

/** Whether the engine of a host answers within half a second. */
export const engineAnswers = async (lab: string, host: string): Promise<boolean> => {
  const socket = engineSocket(lab, host)
  return socket !== undefined && pingEngine(socket)
}

/** Resolves when the engine of a host answers. */
export const waitForEngine = async (lab: string, host: string): Promise<void> => {
  const deadline = performance.now() + ENGINE_UP_MS
  while (!(await engineAnswers(lab, host))) {
    if (hostInit(lab, host) === undefined) {
      throw new MusterError(
        'LAB',
        `${host} went off: ${await bootFailure(lab, host, 'no message')}`,
      )
    }
    if (performance.now() > deadline) {
      const log = join(hostFiles(lab, host).log, 'dockerd.log')
      const last = existsSync(log) ? lastLine(await readFile(log, 'utf8')) : ''
      throw new MusterError(
        'TIMEOUT',
        `The engine of ${host} did not answer within 60 s. It said last: ${last || 'nothing'}`,
        { hint: `Its log is ${log}.` },
      )
    }
    await delay(50)
  }
}
