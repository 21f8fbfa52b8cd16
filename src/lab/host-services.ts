/** What runs on a lab's host, where a server has systemd: the engine and the agent. */
import { type Program, supervise } from '../cluster/supervisor.ts'
import { LOG_DIR } from '../base/index.ts'
import { hostCgroup } from './cgroups.ts'
import { HOST_PATH, projectRoot } from './paths.ts'

/** The registry of a lab, as its hosts name it. */
export const REGISTRY = 'registry:5000'

export const hostPrograms = (lab: string, host: string, options: { agent: boolean }): Program[] => {
  const env = { PATH: HOST_PATH, HOME: '/root', LC_ALL: 'C.UTF-8' }
  const engine: Program = {
    name: 'dockerd',
    command: 'dockerd',
    args: [
      '--exec-opt=native.cgroupdriver=cgroupfs',
      `--cgroup-parent=${hostCgroup(lab, host)}`,
      `--insecure-registry=${REGISTRY}`,
    ],
    env,
    logFile: `${LOG_DIR}/dockerd.log`,
  }
  const agent: Program = {
    name: 'muster agent',
    command: `${projectRoot()}/bin/muster`,
    args: ['agent'],
    env,
    logFile: `${LOG_DIR}/agent.log`,
  }
  return options.agent ? [engine, agent] : [engine]
}

/** The whole life of a host's supervisor: until it is asked to end. */
export const runHostServices = async (
  lab: string,
  host: string,
  options: { agent: boolean },
): Promise<void> => {
  const ending = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort())
  await supervise(hostPrograms(lab, host, options), {
    signal: ending.signal,
    onEvent: (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`),
  })
}
