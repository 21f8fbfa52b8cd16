/** Making, changing, stopping and removing the Swarm services of members. Each step may be repeated. */
import { ignoreMissing, MusterError } from '../base/index.ts'
import type { Engine, Service, ServiceSpec } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { type MemberPlace, memberSpec, type MemberSecrets } from './member-spec.ts'

export type ServicesApi = Pick<
  Engine,
  'createService' | 'updateService' | 'removeService' | 'inspectService'
>

/** What every member of a cluster is made from. */
export interface MemberSource {
  head: Service
  recipe: Recipe
  options: Record<string, unknown>
  secrets: MemberSecrets
  /** For the registry of its image; undefined: none are known, what Swarm has stays. */
  registryAuth?: string | undefined
}

/** Whoever is second to make it finds it made. */
export const createMember = async (
  engine: ServicesApi,
  place: MemberPlace,
  source: MemberSource,
): Promise<void> => {
  try {
    await engine.createService(memberSpec(source.head.Spec, place, source), authOf(source))
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'CONFLICT') throw error
  }
}

/**
 * Brings the spec of a member's service to what its head says now; `running` as it is to be. Does
 * nothing if somebody else has changed it since it was read: the next pass sees what they did.
 */
export const updateMember = async (
  engine: ServicesApi,
  service: Service,
  { place, source }: { place: MemberPlace; source: MemberSource },
): Promise<void> => {
  const spec = memberSpec(source.head.Spec, place, source)
  await swap(engine, service, { spec, auth: authOf(source) })
}

/** Starts or stops the one task of a member, and leaves all else as it is. */
export const setRunning = async (
  engine: ServicesApi,
  service: Service,
  running: boolean,
): Promise<void> => {
  const replicas = running ? 1 : 0
  if (service.Spec.Mode?.Replicated?.Replicas === replicas) return
  const spec = { ...service.Spec, Mode: { Replicated: { Replicas: replicas } } }
  await swap(engine, service, { spec, auth: undefined })
}

export const removeMember = (engine: ServicesApi, service: Service): Promise<void> =>
  ignoreMissing(engine.removeService(service.ID))

/** True if the service wants its task. */
export const isRunning = (service: Service | undefined): boolean =>
  (service?.Spec.Mode?.Replicated?.Replicas ?? 0) > 0

/** Host that a member's service is pinned to. */
export const hostOfMember = (service: Service): string | undefined =>
  service.Spec.TaskTemplate?.Placement?.Constraints?.map(
    (each) => /^node\.id==(.+)$/.exec(each)?.[1],
  ).findLast((each) => each !== undefined)

const authOf = ({ registryAuth }: MemberSource): { registryAuth: string } | undefined =>
  registryAuth === undefined ? undefined : { registryAuth }

const swap = async (
  engine: ServicesApi,
  service: Service,
  { spec, auth }: { spec: ServiceSpec; auth: { registryAuth: string } | undefined },
): Promise<void> => {
  try {
    await engine.updateService(service.ID, service.Version.Index, spec, auth)
  } catch (error) {
    if (error instanceof MusterError && ['CONFLICT', 'NOT_FOUND'].includes(error.code)) return
    throw error
  }
}
