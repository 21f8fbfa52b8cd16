import { LABEL } from '../base/index.ts'
import { sameCanonical } from './canonical.ts'
import { digestOf, withoutDigest } from './image.ts'

/** How a change of one field is said; no line: it goes without saying. */
export type Say = (name: string, before: unknown, after: unknown) => string[]

/** A value in a line of text. */
export const show = (value: unknown): string => {
  if (value === undefined) return '(none)'
  if (Array.isArray(value)) return value.map((item) => show(item)).join(' ')
  return typeof value === 'string' ? value || '""' : JSON.stringify(value)
}

/** `key a -> b`. */
export const scalar: Say = (name, before, after) => [`${name} ${show(before)} -> ${show(after)}`]

const formatted =
  (format: (value: number) => string): Say =>
  (name, before, after) => {
    const text = (value: unknown) => (typeof value === 'number' ? format(value) : show(value))
    return [`${name} ${text(before)} -> ${text(after)}`]
  }

/** Nanoseconds. */
export const duration = formatted((ns) => {
  const ms = ns / 1e6
  if (ms < 1000) return `${ms}ms`
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`
})
/** Billionths of a core. */
export const cores = formatted((nano) => String(nano / 1e9))
/** Sizes. */
export const bytes = formatted((count) =>
  count % 2 ** 30 === 0 ? `${count / 2 ** 30}G` : `${Math.round(count / 2 ** 20)}M`,
)

/** Items of a list that came and went. */
export const items: Say = (name, before, after) => {
  const [old, now] = [asList(before), asList(after)]
  const [oldSet, nowSet] = [new Set(old), new Set(now)]
  const gone = old.filter((each) => !nowSet.has(each)).map((each) => `${name} - ${each}`)
  const added = now.filter((each) => !oldSet.has(each)).map((each) => `${name} + ${each}`)
  return gone.length + added.length > 0 ? [...gone, ...added] : [`${name} in another order`]
}

const asList = (value: unknown): string[] =>
  Array.isArray(value) ? value.map((item) => show(item)) : []

/** Names that probably hold something that must not be on a screen. */
const PRIVATE = /pass|secret|token|key|cred|auth|private|dsn|url$|uri$/i

/** Entries of a map that came, went or changed. */
const entries = (name: string, old: Map<string, string>, now: Map<string, string>): string[] => {
  const hide = (key: string, value: string) => (PRIVATE.test(key) ? '(hidden)' : value || '""')
  const lines: string[] = []
  for (const [key, value] of old) {
    const next = now.get(key)
    if (next === undefined) lines.push(`${name} - ${key}`)
    else if (next !== value) {
      lines.push(
        PRIVATE.test(key)
          ? `${name} ${key} changed`
          : `${name} ${key} ${value || '""'} -> ${next || '""'}`,
      )
    }
  }
  for (const [key, value] of now) {
    if (!old.has(key)) lines.push(`${name} + ${key}=${hide(key, value)}`)
  }
  return lines
}

/** Keys with their values. */
export const map: Say = (name, before, after) => entries(name, asMap(before), asMap(after))

const asMap = (value: unknown): Map<string, string> =>
  new Map(Object.entries(value ?? {}).map(([key, each]) => [key, show(each)]))

const OWN_LABELS = new Set<string>([
  LABEL.ports,
  LABEL.http,
  LABEL.image,
  LABEL.stack,
  LABEL.recipe,
  LABEL.recipeFrom,
  LABEL.members,
])

/** Labels of the service: ports and routes in their own words, Docker's own not at all. */
export const labels: Say = (name, before, after) => {
  const others = (value: unknown) =>
    new Map([...asMap(value)].filter(([key]) => !OWN_LABELS.has(key)))
  const label = (value: unknown, key: string) =>
    (value as Record<string, string> | undefined)?.[key]
  const own = (
    [
      ['ports', LABEL.ports, showPort],
      ['x-muster.http', LABEL.http, showRoute],
    ] as const
  ).flatMap(([field, key, text]) => {
    const [old, now] = [parseList(label(before, key), text), parseList(label(after, key), text)]
    return sameCanonical(old, now) ? [] : items(field, old, now)
  })
  const ownership =
    label(before, LABEL.stack) === label(after, LABEL.stack)
      ? []
      : [`stack ${show(label(before, LABEL.stack))} -> ${show(label(after, LABEL.stack))}`]
  const [oldRecipe, newRecipe] = [
    recipeWord(label(before, LABEL.recipe)),
    recipeWord(label(after, LABEL.recipe)),
  ]
  const recipe =
    label(before, LABEL.recipe) === label(after, LABEL.recipe)
      ? []
      : oldRecipe === newRecipe
        ? [
            `${recipePart(label(before, LABEL.recipe), label(after, LABEL.recipe))} of the recipe ${newRecipe}`,
          ]
        : [`recipe ${oldRecipe} -> ${newRecipe}`]
  const [wasMembers, members] = [label(before, LABEL.members), label(after, LABEL.members)]
  const count =
    wasMembers === members ? [] : [`members ${wasMembers ?? '(none)'} -> ${members ?? '(none)'}`]
  return [
    ...ownership,
    ...recipe,
    ...count,
    ...own,
    ...entries(name, others(before), others(after)),
  ]
}

/** The name in a label `muster.recipe`. */
const recipeWord = (text: string | undefined): string => recipeField(text, 'name')

/** Which part of it is another one. */
const recipePart = (before: string | undefined, after: string | undefined): string =>
  recipeField(before, 'code') === recipeField(after, 'code') ? 'options' : 'module'

const recipeField = (text: string | undefined, field: string): string => {
  if (text === undefined) return '(none)'
  try {
    return String((JSON.parse(text) as Record<string, unknown>)[field])
  } catch {
    return text
  }
}

const parseList = (text: string | undefined, say: (item: Loose) => string): string[] => {
  if (text === undefined) return []
  try {
    return (JSON.parse(text) as Loose[]).map((item) => say(item))
  } catch {
    // Somebody wrote something else there; showing it as it is is all that can be done.
    return [text]
  }
}

type Loose = Record<string, unknown>

const showPort = (port: Loose): string =>
  `${String(port.published)} -> ${String(port.target)}${port.mode === 'http' ? ' (http)' : ''}${port.proxyProtocol === true ? ' (PROXY protocol)' : ''}`

const showRoute = (route: Loose): string =>
  `${String(route.host)}:${String(route.published)}${String(route.path)} -> ${String(route.target)}`

/** `KEY=value` each. */
export const variables: Say = (name, before, after) => {
  const parse = (value: unknown) =>
    new Map(
      ((value ?? []) as string[]).map((each) => {
        const at = each.indexOf('=')
        return at < 0 ? [each, '(unset)'] : [each.slice(0, at), each.slice(at + 1)]
      }),
    )
  return entries(name, parse(before), parse(after))
}

/** Images by name; by digest when the name is the same. */
export const image: Say = (name, before, after) => {
  const [old, now] = [show(before), show(after)]
  const [oldName, nowName] = [withoutDigest(old), withoutDigest(now)]
  if (oldName !== nowName) return [`${name} ${oldName} -> ${nowName}`]
  const short = (text: string) => digestOf(text)?.slice(7, 19) ?? 'not pinned'
  return [`${name} ${nowName} (${short(old)} -> ${short(now)})`]
}

/** Configs and secrets by where they are mounted: the hash in a name says nothing to a person. */
export const files: Say = (name, before, after) => {
  const parse = (value: unknown) =>
    new Map(
      ((value ?? []) as Loose[]).map((each) => [
        String((each.File as Loose | undefined)?.Name),
        show(each),
      ]),
    )
  const [old, now] = [parse(before), parse(after)]
  return [
    ...[...old.keys()].filter((key) => !now.has(key)).map((key) => `${name} - ${key}`),
    ...[...now].flatMap(([key, value]) =>
      old.get(key) === value ? [] : [old.has(key) ? `${name} ${key} changed` : `${name} + ${key}`],
    ),
  ]
}

/** Networks by name. */
export const networks: Say = (name, before, after) => {
  const parse = (value: unknown) =>
    new Map(
      ((value ?? []) as Loose[]).map((each) => {
        const { Target: target, ...rest } = each
        return [String(target), show(rest)]
      }),
    )
  const [old, now] = [parse(before), parse(after)]
  return [
    ...[...old.keys()].filter((key) => !now.has(key)).map((key) => `${name} - ${key}`),
    ...[...now].flatMap(([key, value]) =>
      old.get(key) === value ? [] : [old.has(key) ? `${name} ${key} changed` : `${name} + ${key}`],
    ),
  ]
}

/** Volumes and other mounts by where they are mounted. */
export const mounts: Say = (name, before, after) => {
  const parse = (value: unknown) =>
    new Map(
      ((value ?? []) as Loose[]).map((each) => [
        String(each.Target),
        `${String(each.Source ?? each.Type)}:${String(each.Target)}${each.ReadOnly === true ? ':ro' : ''}`,
      ]),
    )
  const [old, now] = [parse(before), parse(after)]
  const lines = items(name, [...old.values()], [...now.values()])
  return lines[0]?.endsWith('in another order') ? [`${name} options changed`] : lines
}
