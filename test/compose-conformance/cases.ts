/**
 * The cases of the corpus: what is loaded, and what the reference makes of it. The same as its
 * `check.mjs` runs through a command line; here each case is a call of the loader.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { LoadOptions } from '../../src/compose/index.ts'
import { CORPUS, records } from './corpus.ts'
import { difference, type Plain } from './same.ts'

/** What the loader made of it: the canonical model as JSON, or why not. */
export type Outcome = { project: Plain } | { refused: string }

/** The loader under test. */
export type Load = (options: LoadOptions) => Promise<Outcome>

export interface Case {
  suite: string
  id: string
  /** Undefined if the loader agrees with the reference, else in what it does not. */
  run(load: Load, room: string): Promise<string | undefined>
}

/** What the reference did. Without `project`: accepting it is all that is asked for. */
interface Wanted {
  ok: boolean
  error?: string | null | undefined
  project?: Plain | undefined
}

const disagreement = (outcome: Outcome, want: Wanted): string | undefined => {
  if (!want.ok)
    return 'refused' in outcome ? undefined : `accepted, must be refused: ${want.error ?? ''}`
  if ('refused' in outcome) return `refused: ${outcome.refused}`
  return want.project === undefined ? undefined : difference(outcome.project, want.project)
}

/** `${CORPUS}` and `${TMP}` in recorded data. */
const placed = <T>(value: T, room: string): T =>
  value === undefined
    ? value
    : (JSON.parse(
        JSON.stringify(value).replaceAll('${CORPUS}', CORPUS).replaceAll('${TMP}', room),
      ) as T)

const put = async (room: string, name: string, text: string): Promise<string> => {
  const file = resolve(room, name)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  return file
}

/** The reference was recorded with this home, and no other variable unless a case says so. */
const environment = (more: Record<string, string | null> = {}): Record<string, string> => ({
  HOME: '/root',
  ...Object.fromEntries(
    Object.entries(more).filter((each): each is [string, string] => each[1] !== null),
  ),
})

interface RealFile {
  path: string
  ok: boolean
  error?: string
  mode: string
  project?: Plain
  projectAllProfiles?: Plain
}

const realFile = (recorded: RealFile): Case => ({
  suite: 'files',
  id: recorded.path,
  run: async (load, room) => {
    const want = placed(recorded, room)
    const file = join(CORPUS, recorded.path)
    const options = { projectName: 'proj', files: [file], cwd: dirname(file), env: environment() }
    const wrong = disagreement(await load(options), {
      ok: want.ok,
      error: want.error,
      project: want.mode === 'env-files-not-read' ? undefined : want.project,
    })
    if (wrong !== undefined || want.projectAllProfiles === undefined) return wrong
    return disagreement(await load({ ...options, profiles: ['*'] }), {
      ok: true,
      project: want.projectAllProfiles,
    })
  },
})

interface FileSet {
  id: string
  dir: string
  files: string[]
  compose_go: Wanted
}

const fileSet = (recorded: FileSet): Case => ({
  suite: 'multi-file',
  id: recorded.id,
  run: async (load, room) => {
    const dir = join(CORPUS, recorded.dir)
    const files = recorded.files.map((file) => join(dir, file))
    const options = { projectName: 'proj', files, cwd: dir, env: environment() }
    return disagreement(await load(options), placed(recorded.compose_go, room))
  },
})

interface Snippet {
  id: string
  whole: boolean
  yaml: string
  compose_go_ok: boolean
  error?: string
  project?: Plain
}

const snippet = (recorded: Snippet): Case => ({
  suite: 'spec-text',
  id: recorded.id,
  run: async (load, room) => {
    const files = [await put(room, 'compose.yaml', recorded.yaml)]
    const options = { projectName: 'proj', files, cwd: room, env: environment() }
    return disagreement(await load(options), {
      ok: recorded.compose_go_ok,
      error: recorded.error,
      project: placed(recorded.project, room),
    })
  },
})

/** A test of the reference's own. Which fields it has depends on its kind. */
interface OwnTest {
  kind: string
  id: string
  error: string | null
  result: unknown
  // load
  options?: LoadTestOptions
  disk?: Record<string, string>
  workdir?: string
  files?: { filename: string; fromDisk?: boolean; content?: string; config?: unknown }[]
  env?: Record<string, string | null>
  // substitute
  template?: string
  vars?: Record<string, string>
  // volume, port
  spec?: unknown
  // dotenv
  already?: Record<string, string>
  lookups?: Record<string, string>
  input?: unknown
  // merge
  base?: unknown
  override?: unknown
}

interface LoadTestOptions {
  resolvePaths?: boolean
  skipNormalization?: boolean
  skipConsistencyCheck?: boolean
  skipValidation?: boolean
  projectName?: string
  projectNameImperativelySet?: boolean
  selectedServices?: string[]
  profiles?: string[]
}

const EXPRESSIBLE = new Set([
  'resolvePaths',
  'skipNormalization',
  'skipConsistencyCheck',
  'skipValidation',
  'projectName',
  'projectNameImperativelySet',
  'selectedServices',
  'profiles',
])

/** False for tests of options that only the reference's own API has. */
const isExpressible = ({ options = {}, error }: OwnTest): boolean =>
  Object.keys(options).every((key) => EXPRESSIBLE.has(key)) &&
  options.resolvePaths === true &&
  !(options.skipValidation && error)

const loadTest = (recorded: OwnTest): Case => ({
  suite: 'load',
  id: recorded.id,
  run: async (load, room) => {
    const test = placed(recorded, room)
    const { options = {}, workdir } = test
    for (const [name, text] of Object.entries(test.disk ?? {})) await put(room, name, text)
    const cwd = workdir?.startsWith('/') && existsSync(workdir) ? workdir : room
    const files = await Promise.all(
      (test.files ?? []).map(async ({ filename, fromDisk, content, config }, i) =>
        fromDisk
          ? resolve(cwd, filename)
          : put(room, `in-${i}.yml`, content ?? JSON.stringify(config)),
      ),
    )
    const outcome = await load({
      files,
      cwd,
      projectDirectory: cwd,
      env: environment(test.env),
      ...(options.projectName ? { projectName: options.projectName } : {}),
      profiles: options.profiles ?? [],
      services: options.selectedServices ?? [],
      normalize: options.skipNormalization !== true,
      consistency: options.skipConsistencyCheck !== true,
    })
    const project = test.result as Plain | undefined
    // The reference's API allows a project without a name, no command line does.
    if (project && !options.projectName && !project.name && 'project' in outcome)
      delete outcome.project.name
    return disagreement(outcome, { ok: !test.error, error: test.error, project })
  },
})

/** One service `s`, loaded with nothing added: how the tests of single keys are asked. */
const service = async (
  room: string,
  keys: Plain,
  more: LoadOptions = {},
): Promise<LoadOptions> => ({
  files: [
    await put(
      room,
      'c.yml',
      JSON.stringify({ name: 'proj', services: { s: { image: 'x', ...keys } } }),
    ),
  ],
  cwd: room,
  env: environment(),
  consistency: false,
  normalize: false,
  ...more,
})

const only = (outcome: { project: Plain }): Plain => (outcome.project.services as { s: Plain }).s

/** Accepts or refuses like the reference; what it accepts is compared by `compare`. */
const keyTest = (
  { id, error }: OwnTest,
  suite: string,
  how: {
    ask: (room: string) => Promise<LoadOptions>
    compare: (service: Plain) => string | undefined
  },
): Case => ({
  suite,
  id,
  run: async (load, room) => {
    const outcome = await load(await how.ask(room))
    return error || 'refused' in outcome
      ? disagreement(outcome, { ok: !error, error })
      : how.compare(only(outcome))
  },
})

const composeOf = (name: string, content: unknown, room: string): Promise<string> =>
  put(room, name, JSON.stringify(content))

/** Merging `base` and `override` (or one file with repeated items) gives what `result` gives. */
const mergeTest = (test: OwnTest): Case => ({
  suite: test.kind,
  id: test.id,
  run: async (load, room) => {
    const options = (files: string[]): LoadOptions => ({
      files,
      projectName: 'proj',
      cwd: room,
      env: environment(),
      consistency: false,
      resolvePaths: false,
    })
    const files =
      test.kind === 'merge'
        ? [await composeOf('a.yml', test.base, room), await composeOf('b.yml', test.override, room)]
        : [await composeOf('a.yml', test.input, room)]
    const merged = await load(options(files))
    if (test.error) return disagreement(merged, { ok: false, error: test.error })
    const wanted = await load(options([await composeOf('r.yml', test.result, room)]))
    return 'refused' in wanted
      ? `refuses the merged result: ${wanted.refused}`
      : disagreement(merged, { ok: true, project: wanted.project })
  },
})

const ownTest = (test: OwnTest): Case[] => {
  switch (test.kind) {
    case 'load':
      return isExpressible(test) ? [loadTest(test)] : []
    case 'merge':
    case 'unicity':
      return [mergeTest(test)]
    case 'substitute':
      return [
        keyTest(test, 'interpolation', {
          ask: (room) =>
            service(room, { labels: { v: test.template } }, { env: environment(test.vars) }),
          compare: ({ labels }) => difference((labels as Plain).v, test.result),
        }),
      ]
    case 'volume':
      // A dollar sign would be a variable in a file.
      if (String(test.spec).includes('$')) return []
      return [
        keyTest(test, 'volume', {
          ask: (room) => service(room, { volumes: [test.spec] }, { resolvePaths: false }),
          compare: ({ volumes }) => difference((volumes as unknown[])[0], test.result),
        }),
      ]
    case 'port':
      return [
        keyTest(test, 'port', {
          ask: (room) => service(room, { ports: [test.spec] }),
          compare: ({ ports }) => difference(ports, test.result),
        }),
      ]
    case 'dotenv':
      if (Object.keys(test.already ?? {}).length > 0) return []
      return [
        keyTest(test, 'env-file', {
          ask: async (room) => {
            await put(room, 'e', String(test.input))
            return service(
              room,
              { env_file: ['e'] },
              { normalize: true, env: environment(test.lookups) },
            )
          },
          compare: ({ environment }) => difference(environment, test.result ?? {}),
        }),
      ]
    default:
      return []
  }
}

/** Every case that a caller of the loader can express. */
export const cases = (): Case[] => {
  const inexpressible = new Set(
    JSON.parse(readFileSync(join(CORPUS, 'skip.json'), 'utf8')) as string[],
  )
  return [
    ...records<RealFile>('golden/compose-go.jsonl').map(realFile),
    ...records<FileSet>('suites/multi-file-sets.jsonl').map(fileSet),
    ...records<Snippet>('suites/spec-snippets.jsonl')
      .filter(({ whole }) => whole)
      .map(snippet),
    ...records<OwnTest>('suites/compose-go-tests.jsonl').flatMap(ownTest),
  ].filter(({ suite, id }) => !inexpressible.has(`${suite} ${id}`))
}
