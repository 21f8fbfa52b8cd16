import { LABEL, MusterError } from '../base/index.ts'
import { isMemberService } from '../catalog/index.ts'
import type { Service, Task } from '../engine/index.ts'
import { shortName } from './plan.ts'
import { taskName } from './tasks.ts'

/** What a person calls a service, one task of it, or one member of a clustered service. */
export interface ServiceRef {
  service: Service
  /** Slot of a replica, if one was named: `web.2`. */
  slot: number | undefined
}

/** The stack of a service; empty for one that no stack made. */
export const stackOf = (service: Service): string => service.Spec.Labels?.[LABEL.stack] ?? ''

/** `web` for `shop_web` of the stack `shop`. */
export const keyOf = (service: Service): string => shortName(stackOf(service), service.Spec.Name)

/**
 * The service that `name` means: its full name, or the name in its file if only one stack has it;
 * `.N` behind it is a slot, or the number of a member (`db.2` is `db-2`). Throws NOT_FOUND with what is close, or with what it could mean.
 */
export const findService = (services: readonly Service[], name: string): ServiceRef => {
  const exact = match(services, name)
  if (exact !== undefined) return { service: exact, slot: undefined }
  const [, base, slot] = /^(.+)\.(\d+)$/.exec(name) ?? []
  const sliced = base === undefined ? undefined : match(services, base)
  if (sliced !== undefined) {
    if (sliced.Spec.Labels?.[LABEL.recipe] === undefined) {
      return { service: sliced, slot: Number(slot) }
    }
    const member = services.find((each) => each.Spec.Name === `${sliced.Spec.Name}-${slot}`)
    if (member !== undefined) return { service: member, slot: undefined }
    throw new MusterError('NOT_FOUND', `${sliced.Spec.Name} has no member ${slot}.`, {
      hint: `See which there are: muster ps ${sliced.Spec.Name}`,
    })
  }
  throw notFound('service', base ?? name, [
    ...services.map((each) => each.Spec.Name),
    ...services.map((each) => keyOf(each)),
  ])
}

const match = (services: readonly Service[], name: string): Service | undefined => {
  const full = services.find((each) => each.Spec.Name === name)
  if (full !== undefined) return full
  const short = services.filter((each) => keyOf(each) === name)
  if (short.length <= 1) return short[0]
  throw new MusterError(
    'NOT_FOUND',
    `"${name}" could be ${short.map((each) => each.Spec.Name).join(' or ')}.`,
    { hint: 'Give the full name.' },
  )
}

/** The services that have the tasks of this one: its members' for a clustered service. */
export const taskServices = (service: Service, services: readonly Service[]): Service[] =>
  service.Spec.Labels?.[LABEL.recipe] === undefined
    ? [service]
    : services.filter((each) => each.Spec.Labels?.[LABEL.cluster] === service.Spec.Name)

/** `web.2`, or `db-2` for the one task of a member. */
export const nameOfTask = (service: Service, task: Task): string =>
  isMemberService(service.Spec) ? keyOf(service) : taskName(keyOf(service), task)

/** The stack that `name` means. Throws NOT_FOUND. */
export const findStack = (services: readonly Service[], name: string): string => {
  const stacks = new Set(services.map((each) => stackOf(each)).filter((each) => each !== ''))
  if (stacks.has(name)) return name
  throw notFound('stack', name, [...stacks])
}

/** "There is no such thing", with what was probably meant. */
export const notFound = (
  what: string,
  name: string,
  candidates: readonly string[],
): MusterError => {
  const close = closest(name, candidates)
  return new MusterError('NOT_FOUND', `There is no ${what} "${name}".`, {
    hint:
      close === undefined
        ? `See what there is: muster ${LISTS[what] ?? 'ps'}`
        : `Did you mean "${close}"?`,
  })
}

/** The command that lists things of a kind. */
const LISTS: Record<string, string> = { stack: 'ls', volume: 'volume ls' }

const closest = (name: string, candidates: readonly string[]): string | undefined =>
  [...new Set(candidates)]
    .map((candidate) => ({ candidate, away: distance(name, candidate) }))
    .filter(({ candidate, away }) => away <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.away - b.away)[0]?.candidate

/** Letters to change, add, take away or swap with their neighbour. */
const distance = (a: string, b: string): number => {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Infinity
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
