import type { EngineEvent } from '../types.ts'
import type { Change } from './store.ts'

type SwarmEvent = Pick<EngineEvent, 'Type' | 'Action' | 'Actor' | 'scope'>

const differing = (name: string, before: string | undefined, after: string | undefined) =>
  before === after ? {} : { [`${name}.old`]: before ?? '', [`${name}.new`]: after ?? '' }

/** The event that managers send for a change of the store; none for tasks and the cluster. */
export const swarmEvent = (change: Change): SwarmEvent | undefined => {
  const make = (attributes: Record<string, string>): SwarmEvent => ({
    Type: change.kind as 'service',
    Action: change.action,
    Actor: { ID: change.after.id, Attributes: attributes },
    scope: 'swarm',
  })
  switch (change.kind) {
    case 'service': {
      const { before, after } = change
      const replicas = ({ spec }: typeof after) => spec.Mode?.Replicated?.Replicas?.toString()
      return make({
        name: after.spec.Name,
        ...differing('updatestate', before.updateStatus?.State, after.updateStatus?.State),
        ...differing('replicas', replicas(before), replicas(after)),
      })
    }
    case 'node': {
      const { before, after } = change
      return make({
        name: after.hostname,
        ...differing('state', before.state, after.state),
        ...differing('availability', before.spec.Availability, after.spec.Availability),
        ...differing('role', before.spec.Role, after.spec.Role),
        ...differing('leader', String(before.manager?.leader), String(after.manager?.leader)),
        ...differing(
          'reachability',
          before.manager && String(before.manager.reachable),
          after.manager && String(after.manager.reachable),
        ),
      })
    }
    case 'network':
      // Addresses that come and go are no news to the engine.
      return change.action === 'update' || change.after.host !== undefined
        ? undefined
        : make({ name: change.after.name, type: change.after.request.Driver ?? 'overlay' })
    case 'config':
    case 'secret':
      return make({ name: change.after.spec.Name })
    case 'task':
    case 'cluster':
      break
  }
  return undefined
}
