import { z } from 'zod'
import { LABEL } from '../base/index.ts'
import type { Config, ConfigSpec, Engine } from '../engine/index.ts'
import type { DesiredFile, DesiredNetwork, SettledService, SettledStack } from './desired.ts'

/**
 * - `deploying`: being applied, or whoever applied it went away
 * - `deployed`: it served
 * - `failed`: it did not, and was rolled back if there was something to go back to
 * - `undone`: it served once, and a person went back to an older one
 */
export type RevisionState = 'deploying' | 'deployed' | 'failed' | 'undone'

/** One deployment of a stack, as a Swarm config remembers it: everything but the data of files. */
export interface Revision {
  number: number
  state: RevisionState
  /** Of the config. */
  id: string
  version: number
  /** Milliseconds since 1970. */
  createdAt: number
  settled: SettledStack
}

/** How many are kept, with the configs and secrets that they use. */
export const KEPT_REVISIONS = 10

const json = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null,
)

const settledSchema = z.object({
  name: z.string(),
  networks: z.array(
    z.object({
      name: z.string(),
      external: z.boolean(),
      request: json as unknown as z.ZodType<DesiredNetwork['request']>,
    }),
  ),
  files: z.array(
    z.object({
      kind: z.enum(['config', 'secret']),
      name: z.string(),
      external: z.boolean(),
      labels: z.record(z.string(), z.string()),
    }),
  ),
  services: z.array(
    z.object({
      key: z.string(),
      name: z.string(),
      after: z.array(
        z.object({
          service: z.string(),
          condition: z.enum([
            'service_started',
            'service_healthy',
            'service_completed_successfully',
          ]),
          required: z.boolean(),
        }),
      ),
      restartWith: z.array(z.string()),
      spec: json as unknown as z.ZodType<SettledService['spec']>,
    }),
  ),
})

const STATES: readonly string[] = ['deploying', 'deployed', 'failed', 'undone']

/** The revision in a config, or undefined if it holds none (or one that this version cannot read). */
export const parseRevision = (config: Config): Revision | undefined => {
  const labels = config.Spec.Labels ?? {}
  const number = Number(labels[LABEL.revision])
  const state = labels[LABEL.revisionState] ?? ''
  if (!Number.isInteger(number) || number < 1 || !STATES.includes(state)) return undefined
  let data: unknown
  try {
    data = JSON.parse(Buffer.from(config.Spec.Data ?? '', 'base64').toString('utf8'))
  } catch {
    return undefined
  }
  const parsed = settledSchema.safeParse(data)
  if (!parsed.success) return undefined
  return {
    number,
    state: state as RevisionState,
    id: config.ID,
    version: config.Version.Index,
    createdAt: Date.parse(config.CreatedAt ?? '') || 0,
    settled: parsed.data,
  }
}

/** The config that remembers a revision. */
export const revisionConfig = (
  settled: SettledStack,
  number: number,
  state: RevisionState,
): ConfigSpec => ({
  Name: `${settled.name.slice(0, 48)}.revision.${number}`,
  Labels: {
    [LABEL.stack]: settled.name,
    [LABEL.revision]: String(number),
    [LABEL.revisionState]: state,
  },
  Data: Buffer.from(JSON.stringify(remembered(settled))).toString('base64'),
})

const remembered = (settled: SettledStack): SettledStack => ({
  ...settled,
  files: settled.files.map(({ kind, name, external, labels }): DesiredFile => ({
    kind,
    name,
    external,
    labels,
  })),
})

/** The revision that serves: the newest that was deployed and not undone. */
export const deployedRevision = (revisions: readonly Revision[]): Revision | undefined =>
  revisions.findLast((each) => each.state === 'deployed')

/** The one before it, that `rollback` goes back to. */
export const previousRevision = (revisions: readonly Revision[]): Revision | undefined => {
  const deployed = revisions.filter((each) => each.state === 'deployed')
  return deployed.at(-2)
}

/** The number that the next revision gets. */
export const nextNumber = (revisions: readonly Revision[]): number =>
  Math.max(0, ...revisions.map((each) => each.number)) + 1

/** Writes a new state into a revision's label. */
export const markRevision = async (
  engine: Engine,
  id: string,
  state: RevisionState,
): Promise<void> => {
  const config = (await engine.listConfigs({ id: [id] }))[0]
  if (config === undefined) return
  await engine.updateConfig(id, config.Version.Index, {
    ...config.Spec,
    Labels: { ...config.Spec.Labels, [LABEL.revisionState]: state },
  })
}

/** What a finished deployment leaves behind that nothing needs any more. */
export interface Leftovers {
  revisions: Revision[]
  /** Ids. */
  configs: string[]
  secrets: string[]
}

/**
 * Revisions beyond the newest ten (the deployed and the previous one always stay), and the hashed
 * configs and secrets that neither a kept revision nor a service refers to.
 */
export const leftovers = (
  state: {
    stack: string
    revisions: readonly Revision[]
    configs: readonly { ID: string; Spec: { Name: string; Labels?: Record<string, string> } }[]
    secrets: readonly { ID: string; Spec: { Name: string; Labels?: Record<string, string> } }[]
    /** Names of configs and secrets that services of the cluster use. */
    used: ReadonlySet<string>
  },
  keep = KEPT_REVISIONS,
): Leftovers => {
  const { revisions } = state
  const fixed = [deployedRevision(revisions), previousRevision(revisions)]
  const kept = revisions.filter((each, i) => i >= revisions.length - keep || fixed.includes(each))
  const named = new Set(
    kept.flatMap((each) => each.settled.files.map((file) => `${file.kind} ${file.name}`)),
  )
  const unused = (kind: 'config' | 'secret') =>
    state[`${kind}s`]
      .filter(
        ({ Spec: { Name: name, Labels: labels } }) =>
          labels?.[LABEL.stack] === state.stack &&
          labels[LABEL.content] !== undefined &&
          !named.has(`${kind} ${name}`) &&
          !state.used.has(`${kind} ${name}`),
      )
      .map((each) => each.ID)
  return {
    revisions: revisions.filter((each) => !kept.includes(each)),
    configs: unused('config'),
    secrets: unused('secret'),
  }
}
