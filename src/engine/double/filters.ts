/** The engine's filters. A filter with several values holds if one does; all filters must hold. */
import type { ContainerSummary, EngineEvent, Filters } from '../types.ts'
import { refusal } from '../failure.ts'

/** `key` or `key=value` against labels. */
export const matchesLabel = (labels: Record<string, string> | undefined, wanted: string) => {
  const [key = '', ...value] = wanted.split('=')
  const actual = labels?.[key]
  if (actual === undefined) return false
  return value.length === 0 || actual === value.join('=')
}

/** How each filter of one list compares. */
export type Matchers<T> = Record<string, (item: T, wanted: string) => boolean>

/**
 * The items that pass.
 * @throws MusterError ENGINE_REFUSED for a filter that the list does not know
 */
export const applyFilters = <T>(
  items: T[],
  filters: Filters | undefined,
  { matchers, doing }: { matchers: Matchers<T>; doing: string },
): T[] => {
  const active = Object.entries(filters ?? {}).map(([name, values]) => {
    const matcher = matchers[name]
    if (matcher === undefined) {
      throw refusal({ status: 400, body: `Invalid filter '${name}'`, path: '/', doing })
    }
    return { matcher, values }
  })
  return items.filter((item) =>
    active.every(
      ({ matcher, values }) => values.length === 0 || values.some((value) => matcher(item, value)),
    ),
  )
}

/** Labels must all hold, unlike other filters. */
export const withAllLabels = <T>(
  items: T[],
  filters: Filters | undefined,
  labelsOf: (item: T) => Record<string, string> | undefined,
): T[] =>
  items.filter((item) =>
    (filters?.['label'] ?? []).every((wanted) => matchesLabel(labelsOf(item), wanted)),
  )

/** Container names match by substring. */
export const containerMatchers: Matchers<ContainerSummary> = {
  id: ({ Id }, wanted) => Id?.startsWith(wanted) === true,
  name: ({ Names = [] }, wanted) => Names.some((name) => name.slice(1).includes(wanted)),
  label: ({ Labels }, wanted) => matchesLabel(Labels, wanted),
  status: ({ State }, wanted) => State === wanted,
  health: ({ Status = '' }, wanted) =>
    wanted === 'none' ? !Status.includes('(') : Status.includes(`(${healthText(wanted)})`),
  network: ({ NetworkSettings }, wanted) =>
    Object.entries(NetworkSettings?.Networks ?? {}).some(
      ([name, { NetworkID }]) => name === wanted || NetworkID === wanted,
    ),
}

const healthText = (health: string) => (health === 'starting' ? 'health: starting' : health)

/** Whether a subscriber with these filters hears of an event. */
export const matchesEvent = (event: EngineEvent, filters: Filters): boolean => {
  const { ID, Attributes = {} } = event.Actor ?? {}
  const isActor = (type: string, wanted: string) =>
    event.Type === type && (ID?.startsWith(wanted) === true || Attributes['name'] === wanted)
  return Object.entries(filters).every(([name, values]) => {
    if (name === 'label') return values.every((wanted) => matchesLabel(Attributes, wanted))
    return values.some((wanted) => {
      if (name === 'type') return event.Type === wanted
      // `health_status` matches `health_status: healthy`.
      if (name === 'event') {
        return event.Action === wanted || event.Action?.split(':')[0] === wanted
      }
      if (name === 'scope') return event.scope === wanted
      return isActor(name, wanted)
    })
  })
}
