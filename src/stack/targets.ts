import type { Target } from './converge.ts'
import { isJob } from './deploy-spec.ts'
import type { Plan } from './plan.ts'

/** Every service of the stack, with what the plan does to it. */
export const targetsOf = (wanted: Plan): Target[] =>
  wanted.settled.services.map((service) => {
    const operation = wanted.operations.find(
      (each) => 'service' in each && each.service.name === service.name,
    )
    return {
      name: service.name,
      touched: operation !== undefined,
      expectsUpdate:
        operation?.kind === 'update-service' && operation.restarts > 0 && !isJob(service.spec.Mode),
    }
  })
