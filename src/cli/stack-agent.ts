import { once } from 'node:events'
import { type HostStatus, connectAgent } from '../agent/index.ts'
import { MusterError, systemClock } from '../base/index.ts'
import type { Catalog, MemberReport, ReportId } from '../catalog/index.ts'
import type { Task } from '../engine/index.ts'
import type { Readiness, RunInTask } from '../stack/index.ts'

/** Readiness from the agent of this host, for as long as it is held. */
export interface AgentReadiness extends AsyncDisposable {
  /** Undefined when no agent answers: then Swarm's word is all there is. */
  source: Readiness | undefined
}

/** Follows the catalog of this host's agent. */
export const agentReadiness = async (): Promise<AgentReadiness> => {
  const agent = connectAgent()
  const stop = new AbortController()
  const changes = new EventTarget()
  const ready = new Set<string>()
  let known = false
  const follow = async () => {
    for await (const event of agent.events(stop.signal)) {
      if (event.type !== 'endpoint') continue
      if (event.change === 'ready') ready.add(event.task)
      else if (event.change !== 'leaving') ready.delete(event.task)
      changes.dispatchEvent(new Event('change'))
    }
  }
  // An agent that goes away while we wait is no reason to fail: its word just no longer counts.
  const following = follow().catch(() => {
    known = false
  })
  try {
    for (const endpoint of (await agent.catalog()).endpoints.values()) {
      if (endpoint.state === 'ready') ready.add(endpoint.id)
    }
    known = true
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
  }
  return {
    source: known
      ? {
          ready: () => (known ? ready : undefined),
          reports: () => memberReports(),
          changed: async (signal) => {
            await once(changes, 'change', { signal })
          },
        }
      : undefined,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await following
    },
  }
}

/** Tasks that may receive traffic, by the agent's catalog; undefined when no agent answers. */
export const readyTasks = async (): Promise<ReadonlySet<string> | undefined> => {
  try {
    const { endpoints, leaving } = await connectAgent().catalog()
    const ready = [...endpoints.values()].filter((each) => each.state === 'ready')
    return new Set(ready.map((each) => each.id).filter((id) => !leaving.has(id)))
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return undefined
  }
}

/** What the agents see of members; undefined when no agent answers. */
export const memberReports = async (): Promise<ReadonlyMap<ReportId, MemberReport> | undefined> =>
  (await agentCatalog())?.members

/** The catalog of this host's agent; undefined when it does not answer. */
export const agentCatalog = async (): Promise<Catalog | undefined> => {
  try {
    return await connectAgent().catalog()
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return undefined
  }
}

/** The edge is told of a port as soon as its service exists: by now it listens, or cannot. */
const EDGE_LIMIT_MS = 3000

/**
 * Why the edge of this host does not listen on some of these ports, in words. Empty if it does, and
 * if there is no agent to ask.
 */
export const unpublished = async (ports: readonly number[]): Promise<string[]> => {
  if (ports.length === 0) return []
  const deadline = systemClock.now() + EDGE_LIMIT_MS
  try {
    for (;;) {
      const { edge } = await connectAgent().status()
      if (edge === null || ports.every((port) => edge.ports.includes(port))) return []
      const reasons = edge.conflicts.filter((reason) =>
        ports.some((port) => reason.split(/\D+/).includes(String(port))),
      )
      if (reasons.length > 0 || systemClock.now() > deadline) return reasons
      await systemClock.sleep(200)
    }
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return []
  }
}

/**
 * Which of these ports the edges of which hosts cannot have, in words, by what their agents last said
 * (at most some seconds ago). Empty if there is no agent to ask.
 */
export const takenPorts = async (ports: readonly number[]): Promise<string[]> => {
  if (ports.length === 0) return []
  try {
    return takenWords((await connectAgent().status()).hosts, ports)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return []
  }
}

/** `port 80 of host-2 is taken by another process` for each port and host. */
export const takenWords = (
  hosts: readonly Pick<HostStatus, 'name' | 'usage'>[],
  ports: readonly number[],
): string[] =>
  [...new Set(ports)].flatMap((port) => {
    const names = hosts.filter(({ usage }) => usage?.taken.includes(port)).map(({ name }) => name)
    return names.length === 0
      ? []
      : [`port ${port} of ${names.join(', ')} is taken by another process`]
  })

const RUN_LIMIT_MS = 5000

/** Runs commands in tasks through the agents; what cannot be run gives undefined. */
export const runInTask = (): RunInTask => async (task: Task, command) => {
  const container = task.Status?.ContainerStatus?.ContainerID
  if (container === undefined || task.NodeID === undefined) return undefined
  try {
    const session = await connectAgent().exec({
      host: task.NodeID,
      container,
      command: [...command],
      tty: false,
      stdin: false,
      env: [],
      user: null,
      workingDir: null,
    })
    const chunks: Buffer[] = []
    session.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    session.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    const limit = AbortSignal.timeout(RUN_LIMIT_MS)
    const exitCode = await Promise.race([
      session.exited,
      once(limit, 'abort').then(() => undefined),
    ])
    session.stdin.destroy()
    return exitCode === undefined
      ? undefined
      : { exitCode, output: Buffer.concat(chunks).toString('utf8') }
  } catch {
    // Only an addition to a diagnosis: without it the diagnosis still stands.
    return undefined
  }
}
