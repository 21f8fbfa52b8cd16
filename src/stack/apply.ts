import { execute, type ExecuteContext } from './execute.ts'
import type { Operation } from './operations.ts'

/** Requests at once; each is one write to Raft. */
const AT_ONCE = 8

export interface ApplyEvents {
  onDone: (operation: Operation) => void
  onWarning: (text: string) => void
}

/** Does operations side by side. The first error is thrown once the others have ended. */
export const applyAll = async (
  operations: readonly Operation[],
  context: ExecuteContext,
  events: ApplyEvents,
): Promise<void> => {
  const queue = [...operations]
  const errors: unknown[] = []
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        for (const warning of await execute(next, context)) events.onWarning(warning)
        events.onDone(next)
      } catch (error) {
        errors.push(error)
        queue.length = 0
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (errors.length > 0) throw errors[0]
}

/** Operations in the order of a deployment. */
export interface Phases {
  /** What services need, and what must let go of a port first. */
  prepare: Operation[]
  early: Operation[]
  /** Services, wave by wave. */
  waves: Operation[][]
  /** What nothing needs any more, once the rest serves. */
  late: Operation[]
}

export const phases = (operations: readonly Operation[]): Phases => {
  const result: Phases = { prepare: [], early: [], waves: [], late: [] }
  for (const operation of operations) {
    switch (operation.kind) {
      case 'create-network':
      case 'create-file':
        result.prepare.push(operation)
        break
      // The leader holds new services back; only running ones need a turn.
      case 'create-service':
      case 'recreate-service':
        ;(result.waves[0] ??= []).push(operation)
        break
      case 'update-service':
        ;(result.waves[operation.wave] ??= []).push(operation)
        break
      case 'remove-service':
        ;(operation.early ? result.early : result.late).push(operation)
        break
      case 'remove-network':
        result.late.push(operation)
        break
    }
  }
  result.waves = result.waves.filter(() => true)
  return result
}
