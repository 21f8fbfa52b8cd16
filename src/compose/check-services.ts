import { checkCycles } from './check-cycles.ts'
import { checkReferences } from './check-references.ts'
import { spotAt } from './locate.ts'
import type { ModelPath, Service } from './model.ts'
import type { Node } from './node.ts'
import type { Problems } from './problems.ts'

/** A loaded project, for checking that its services fit together. */
export interface Declared {
  services: Readonly<Record<string, Service>>
  /** Those whose profiles are not active. */
  disabled: Readonly<Record<string, Service>>
  /** Where everything was written, and what else is declared. */
  tree: Node
  problems: Problems
}

/** One service under check. Paths are below the service. */
export interface ServiceCheck extends Declared {
  name: string
  service: Service
  wrong: (path: ModelPath, message: string, hint?: string) => void
}

/** Checks that services fit together: references, contradictions, circles. */
export const checkServices = (declared: Declared): void => {
  for (const [name, service] of Object.entries(declared.services)) {
    const check: ServiceCheck = {
      ...declared,
      name,
      service,
      wrong: (path, message, hint) =>
        declared.problems.error(spotAt(declared.tree, ['services', name, ...path]), message, hint),
    }
    checkImage(check)
    checkContents(check)
    checkReferences(check)
    checkContradictions(check)
    checkReplicas(check)
    checkTargets(check)
  }
  checkCycles(declared)
}

const checkImage = ({ service, services, disabled, wrong }: ServiceCheck): void => {
  const { build } = service
  if (!build && !service.image && !service.provider) wrong([], 'needs an "image" or a "build"')
  if (build?.dockerfile_inline && build.dockerfile)
    wrong(['build', 'dockerfile_inline'], '"dockerfile" and "dockerfile_inline" exclude each other')
  if (build?.platforms && service.platform && !build.platforms.includes(service.platform))
    wrong(['build', 'platforms'], `the service's platform ${service.platform} is not among them`)
  for (const [key, context] of Object.entries(build?.additional_contexts ?? {})) {
    if (!context.startsWith('service:')) continue
    const target = context.slice('service:'.length)
    const all = new Map(Object.entries({ ...services, ...disabled }))
    const other = all.get(target)
    const path = ['build', 'additional_contexts', key]
    if (!other) wrong(path, `there is no service "${target}"`)
    else if (!other.build) wrong(path, `the service "${target}" is not built`)
  }
}

const checkContents = ({ service, wrong }: ServiceCheck): void => {
  if (service.network_mode && Object.keys(service.networks ?? {}).length > 0)
    wrong(['network_mode'], '"network_mode" and "networks" exclude each other')
  const [test] = service.healthcheck?.test ?? []
  if (test !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(test)) {
    const got = JSON.stringify(test)
    const message = `expected "CMD", "CMD-SHELL" or "NONE" as the first item, got ${got}`
    wrong(['healthcheck', 'test', 0], message)
  }
  for (const [index, watch] of (service.develop?.watch ?? []).entries())
    if (!watch.target && watch.action !== 'rebuild' && watch.action !== 'restart')
      wrong(['develop', 'watch', index], `the action "${watch.action}" needs a "target"`)
}

/** The same thing said twice, differently. */
const checkContradictions = ({ service, wrong }: ServiceCheck): void => {
  const { deploy } = service
  const limits = deploy?.resources?.limits
  const reserved = deploy?.resources?.reservations
  const pairs = [
    ['scale', 'deploy.replicas', deploy?.replicas === undefined ? undefined : deploy, 'replicas'],
    ['cpus', 'deploy.resources.limits.cpus', limits, 'cpus'],
    ['mem_limit', 'deploy.resources.limits.memory', limits, 'memory'],
    ['mem_reservation', 'deploy.resources.reservations.memory', reserved, 'memory'],
    ['pids_limit', 'deploy.resources.limits.pids', limits, 'pids'],
  ] as const
  for (const [key, otherKey, owner, field] of pairs) {
    const value = service[key]
    const other = (owner as Record<string, number | undefined> | undefined)?.[field]
    if (value !== undefined && owner !== undefined && value !== other)
      wrong([key], `"${key}" and "${otherKey}" differ: ${value} and ${other ?? 'nothing'}`)
  }
}

const checkReplicas = ({ service, wrong }: ServiceCheck): void => {
  const counts = [
    [['scale'], service.scale],
    [['deploy', 'replicas'], service.deploy?.replicas],
  ] as const
  for (const [path, count] of counts)
    if (count !== undefined && count < 0) wrong(path, `expected 0 or more, got ${count}`)
  const replicas = service.scale ?? service.deploy?.replicas ?? 1
  if (replicas > 1 && service.container_name)
    wrong(['container_name'], `${replicas} replicas cannot all have the same container name`)
}

/** No two things are mounted at the same place. */
const checkTargets = ({ service, wrong }: ServiceCheck): void => {
  const targets: { path: ModelPath; target: string }[] = [
    ...(service.tmpfs ?? []).map((tmpfs, index) => ({
      path: ['tmpfs', index],
      target: tmpfs.split(':', 1)[0] ?? '',
    })),
    ...(service.volumes ?? []).map((volume, index) => ({
      path: ['volumes', index],
      target: volume.target ?? '',
    })),
  ]
  const mounted = new Set<string>()
  for (const { path, target } of targets) {
    if (mounted.has(target)) wrong(path, `something else is mounted at ${target} already`)
    mounted.add(target)
  }
}
