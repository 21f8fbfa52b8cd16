/** The registry of a lab: in the lab's switch, so that all hosts and the machine reach it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'
import type { LabNetwork } from './network.ts'
import { CACHE_DIR, HOST_PATH, labFiles } from './paths.ts'
import { killAll, labProcesses, markerEnv } from './processes.ts'
import { inSwitch } from './switch.ts'

const PORT = 5000

/** The registry as the machine reaches it: `10.90.0.2:5000`. */
export const registryAddress = (network: LabNetwork): string => `${network.registry}:${PORT}`

/** Its files outlive labs and are shared by all of them. */
const registryConfig = (network: LabNetwork): string =>
  JSON.stringify({
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${CACHE_DIR}/registry` } },
    http: { addr: registryAddress(network) },
  })

/** Starts the registry and waits until it answers. */
export const startRegistry = async (lab: string, network: LabNetwork): Promise<void> => {
  const files = labFiles(lab)
  await stopRegistry(lab)
  await mkdir(`${CACHE_DIR}/registry`, { recursive: true })
  await writeFile(files.registryConfig, registryConfig(network))
  const log = openSync(files.registryLog, 'w')
  let child: ChildProcess
  const [command = '', ...args] = inSwitch(lab, ['docker-registry', 'serve', files.registryConfig])
  try {
    child = spawn(command, args, {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { PATH: HOST_PATH, OTEL_TRACES_EXPORTER: 'none', ...markerEnv(lab, 'registry') },
    })
  } finally {
    closeSync(log)
  }
  child.unref()
  const ended = once(child, 'exit').then(() => true)
  const deadline = performance.now() + 30_000
  while (!(await registryAnswers(network))) {
    const over = await Promise.race([ended, delay(20, false)])
    if (over || performance.now() > deadline) {
      const said = (await readFile(files.registryLog, 'utf8')).trim().split('\n').at(-1)
      throw new MusterError(
        'LAB',
        `The lab's registry does not start: ${said ?? 'it says nothing'}`,
      )
    }
  }
}

export const stopRegistry = (lab: string): Promise<void> =>
  killAll(labProcesses(lab).filter((process) => process.role === 'registry'))

export const registryAnswers = async (network: LabNetwork): Promise<boolean> => {
  try {
    const answer = await fetch(`http://${registryAddress(network)}/v2/`, {
      signal: AbortSignal.timeout(1000),
    })
    return answer.ok
  } catch (error) {
    // Refused, unreachable or silent: all mean that it does not answer.
    if (error instanceof Error) return false
    throw error
  }
}

/** Digest that the registry has for `NAME:TAG`; undefined if it does not know it. */
export const imageDigest = async (
  network: LabNetwork,
  image: string,
): Promise<string | undefined> => {
  const [name, tag] = image.split(':')
  const answer = await fetch(`http://${registryAddress(network)}/v2/${name}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    signal: AbortSignal.timeout(5000),
  })
  return answer.ok ? (answer.headers.get('docker-content-digest') ?? undefined) : undefined
}
