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
  const named = new Set(names)
  const isActive = ([name, service]: [string, Service]): boolean => {
    const own = service.profiles ?? []
    if (own.length === 0 || active.has('*') || named.has(name)) return true
    return own.some((profile) => active.has(profile))
  }
  const enabled = new Map(Object.entries(stack.services).filter(isActive))
  const wanted = names.length === 0 ? enabled : withDependencies(enabled, names)
  for (const name of names) {
    if (enabled.has(name)) continue
    const hint = didYouMean(name, Object.keys(stack.services))
    problems.error({ path: [] }, `there is no service "${name}"`, hint)
  }
  const rest = Object.entries(stack.services).filter(([name]) => !wanted.has(name))
  return {
    ...stack,
    services: Object.fromEntries(wanted),
    disabledServices: Object.fromEntries(rest),
  }
}

/** These services and what they depend on, in the order of the files. */
const withDependencies = (
  services: ReadonlyMap<string, Service>,
  names: readonly string[],
): Map<string, Service> => {
  const wanted = new Set<string>()
  const queue = [...names]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const service = services.get(name)
    if (!service || wanted.has(name)) continue
    wanted.add(name)
    queue.push(...Object.keys(service.depends_on ?? {}))
  }
  return new Map([...services].filter(([name]) => wanted.has(name)))
}
