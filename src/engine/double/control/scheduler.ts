/** Chooses a host for each pending task. */
import type { NodeRecord, TaskRecord } from '../records.ts'
import { compareStates, hasEnded, isWanted } from '../states.ts'
import { meetsConstraints } from './constraints.ts'
import type { Control } from './context.ts'
import { groupBy } from './tasks.ts'

/** Tasks that occupy a host, by host. */
type Occupancy = Map<string | undefined, TaskRecord[]>

interface Filter {
  why: string
  passes: (task: TaskRecord, node: NodeRecord, occupants: TaskRecord[]) => boolean
}

const reserved = ({ spec }: TaskRecord) => spec.Resources?.Reservations ?? {}

const hostPorts = ({ endpointSpec }: TaskRecord): string[] =>
  (endpointSpec?.Ports ?? [])
    .filter(({ PublishMode, PublishedPort }) => PublishMode === 'host' && PublishedPort)
    .map(({ PublishedPort, Protocol = 'tcp' }) => `${PublishedPort}/${Protocol}`)

const total = (tasks: TaskRecord[], key: 'NanoCPUs' | 'MemoryBytes'): number =>
  tasks.reduce((sum, task) => sum + (reserved(task)[key] ?? 0), 0)

/** Every host of the double has this much. */
export const HOST_RESOURCES = { NanoCPUs: 4e9, MemoryBytes: 16 * 2 ** 30 }

/** In swarmkit's order; the reason is what people read in `docker service ps`. */
const FILTERS: Filter[] = [
  {
    why: 'not available for new tasks',
    passes: (_task, { state, spec }) => state === 'ready' && spec.Availability === 'active',
  },
  {
    why: 'insufficient resources on',
    passes: (task, _node, occupants) =>
      (['NanoCPUs', 'MemoryBytes'] as const).every(
        (key) => total([...occupants, task], key) <= HOST_RESOURCES[key],
      ),
  },
  {
    why: 'scheduling constraints not satisfied on',
    passes: ({ spec }, node) => meetsConstraints(spec.Placement?.Constraints ?? [], node),
  },
  {
    why: 'host-mode port already in use on',
    passes: (task, _node, occupants) => {
      const used = new Set(occupants.flatMap(hostPorts))
      return hostPorts(task).every((port) => !used.has(port))
    },
  },
  {
    why: 'max replicas per node limit exceed',
    passes: ({ spec, serviceId }, _node, occupants) => {
      const most = spec.Placement?.MaxReplicas ?? 0
      return most === 0 || occupants.filter((task) => task.serviceId === serviceId).length < most
    },
  },
]

/** One pass over the tasks that wait for a host. */
export const schedule = (control: Control): void => {
  const { store, clock } = control
  const tasks = store.all('task')
  const occupancy: Occupancy = groupBy(
    tasks.filter(
      ({ nodeId, desired, status }) =>
        nodeId !== undefined &&
        compareStates(desired, 'complete') <= 0 &&
        compareStates(status.state, 'assigned') >= 0 &&
        !hasEnded(status.state),
    ),
    ({ nodeId }) => nodeId,
  )
  for (const task of tasks) {
    if (task.status.state !== 'pending') continue
    if (!isWanted(task.desired) && task.desired !== 'complete') {
      const status = { ...task.status, state: 'shutdown' as const, at: clock.wall() }
      store.update('task', task.id, { status })
      continue
    }
    const found = chooseNode(control, task, occupancy)
    if ('refused' in found) {
      if (task.status.err !== found.refused) {
        store.update('task', task.id, { status: { ...task.status, err: found.refused } })
      }
      continue
    }
    const message = 'scheduler assigned task to node'
    const assigned = store.update('task', task.id, {
      nodeId: found.nodeId,
      status: { ...task.status, state: 'assigned', at: clock.wall(), message, err: '' },
    })
    occupancy.set(found.nodeId, [...(occupancy.get(found.nodeId) ?? []), assigned])
  }
}

const chooseNode = (
  { store, random }: Control,
  task: TaskRecord,
  occupancy: Occupancy,
): { nodeId: string } | { refused: string } => {
  const nodes = store.all('node').filter(({ id }) => (task.nodeId ?? id) === id)
  const refusals = new Map<string, number>()
  const candidates = nodes.filter((node) => {
    const occupants = occupancy.get(node.id) ?? []
    const failed = FILTERS.find(({ passes }) => !passes(task, node, occupants))
    if (failed !== undefined) refusals.set(failed.why, (refusals.get(failed.why) ?? 0) + 1)
    return failed === undefined
  })
  const [best] = candidates
    .map((node) => {
      const occupants = occupancy.get(node.id) ?? []
      const ofService = occupants.filter(({ serviceId }) => serviceId === task.serviceId).length
      const spread = spreadCounts({ task, node, nodes, occupancy })
      return { node, key: [...spread, ofService, occupants.length, random.next()] }
    })
    .toSorted((a, b) => compareKeys(a.key, b.key))
  return best === undefined ? { refused: explain(refusals) } : { nodeId: best.node.id }
}

/** For each placement preference: how many tasks of the service share this host's label value. */
const spreadCounts = (place: {
  task: TaskRecord
  node: NodeRecord
  nodes: NodeRecord[]
  occupancy: Occupancy
}): number[] => {
  const { task, node, nodes, occupancy } = place
  return (task.spec.Placement?.Preferences ?? []).map(({ Spread }) => {
    const label = Spread?.SpreadDescriptor?.replace(/^node\.labels\./, '') ?? ''
    const value = node.spec.Labels?.[label]
    return nodes
      .filter(({ spec }) => spec.Labels?.[label] === value)
      .flatMap(({ id }) => occupancy.get(id) ?? [])
      .filter(({ serviceId }) => serviceId === task.serviceId).length
  })
}

const compareKeys = (a: number[], b: number[]): number => {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const explain = (refusals: Map<string, number>): string => {
  const parts = [...refusals]
    .toSorted(([, a], [, b]) => b - a)
    .map(([why, count]) => {
      const nodes = `${count} node${count === 1 ? '' : 's'}`
      if (why.endsWith(' on')) return `${why} ${nodes}`
      return why.startsWith('not available') ? `${nodes} ${why}` : why
    })
  return parts.length === 0 ? 'no suitable node' : `no suitable node (${parts.join('; ')})`
}
