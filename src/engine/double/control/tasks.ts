import { isDeepStrictEqual } from 'node:util'
import type { ServiceRecord, TaskRecord } from '../records.ts'
import type { Control } from './context.ts'

/** Makes a task of a service. `nodeId` is fixed beforehand only for global services. */
export const createTask = (
  { store, random, clock }: Control,
  service: ServiceRecord,
  how: {
    slot: number
    nodeId?: string | undefined
    desired?: TaskRecord['desired']
    jobIteration?: number
  },
): TaskRecord =>
  store.create('task', random.id(), {
    serviceId: service.id,
    serviceName: service.spec.Name,
    serviceLabels: service.spec.Labels ?? {},
    slot: how.slot,
    nodeId: how.nodeId,
    spec: service.spec.TaskTemplate ?? {},
    specVersion: service.specVersion,
    endpointSpec: service.spec.EndpointSpec,
    desired: how.desired ?? 'running',
    status: { state: 'new', at: clock.wall(), message: 'created', err: '', container: undefined },
    attachments: [],
    jobIteration: how.jobIteration,
  })

/** Whether a task was made from something else than what the service says now. */
export const isDirty = (service: ServiceRecord, task: TaskRecord): boolean =>
  service.specVersion !== task.specVersion &&
  !(
    isDeepStrictEqual(service.spec.TaskTemplate ?? {}, task.spec) &&
    isDeepStrictEqual(service.spec.EndpointSpec, task.endpointSpec)
  )

/** Groups by a key, in order of first appearance. */
export const groupBy = <T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
