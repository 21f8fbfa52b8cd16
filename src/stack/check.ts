import type { ModelPath, Service, Stack } from '../compose/index.ts'
import { type Row, SECTION_KEYS, SERVICE_KEYS } from './keys.ts'
import { MUSTER_KEY } from './x-muster.ts'

/** Something in the file that the cluster cannot do. */
export interface Problem {
  path: ModelPath
  message: string
  hint?: string
}

export interface CheckOptions {
  /** API version of the engine, `1.41`. */
  api: string
  /** Keys that the user accepts to lose, by service; `*` for every service. */
  tolerated: ReadonlyMap<string, ReadonlySet<string>>
}

export interface CheckResult {
  problems: Problem[]
  /** What was tolerated, in words. */
  notes: string[]
}

/** True if version `a` is `b` or newer. Versions are `MAJOR.MINOR`. */
export const apiAtLeast = (a: string, b: string): boolean => {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number)
  const [majorB = 0, minorB = 0] = b.split('.').map(Number)
  return majorA === majorB ? minorA >= minorB : majorA > majorB
}

/**
 * Holds every key of a stack against the table in keys.ts: what is refused (and not tolerated) or
 * needs a newer engine is a problem; so is a key that the table does not know.
 */
export const checkKeys = (stack: Stack, options: CheckOptions): CheckResult => {
  const result: CheckResult = { problems: [], notes: [] }
  for (const [name, service] of Object.entries(stack.services)) {
    walk(SERVICE_KEYS, service, {
      path: ['services', name],
      key: [],
      service,
      tolerated: (key) => tolerates(options, name, key) || tolerates(options, '*', key),
      api: options.api,
      result,
    })
  }
  for (const [group, keys] of SECTION_KEYS) {
    for (const [name, value] of Object.entries(stack[group])) {
      walk(keys, value, {
        path: [group, name],
        key: [group],
        service: {},
        tolerated: (key) => tolerates(options, '*', key),
        api: options.api,
        result,
      })
    }
  }
  for (const name of Object.keys(stack.models)) {
    if (tolerates(options, '*', 'models')) continue
    result.problems.push({
      path: ['models', name],
      message: 'models cannot be used: there is no model runner in the cluster.',
      hint: `To go on without it: ${MUSTER_KEY}: { tolerate: [models] } at the top of the file.`,
    })
  }
  return result
}

const tolerates = (options: CheckOptions, service: string, key: string): boolean =>
  options.tolerated.get(service)?.has(key) ?? false

interface Walk {
  path: ModelPath
  /** The path inside the service without indexes and names: `ports.host_ip`. */
  key: string[]
  service: Service
  tolerated: (key: string) => boolean
  api: string
  result: CheckResult
}

const walk = (rows: Record<string, Row>, value: object, at: Walk): void => {
  for (const [key, child] of Object.entries(value)) {
    if (key.startsWith('x-') || child === undefined) continue
    const here = { ...at, path: [...at.path, key], key: [...at.key, key], owner: value }
    const row = rows[key]
    if (row === undefined) {
      here.result.problems.push({
        path: here.path,
        message: `${here.key.join('.')} is not known to Muster.`,
      })
      continue
    }
    judge(row, child, here)
    if (typeof child !== 'object' || child === null) continue
    if (row.keys !== undefined) walk(row.keys, child, here)
    if (row.each !== undefined) {
      for (const [index, item] of entries(child)) {
        if (typeof item === 'object' && item !== null) {
          walk(row.each, item, { ...here, path: [...here.path, index] })
        }
      }
    }
  }
}

const entries = (value: object): [string | number, unknown][] =>
  Array.isArray(value) ? value.map((item, i) => [i, item]) : Object.entries(value)

const judge = (row: Row, value: unknown, at: Walk & { owner: object }): void => {
  if (row.when !== undefined && !row.when(value, at)) return
  const key = at.key.join('.')
  const tooOld = row.api !== undefined && !apiAtLeast(at.api, row.api)
  if (row.fate !== 'refused' && !tooOld) return
  const where = at.path[0] === 'services' ? `${String(at.path[1])}: ` : ''
  if (row.firm !== true && at.tolerated(key)) {
    at.result.notes.push(`${where}${key} has no effect (tolerated).`)
    return
  }
  const reason = tooOld
    ? `needs an engine with API ${row.api} or newer, this one has ${at.api}`
    : `cannot be used: ${row.why}`
  at.result.problems.push({
    path: at.path,
    message: `${key} ${reason}.`,
    hint: advice(row, key),
  })
}

const advice = (row: Row, key: string): string => {
  const instead = row.instead === undefined ? [] : [`Instead: ${row.instead}.`]
  const tolerate =
    row.firm === true ? [] : [`To go on without it: ${MUSTER_KEY}: { tolerate: [${key}] }.`]
  return [...instead, ...tolerate].join(' ') || 'Remove it.'
}
