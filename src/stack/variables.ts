import type { Service } from '../compose/index.ts'

/** The environment variables of a service that have a value. */
export const variablesOf = ({ environment }: Service): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(environment ?? {}).flatMap(([variable, value]) =>
      value === null ? [] : [[variable, value] as const],
    ),
  )
