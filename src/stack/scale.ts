import { LABEL, MusterError } from '../base/index.ts'
import { headOf, isMemberService } from '../catalog/index.ts'
import type { Engine, Service, ServiceSpec } from '../engine/index.ts'
import { recipeChosen } from '../recipes/index.ts'
import { findService } from './names.ts'

/** A service and how many tasks it is to have. */
export interface ScaleChange {
  service: Service
  from: number
  to: number
}

/** `web=3`, `shop_db=1`: what `scale` is told. Throws USAGE or NOT_FOUND. */
export const parseScale = (
  args: readonly string[],
  services: readonly Service[],
): Promise<ScaleChange[]> =>
  Promise.all(
    args.map(async (arg) => {
      const [, name, count] = /^([^=]+)=(\d+)$/.exec(arg) ?? []
      if (name === undefined || count === undefined) {
        throw new MusterError('USAGE', `scale takes SERVICE=NUMBER, not "${arg}".`)
      }
      const { service } = findService(services, name)
      const head = headOf(service.Spec)
      if (head !== null) {
        const minimum = (await recipeChosen(head.choice)).topology.minimum
        const to = Number(count)
        if (to > 0 && to < minimum) {
          throw new MusterError(
            'USAGE',
            `${service.Spec.Name} needs at least ${minimum} members to be a ${head.choice.name} cluster.`,
            { hint: `Or stop them all, in order: muster scale ${service.Spec.Name}=0` },
          )
        }
        return { service, from: head.members, to }
      }
      if (isMemberService(service.Spec)) {
        const cluster = service.Spec.Labels?.[LABEL.cluster] ?? ''
        throw new MusterError('USAGE', `${service.Spec.Name} is one member of ${cluster}.`, {
          hint: `Scale the whole: muster scale ${cluster}=NUMBER`,
        })
      }
      const mode = service.Spec.Mode
      if (mode?.Replicated === undefined) {
        const kind = mode?.Global === undefined ? 'a job' : 'global: it has one task on each host'
        throw new MusterError('USAGE', `${service.Spec.Name} is ${kind} and cannot be scaled.`)
      }
      const held = service.Spec.Labels?.[LABEL.replicas]
      const from = held === undefined ? (mode.Replicated.Replicas ?? 1) : Number(held)
      return { service, from, to: Number(count) }
    }),
  )

const ATTEMPTS = 5

/** Writes the new number; a service that still waits for its dependencies gets it when it starts. */
export const scaleService = async (engine: Engine, change: ScaleChange): Promise<void> => {
  let { service } = change
  for (let attempt = 1; ; attempt++) {
    try {
      await engine.updateService(service.ID, service.Version.Index, scaled(service.Spec, change.to))
      return
    } catch (error) {
      const refused = error instanceof MusterError && error.code === 'CONFLICT'
      if (!refused || attempt === ATTEMPTS) throw error
      service = await engine.inspectService(service.ID)
    }
  }
}

const scaled = (spec: Service['Spec'], to: number): ServiceSpec => {
  if (spec.Labels?.[LABEL.recipe] !== undefined) {
    return { ...spec, Labels: { ...spec.Labels, [LABEL.members]: String(to) } }
  }
  return spec.Labels?.[LABEL.replicas] === undefined
    ? { ...spec, Mode: { Replicated: { Replicas: to } } }
    : { ...spec, Labels: { ...spec.Labels, [LABEL.replicas]: String(to) } }
}
