import { once } from 'node:events'
import { connectAgent } from '../agent/index.ts'
import { MusterError, systemClock } from '../base/index.ts'
import type { Catalog, EndpointState, MemberReport, ReportId } from '../catalog/index.ts'
import type { Task } from '../engine/index.ts'
import type { Readiness, RunInTask } from '../stack/index.ts'

/** Readiness from the agent of this host, for as long as it is held. */
export interface AgentReadiness extends AsyncDisposable {
  source: Readiness
}

/** Between two tries to follow an agent that went away. */
const RETRY_MS = 500

/** Follows the catalog of this host's agent, also when it is restarted. */
export const agentReadiness = async (): Promise<AgentReadiness> => {
  const agent = connectAgent()
  const stop = new AbortController()
  const changes = new EventTarget()
  let states: Map<string, EndpointState> | undefined
  const follow = async (signal: AbortSignal) => {
    const events = agent.events(signal)[Symbol.asyncIterator]()
    // Before the catalog is read: nothing that happens meanwhile is missed.
    let next = events.next()
    // Awaited below, unless the catalog cannot be read: then that says enough.
    next.catch(() => undefined)
    const { endpoints } = await agent.catalog()
    states = new Map([...endpoints.values()].map(({ id, state }) => [id, state]))
    for (;;) {
      changes.dispatchEvent(new Event('change'))
      const { value: event, done } = await next
      if (done === true) return
      next = events.next()
      if (event.type !== 'endpoint' || event.change === 'leaving') continue
      if (event.change === 'gone') states.delete(event.task)
      else states.set(event.task, event.change)
    }
  }
  const first = once(changes, 'change', { signal: stop.signal })
  const following = (async () => {
    while (!stop.signal.aborted) {
      const attempt = new AbortController()
      try {
        await follow(AbortSignal.any([stop.signal, attempt.signal]))
      } catch (error) {
        // An agent that goes away while we wait is no reason to fail: its word just does not count.
        if (!(error instanceof MusterError)) throw error
      } finally {
        attempt.abort()
      }
      states = undefined
      changes.dispatchEvent(new Event('change'))
      await systemClock.sleep(RETRY_MS, stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted) throw error
      })
    }
  })()
  await Promise.race([first, following])
  return {
    source: {
      tasks: () => states,
      reports: () => memberReports(),
      changed: async (signal) => {
        await once(changes, 'change', { signal })
      },
    },
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
