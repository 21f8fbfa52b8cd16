import { type Clock, LABEL, MusterError, messageOf, pauseOrChange } from '../base/index.ts'
import { type Catalog, CorruptMessage, endpointsOf } from '../catalog/index.ts'
import type { Engine, Service, Task } from '../engine/index.ts'
import {
  type Dependency,
  type DependencyState,
  dependenciesOf,
  released,
  waitsFor,
} from './dependencies.ts'
import type { LeaderLoop } from './loop.ts'

export interface ReleaseOptions {
  engine: Pick<Engine, 'listServices' | 'listTasks' | 'updateService'>
  catalog: () => Pick<Catalog, 'endpoints'>
  clock: Clock
  /** Resolves when services or tasks may have changed. */
  changed: () => Promise<void>
  onRelease: (service: string) => void
  onProblem: (message: string) => void
}

/** While something waits, how often it is looked at even if nothing seems to happen. */
const WAITING_MS = 1000
/** While nothing waits, in case an event was missed. */
const IDLE_MS = 10_000

/** Starts services whose `depends_on` conditions hold. */
export const releaseLoop = (options: ReleaseOptions): LeaderLoop => ({
  name: 'depends_on',
  start: async (signal) => {
    const { clock, changed, onProblem } = options
    while (!signal.aborted) {
      const change = changed()
      let waiting = 0
      try {
        waiting = await releaseReady(options)
      } catch (error) {
        onProblem(messageOf(error))
        waiting = 1
      }
      await pauseOrChange(clock, waiting > 0 ? WAITING_MS : IDLE_MS, { signal, change })
    }
  },
})

/** One pass. Returns how many services go on waiting. */
export const releaseReady = async (
  options: Omit<ReleaseOptions, 'clock' | 'changed'>,
): Promise<number> => {
  const { engine, catalog, onRelease, onProblem } = options
  const held = await engine.listServices({ label: [LABEL.after] })
  if (held.length === 0) return 0
  const services = new Map((await engine.listServices()).map((each) => [each.Spec.Name, each]))
  const { endpoints } = catalog()
  const states = new Map<string, DependencyState>()
  const stateOf = async (name: string): Promise<DependencyState | undefined> => {
    const service = services.get(name)
    if (!service) return undefined
    const known = states.get(name)
    if (known) return known
    const clustered = service.Spec.Labels?.[LABEL.recipe] !== undefined
    const parts = clustered
      ? [...services.values()].filter((each) => each.Spec.Labels?.[LABEL.cluster] === name)
      : [service]
    const tasks: Task[] =
      parts.length === 0 ? [] : await engine.listTasks({ service: parts.map((each) => each.ID) })
    const found = parts.flatMap((each) => endpointsOf(endpoints, each.ID))
    const readyMembers = found.filter((each) => each.state === 'ready').length
    const state: DependencyState = {
      service,
      tasks,
      runningEndpoints: found.length,
      ...(clustered && { readyMembers }),
    }
    states.set(name, state)
    return state
  }
  let waiting = 0
  for (const { Spec: spec } of held) {
    // As read with the others: what it depends on must not be newer than itself.
    const service = services.get(spec.Name)
    if (!service) continue
    try {
      const reasons = await Promise.all(
        (dependenciesOf(service.Spec) ?? []).map(async (each: Dependency) =>
          waitsFor(each, await stateOf(each.service)),
        ),
      )
      if (reasons.some((reason) => reason !== null)) waiting++
      else if (await release(engine, service)) onRelease(spec.Name)
    } catch (error) {
      if (!(error instanceof CorruptMessage) && !(error instanceof MusterError)) throw error
      onProblem(`service ${spec.Name} goes on waiting: ${error.message}`)
      waiting++
    }
  }
  return waiting
}

/** False if somebody else has changed it meanwhile: then the next pass sees what they did. */
const release = async (
  engine: Pick<Engine, 'updateService'>,
  service: Service,
): Promise<boolean> => {
  if (service.Spec.Labels?.[LABEL.after] === undefined) return false
  try {
    await engine.updateService(service.ID, service.Version.Index, released(service.Spec))
    return true
  } catch (error) {
    if (error instanceof MusterError && ['CONFLICT', 'NOT_FOUND'].includes(error.code)) return false
    throw error
  }
}
