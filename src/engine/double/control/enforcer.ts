import { compareStates, hasEnded, isWanted } from '../states.ts'
import { meetsConstraints } from './constraints.ts'
import type { Control } from './context.ts'

/** Rejects tasks on hosts whose labels or role no longer meet their constraints. */
export const enforceConstraints = ({ store, clock }: Control): void => {
  for (const task of store.all('task')) {
    const constraints = task.spec.Placement?.Constraints ?? []
    if (constraints.length === 0 || task.nodeId === undefined) continue
    if (!isWanted(task.desired) || hasEnded(task.status.state)) continue
    if (compareStates(task.status.state, 'assigned') < 0) continue
    const node = store.get('node', task.nodeId)
    if (node === undefined || node.spec.Availability !== 'active') continue
    if (meetsConstraints(constraints, node)) continue
    store.update('task', task.id, {
      status: {
        ...task.status,
        state: 'rejected',
        at: clock.wall(),
        message: 'task rejected by constraint enforcer',
        err: 'assigned node no longer meets constraints',
      },
    })
  }
}
