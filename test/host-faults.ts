/** Faults of single programs of a lab's host; the lab itself has those of whole hosts. */
import type { Lab } from '../src/lab/index.ts'

const onHost = async (lab: Lab, host: string, script: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await lab.exec(host, ['sh', '-c', script])
  if (exitCode !== 0) throw new Error(`${script} on ${host} ended with ${exitCode}: ${stderr}`)
  return stdout.trim()
}

/** The process of `muster agent` on a host, as that host numbers it. */
export const agentPid = (lab: Lab, host: string): Promise<string> =>
  onHost(
    lab,
    host,
    "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q 'muster.mjs agen[t]' && echo ${p#/proc/}; done | head -1",
  )

/** SIGKILL to the agent; its supervisor starts it anew. */
export const killAgent = async (lab: Lab, host: string): Promise<void> => {
  await onHost(lab, host, `kill -9 ${await agentPid(lab, host)}`)
}

/** SIGKILL to the engine; its supervisor starts it anew. */
export const killEngine = async (lab: Lab, host: string): Promise<void> => {
  await onHost(lab, host, 'kill -9 $(cat /run/docker.pid)')
}
