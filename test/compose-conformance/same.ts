/**
 * When two canonical projects are the same: null, absent and empty say the same, the order of keys
 * says nothing.
 */
import { isDeepStrictEqual } from 'node:util'

export type Plain = Record<string, unknown>

/** Keys that say nothing when they are empty. Other empty maps do: a network with all defaults. */
const NOTHING_WHEN_EMPTY = new Set([
  'command',
  'entrypoint',
  'ipam',
  'volume',
  'bind',
  'tmpfs',
  'image',
  'environment',
  'labels',
  'driver_opts',
  'options',
])

const SECTIONS = ['networks', 'volumes', 'secrets', 'configs', 'services']

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

const comparable = (value: unknown): unknown => {
  if (value === null || value === undefined) return {}
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, comparable(item)] as const)
      .filter(
        ([key, item]) => !(isEmpty(item) && (NOTHING_WHEN_EMPTY.has(key) || Array.isArray(item))),
      ),
  )
}

const project = (value: unknown): unknown => {
  const plain = comparable(value) as Plain
  if (typeof plain !== 'object') return plain
  return Object.fromEntries(
    Object.entries(plain).filter(([key, item]) => !(SECTIONS.includes(key) && isEmpty(item))),
  )
}

/** The first difference, as `services.web.image: got "a", want "b"`; undefined if there is none. */
export const difference = (got: unknown, want: unknown): string | undefined =>
  firstDifference(project(got), project(want), '')

const firstDifference = (got: unknown, want: unknown, path: string): string | undefined => {
  if (isDeepStrictEqual(got, want)) return undefined
  const text = (value: unknown) => JSON.stringify(value)?.slice(0, 200) ?? 'nothing'
  if (isMap(got) && isMap(want)) {
    for (const key of new Set([...Object.keys(got), ...Object.keys(want)])) {
      const inner = firstDifference(got[key], want[key], `${path}.${key}`)
      if (inner !== undefined) return inner
    }
  }
  return `${path.slice(1)}: got ${text(got)}, want ${text(want)}`
}

const isMap = (value: unknown): value is Plain => typeof value === 'object' && value !== null
