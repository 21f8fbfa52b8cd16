import type { ModelPath, Stack } from '../compose/index.ts'
import type { Problem } from './check.ts'
import { type Row, SECTION_KEYS, SERVICE_KEYS } from './keys.ts'
import { MUSTER_KEY, type MusterOptions, parseStackTolerance } from './x-muster.ts'

/**
 * The keys that may be without effect, by service; `*` holds for all. A key that nobody could do
 * without, or that nobody knows, is a problem; one that is carried anyway is not.
 */
export const tolerances = (
  stack: Stack,
  musters: ReadonlyMap<string, MusterOptions>,
  { flags, problems }: { flags: readonly string[]; problems: Problem[] },
): Map<string, Set<string>> => {
  const accept = (keys: readonly string[], path: ModelPath): Set<string> => {
    for (const [i, key] of keys.entries()) {
      if (TOLERABLE.has(key) || CARRIED.has(key)) continue
      problems.push({
        path: path.length === 0 ? [] : [...path, 'tolerate', i],
        message: FIRM.has(key)
          ? `${key} cannot be tolerated: without it the service would be another one.`
          : `"${key}" is no key of a Compose file.`,
        hint: `What can be: ${[...TOLERABLE].sort().join(', ')}.`,
      })
    }
    return new Set(keys)
  }
  const everywhere = [
    ...accept(flags, []),
    ...accept(parseStackTolerance(stack.extensions, problems), [MUSTER_KEY]),
  ]
  return new Map([
    ['*', new Set(everywhere)],
    ...[...musters].map(
      ([key, muster]) =>
        [key, accept(muster.tolerate ?? [], ['services', key, MUSTER_KEY])] as const,
    ),
  ])
}

type Kind = 'tolerable' | 'firm' | 'carried'

const kindOf = (row: Row): Kind => {
  if (row.firm === true) return 'firm'
  return row.fate === 'refused' || row.api !== undefined ? 'tolerable' : 'carried'
}

const collect = (rows: Record<string, Row>, prefix: string[]): [Kind, string][] =>
  Object.entries(rows).flatMap(([key, row]): [Kind, string][] => {
    const path = [...prefix, key]
    return [
      [kindOf(row), path.join('.')],
      ...collect(row.keys ?? {}, path),
      ...collect(row.each ?? {}, path),
    ]
  })

const ALL = [
  ...collect(SERVICE_KEYS, []),
  ...SECTION_KEYS.flatMap(([section, keys]) => collect(keys, [section])),
]

const keysOf = (wanted: Kind): ReadonlySet<string> =>
  new Set(ALL.filter(([kind]) => kind === wanted).map(([, key]) => key))

/** Every key that may be tolerated, as `ports.host_ip`. */
const TOLERABLE = keysOf('tolerable')
const FIRM = keysOf('firm')
const CARRIED = keysOf('carried')
