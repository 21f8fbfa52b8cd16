import type { Service, Stack } from './model.ts'
import type { Problems } from './problems.ts'
import { didYouMean } from './suggest.ts'

export interface Selection {
  profiles: readonly string[]
  names: readonly string[]
  problems: Problems
}

/**
 * Parts the services into those to run and those whose profiles are not active. With names, only
 * those and what they depend on are left, and they need no profile.
 */
export const selectServices = (stack: Stack, { profiles, names, problems }: Selection): Stack => {
  const active = new Set(profiles)
  const services: Record<string, Service> = {}
  const disabledServices: Record<string, Service> = {}
  const named = new Set(names)
  for (const [name, service] of Object.entries(stack.services)) {
    const own = service.profiles ?? []
    const enabled =
      own.length === 0 || active.has('*') || own.some((profile) => active.has(profile))
    const to = enabled || named.has(name) ? services : disabledServices
    to[name] = service
  }
  if (names.length === 0) return { ...stack, services, disabledServices }
  const wanted = new Set<string>()
  const queue = [...names]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (wanted.has(name)) continue
    const service = services[name]
    if (service) {
      wanted.add(name)
      queue.push(...Object.keys(service.depends_on ?? {}))
    } else if (named.has(name)) {
      const hint = didYouMean(name, Object.keys(stack.services))
      problems.error({ path: [] }, `there is no service "${name}"`, hint)
    }
  }
  const selected: Record<string, Service> = {}
  for (const [name, service] of Object.entries(services)) {
    if (!wanted.has(name)) disabledServices[name] = service
    else selected[name] = service
  }
  return { ...stack, services: selected, disabledServices }
}
