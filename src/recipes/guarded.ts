import { z } from 'zod'
import { MusterError, messageOf } from '../base/index.ts'
import { MEMBER_ROLES } from '../catalog/index.ts'
import type {
  Answer,
  ContainerParts,
  Recipe,
  Recovered,
  RenderedFile,
  Snapshots,
} from './recipe.ts'

const position = z.object({
  history: z.string().min(1).max(200),
  sequence: z.string().regex(/^\d{1,40}$/, 'expected digits'),
})

const answerSchema: z.ZodType<Answer | null> = z
  .object({
    status: z.object({
      role: z.enum(MEMBER_ROLES),
      size: z.int().min(0),
      component: z.string().nullable(),
      leads: z.boolean().nullable(),
    }),
    position: position.nullable(),
    causal: z.boolean(),
    stuck: z.string().nullable(),
    doing: z.string().nullable(),
  })
  .nullable()

const recoveredSchema: z.ZodType<Recovered | null> = z
  .object({
    position: position.nullable(),
    clean: z.boolean(),
    damaged: z.string().nullable(),
  })
  .nullable()

const snapshotSchema = z.object({ position, at: z.int().min(0) }).nullable()

const restoredSchema = z.object({ damaged: z.string().nullable() }).nullable()

const words = z.array(z.string())

const questionSchema = z.object({
  command: words,
  timeoutMs: z.number().positive(),
  read: z.custom<ReturnType<Snapshots['restore']>['read']>((read) => typeof read === 'function'),
})

const partsSchema: z.ZodType<ContainerParts> = z.object({
  entrypoint: words.nullable(),
  command: words.nullable(),
  env: z.record(z.string(), z.string()),
  user: z.string().nullable(),
  stopGraceMs: z.number().min(0),
  stopSignal: z.string().nullable(),
  sysctls: z.record(z.string(), z.string()).exactOptional(),
})

const filesSchema = z.array(
  z.object({
    path: z
      .string()
      .regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_.-][A-Za-z0-9_./-]*$/, 'is no path'),
    content: z.string(),
    mode: z.int().min(0).max(0o777).optional(),
  }),
)

/**
 * A recipe of which nothing is believed: what it throws becomes a MusterError or, where the contract
 * has an answer for "cannot tell", that answer; and so does what is not of the contract's shape.
 */
export const guarded = (recipe: Recipe, onProblem: (problem: string) => void): Recipe => {
  const failure = (what: string, error: unknown): MusterError =>
    error instanceof MusterError
      ? error
      : new MusterError('STACK_REFUSED', `recipe ${recipe.name}: ${what}: ${reasonOf(error)}`)
  const made = <T>(what: string, schema: z.ZodType<T>, make: () => unknown): T => {
    try {
      return schema.parse(atOnce(make()))
    } catch (error) {
      throw failure(what, error)
    }
  }
  const told = <T>(what: string, schema: z.ZodType<T | null>, tell: () => unknown): T | null => {
    try {
      return made(what, schema, tell)
    } catch (error) {
      onProblem(messageOf(error))
      return null
    }
  }
  const { recover, session, snapshots, verbs } = recipe
  return {
    ...recipe,
    images: [],
    options: (given, environment) =>
      made('options', z.record(z.string(), z.unknown()), () => recipe.options(given, environment)),
    ...(recipe.founders && {
      founders: (options) =>
        made('founders', z.int().min(1).nullable(), () => recipe.founders?.(options)),
    }),
    ...(recipe.outside && {
      outside: (options) =>
        made(
          'outside',
          z.object({ members: words, ports: z.array(z.int().min(1).max(65_535)) }).nullable(),
          () => recipe.outside?.(options),
        ),
    }),
    container: (options) => made('container', partsSchema, () => recipe.container(options)),
    holdsData: (names) => made('holdsData', z.boolean(), () => recipe.holdsData(names)),
    recover: recover && {
      ...recover,
      read: (answer) => told('recover.read', recoveredSchema, () => recover.read(answer)),
    },
    ...(snapshots && { snapshots: guardedSnapshots(snapshots, { made, told }) }),
    render: (situation) =>
      made('render', filesSchema, () => recipe.render(situation)) as RenderedFile[],
    session: {
      ...session,
      ask: (mark) => made('session.ask', z.string().endsWith('\n'), () => session.ask(mark)),
      read: (text) => told('session.read', answerSchema, () => session.read(text)),
    },
    verbs: Object.fromEntries(
      Object.entries(verbs).map(([name, verb]) => [
        name,
        (...given: unknown[]) =>
          made(`verbs.${name}`, words, () => (verb as (...args: unknown[]) => unknown)(...given)),
      ]),
    ),
  }
}

type Checked = <T>(what: string, schema: z.ZodType<T>, make: () => unknown) => T
type Told = <T>(what: string, schema: z.ZodType<T | null>, tell: () => unknown) => T | null

const guardedSnapshots = (
  snapshots: Snapshots,
  { made, told }: { made: Checked; told: Told },
): Snapshots => ({
  ...snapshots,
  read: (name) => told('snapshots.read', snapshotSchema, () => snapshots.read(name)),
  restore: (name, tag) => {
    const { command, timeoutMs, read } = made('snapshots.restore', questionSchema, () =>
      snapshots.restore(name, tag),
    )
    return {
      command,
      timeoutMs,
      read: (answer) => told('snapshots.restore', restoredSchema, () => read(answer)),
    }
  },
})

/** A promise is no answer; and one that nobody waits for would end the process when it fails. */
const atOnce = (answer: unknown): unknown => {
  if (!(answer instanceof Promise)) return answer
  answer.catch(() => undefined)
  throw new Error('it answers with a promise')
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof z.ZodError)) return messageOf(error)
  const [issue] = error.issues
  return `${issue?.path.join('.') || 'answer'}: ${issue?.message ?? ''}`
}
