import type { ModelPath, Stack } from '../compose/index.ts'
import type { Problem } from './check.ts'
import {
  CONFIG_KEYS,
  NETWORK_KEYS,
  type Row,
  SECRET_KEYS,
  SERVICE_KEYS,
  VOLUME_KEYS,
} from './keys.ts'
import { MUSTER_KEY, type MusterOptions, parseStackTolerance } from './x-muster.ts'

/**
 * The keys that may be without effect, by service; `*` holds for all. A key that does nothing wrong
 * when it is kept, or that nobody could do without, is no candidate and is a problem.
 */
export const tolerances = (
  stack: Stack,
  musters: ReadonlyMap<string, MusterOptions>,
  { flags, problems }: { flags: readonly string[]; problems: Problem[] },
): Map<string, Set<string>> => {
  const accept = (keys: readonly string[], path: ModelPath): Set<string> => {
    for (const [i, key] of keys.entries()) {
      if (TOLERABLE.has(key)) continue
      problems.push({
        path: path.length === 0 ? [] : [...path, 'tolerate', i],
        message: `"${key}" cannot be tolerated: it is either carried anyway or cannot be left out.`,
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

const collect = (rows: Record<string, Row>, prefix: string[]): string[] =>
  Object.entries(rows).flatMap(([key, row]) => {
    const path = [...prefix, key]
    const own =
      row.firm !== true && (row.fate === 'refused' || row.api !== undefined) ? [path.join('.')] : []
    return [...own, ...collect(row.keys ?? {}, path), ...collect(row.each ?? {}, path)]
  })

/** Every key that may be tolerated, as `ports.host_ip`. */
export const TOLERABLE: ReadonlySet<string> = new Set([
  ...collect(SERVICE_KEYS, []),
  ...collect(NETWORK_KEYS, ['networks']),
  ...collect(VOLUME_KEYS, ['volumes']),
  ...collect(CONFIG_KEYS, ['configs']),
  ...collect(SECRET_KEYS, ['secrets']),
])
