/** Starts containers of a side, one at a time, and sees how soon each path finds them. */
import { until } from '../../src/base/index.ts'
import type { Engine, Task } from '../../src/engine/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { engineOf } from '../support.ts'
import type { Reply } from './protocol.ts'
import { type Path, type Roles, SERVICES, type Side } from './sides.ts'

const FOUND_MS = 30_000
const GONE_MS = 60_000
/** Where a task does not come back from. */
const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'orphaned', 'remove'])

/** One container start, as one path saw it. Milliseconds to the first reply. */
export interface Sample {
  afterListen: number
  afterStart: number
}

/** Deploys a side, takes `count` samples of each of its paths (by name), removes it. */
export const measure = async (
  lab: Lab,
  side: Side,
  options: { count: number; listenAfterMs: string; onProgress: (line: string) => void },
): Promise<Map<string, Sample[]>> => {
  await using engine = engineOf(lab, lab.hosts[0] ?? '')
  const roles = await assignRoles(lab, engine)
  await using starter = engineOf(lab, roles.starter)
  await side.deploy(roles, options.listenAfterMs)
  const paths = await side.paths(roles)
  const samples = new Map<string, Sample[]>(paths.map(({ name }) => [name, []]))
  try {
    for (let i = 0; i < options.count; i++) {
      const n = i % SERVICES
      if (n === 0) await allGone({ engine, side, paths })
      const replies = await startOne({ engine, side, paths, n })
      const startedAt = await startOf(starter, replies[0]?.container ?? '')
      const line = paths.map(({ name }, p) => {
        const { at = 0, listenedAt = 0 } = replies[p] ?? {}
        const sample = { afterListen: at - listenedAt, afterStart: at - startedAt }
        samples.get(name)?.push(sample)
        return `${name}: ${Math.round(sample.afterListen)} ms (${Math.round(sample.afterStart)} after start)`
      })
      options.onProgress(`  ${i + 1}/${options.count}  ${line.join(', ')}`)
    }
  } finally {
    await Promise.all(paths.map(({ prober }) => prober[Symbol.asyncDispose]()))
    await side.remove(roles)
  }
  return samples
}

/** Containers start on one follower and are asked for on the other: no path is shorter than usual. */
const assignRoles = async (lab: Lab, engine: Engine): Promise<Roles> => {
  const nodes = await engine.listNodes()
  const leader = nodes.find((node) => node.ManagerStatus?.Leader)?.Description?.Hostname ?? ''
  const [observer = '', starter = ''] = lab.hosts.filter((host) => host !== leader)
  return { lab, engine, manager: leader, observer, starter }
}

/** When a container was started, ms since 1970. */
const startOf = async (engine: Engine, container: string): Promise<number> =>
  Date.parse((await engine.inspectContainer(container)).State?.StartedAt ?? '')

interface Round {
  engine: Engine
  side: Side
  paths: Path[]
}

/**
 * Stops all of a side's containers; resolves when none runs and no path leads to one. Together, so
 * that what a path has to do for those that go never mixes with what it does for those that come.
 */
const allGone = async ({ engine, side, paths }: Round): Promise<void> => {
  const services = Array.from({ length: SERVICES }, (_, n) => n)
  for (const n of services) await scale(engine, side.service(n), 0)
  for (const n of services) {
    const name = side.service(n)
    await until(
      `${name} to be gone`,
      async () => (await engine.listTasks({ service: [name] })).every(hasEnded),
      { timeoutMs: GONE_MS },
    )
    await Promise.all(paths.map(({ prober, target }) => prober.silence(target(n), GONE_MS)))
  }
}

const hasEnded = ({ Status }: Task): boolean => ENDED.has(Status?.State ?? '')

/** Starts service number n; the first reply on each path. */
const startOne = async ({ engine, side, paths, n }: Round & { n: number }): Promise<Reply[]> => {
  const after = Date.now()
  const replies = paths.map(({ prober, target }) =>
    prober.firstReply({ ...target(n), after }, FOUND_MS),
  )
  const [, ...found] = await Promise.all([scale(engine, side.service(n), 1), ...replies])
  return found
}

const scale = async (engine: Engine, name: string, replicas: number): Promise<void> => {
  const { ID, Version, Spec } = await engine.inspectService(name)
  await engine.updateService(ID, Version.Index, {
    ...Spec,
    Mode: { Replicated: { Replicas: replicas } },
  })
}
