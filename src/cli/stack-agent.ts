import { once } from 'node:events'
import { connectAgent } from '../agent/index.ts'
import { MusterError } from '../base/index.ts'
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
