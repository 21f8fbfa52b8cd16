/**
 * The head of a clustered service: a Swarm service without tasks that carries what the user wrote.
 * Its labels say which recipe makes members of it, and how many.
 */
import { createHash } from 'node:crypto'
import { LABEL } from '../base/index.ts'
import type { ClusterName, Ledger } from './clusters.ts'
import {
  anyText,
  type Decode,
  CorruptMessage,
  fallback,
  fromJson,
  integer,
  list,
  nullable,
  object,
  oneOf,
} from './decode.ts'
import * as schema from './schema.ts'

/** A port of the software: it leads to `any` ready member, or to the `writer` alone. */
export interface ClientPort {
  port: number
  to: 'any' | 'writer'
}

/** The label `muster.recipe`. */
export interface RecipeChoice {
  name: string
  /** As the recipe has checked them. */
  options: Record<string, unknown>
  /** Ports for clients. On any other one a member is reached itself, ready or not. */
  ports: ClientPort[]
  /** A recipe that came with the file: the text of its module. Absent for one that comes with Muster. */
  code?: string | undefined
}

export interface Head {
  cluster: ClusterName
  choice: RecipeChoice
  /** Wanted members. */
  members: number
}

/** A clustered service as the managers tell it. */
export interface Cluster {
  /** Its name. */
  id: ClusterName
  ledger: Ledger
  /** What its file asks for; null when its stack is down. */
  head: Head | null
}

const anything: Decode<Record<string, unknown>> = (value, at) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new CorruptMessage(`${at}: expected an object`)
}

/** More than any module that is accepted. */
const MAX_CODE = 100_000

const choice: Decode<RecipeChoice> = object({
  name: schema.name,
  options: anything,
  ports: list(object({ port: integer(1, 65_535), to: oneOf('any', 'writer') }), 100),
  code: fallback<string | undefined>(anyText(MAX_CODE), undefined),
})

const head: Decode<Head> = object({ cluster: schema.name, choice, members: integer(0) })

export const cluster: Decode<Cluster> = object({
  id: schema.name,
  ledger: schema.ledger,
  head: nullable(head),
})

/** Null for a service that is no head. Throws CorruptMessage. */
export const headOf = (spec: {
  Name?: string
  Labels?: Record<string, string> | undefined
}): Head | null => {
  const label = spec.Labels?.[LABEL.recipe]
  if (label === undefined) return null
  const members = Number(spec.Labels?.[LABEL.members])
  if (!Number.isSafeInteger(members) || members < 0) {
    throw new CorruptMessage(`label ${LABEL.members}: expected a number of members`)
  }
  return {
    cluster: spec.Name ?? '',
    choice: fromJson(label, choice, `label ${LABEL.recipe}`),
    members,
  }
}

/** True for the service of one member: it is shown and handled as a part of its cluster. */
export const isMemberService = (spec: { Labels?: Record<string, string> | undefined }): boolean =>
  spec.Labels?.[LABEL.memberOf] !== undefined

/**
 * What the members are made from, as a short hash: everything of the head but where it may run and
 * how many there are. A member whose label says another is out of date.
 */
export const memberHash = (head: {
  TaskTemplate?: object | undefined
  Labels?: Record<string, string> | undefined
}): string => {
  const { Placement: _, ...template } = (head.TaskTemplate ?? {}) as { Placement?: unknown }
  const text = JSON.stringify(sorted([template, head.Labels?.[LABEL.recipe]]))
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map((each) => sorted(each))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}
