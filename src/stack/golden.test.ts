/**
 * Stack files of other projects, and every body that `docker stack deploy` posts for them: Muster
 * posts the same, but for what differences.ts says.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { CORPUS, type StackDeploy, stackDeploys } from '../../test/compose-conformance/corpus.ts'
import { LABEL } from '../base/index.ts'
import { loadStack } from '../compose/index.ts'
import { canonicalSpec } from './canonical.ts'
import { type About, type Body, DIFFERENCES, type Difference } from './differences.ts'
import { fileSpec, wireSpec } from './execute.ts'
import { readFileContents } from './files.ts'
import { emptyCluster } from './fixtures.ts'
import { settle } from './settle.ts'
import { toDesired } from './specs.ts'

type Kind = 'services' | 'networks' | 'configs' | 'secrets'
type Posted = Record<Kind, Map<string, Body>>

/** Refused with its reasons, or all that is posted on an empty cluster, by kind and name. */
const ours = async (path: string): Promise<Posted | { refused: string[] }> => {
  const file = join(CORPUS, path)
  const loaded = await loadStack({
    files: [file],
    projectName: 'proj',
    env: { HOME: '/root' },
    cwd: dirname(file),
  })
  if (loaded.errors) return { refused: loaded.errors.map((each) => each.message) }
  const { contents, problems } = await readFileContents(loaded.stack)
  const specs = toDesired(loaded.stack, { api: '1.51', restartDelayMs: 1000, contents })
  if (problems.length > 0 || !('desired' in specs)) {
    throw new Error([...problems, ...specs.problems].map((each) => each.message).join('\n'))
  }
  const { settled, conflicts } = settle(specs.desired, emptyCluster('proj'), new Map())
  expect(conflicts).toEqual([])
  const context = {
    networks: new Map<string, string>(),
    files: new Map(settled.files.map((each) => [`${each.kind} ${each.name}`, 'id'])),
  }
  const files = (kind: 'config' | 'secret') =>
    settled.files
      .filter((each) => each.kind === kind && !each.external)
      .map((each) => fileSpec(each) as unknown as Body)
  return {
    services: byName(
      settled.services.map((service) => {
        const held = service.after.length > 0
        return wireSpec(service, context, { held, forceUpdate: 0 }) as Body
      }),
      serviceForm,
    ),
    networks: byName(
      settled.networks
        .filter((each) => !each.external)
        .map((each) => each.request as unknown as Body),
      plainForm,
    ),
    configs: byName(files('config'), plainForm),
    secrets: byName(files('secret'), plainForm),
  }
}

const theirs = ({ calls }: StackDeploy): Posted => {
  const bodies = (kind: Kind) =>
    calls
      .filter((call) => call.kind === kind)
      .map(({ body }) => JSON.parse(JSON.stringify(body).replaceAll('${CORPUS}', CORPUS)) as Body)
  return {
    services: byName(bodies('services'), serviceForm),
    networks: byName(bodies('networks'), plainForm),
    configs: byName(bodies('configs'), plainForm),
    secrets: byName(bodies('secrets'), plainForm),
  }
}

/** By the name in the file: without the hash. */
const byName = (bodies: Body[], form: (body: Body) => Body): Map<string, Body> =>
  new Map(bodies.map((body) => [String(body.Name).replace(/_[0-9a-f]{12}$/, ''), form(body)]))

/** One form for equal specs; whether it is held back is kept beside, canonical specs release it. */
const serviceForm = (body: Body): Body => ({
  ...canonicalSpec(body as never, { networks: new Map() }),
  ...((body.Labels as Body | undefined)?.[LABEL.after] === undefined ? {} : { Held: true }),
})

/** Without nulls, false and empty text, which all say the default. */
const plainForm = (body: Body): Body =>
  Object.fromEntries(
    Object.entries(body).flatMap(([key, value]): [string, unknown][] => {
      if (value === null || value === '' || value === false || value === undefined) return []
      const inner = typeof value === 'object' && !Array.isArray(value)
      return [[key, inner ? plainForm(value as Body) : value]]
    }),
  )

const used = new Set<Difference>()

const asOurs = (theirs: Body, ours: Body, { of, ...about }: About & Pick<Difference, 'of'>): Body =>
  DIFFERENCES.filter((each) => each.of === of).reduce((body, difference) => {
    const rewritten = difference.rewrite?.(body, ours, about) ?? body
    if (!isDeepStrictEqual(rewritten, body)) used.add(difference)
    return rewritten
  }, theirs)

const accepted = stackDeploys().filter(({ ok }) => ok)

test('all files that docker stack deploy accepts are compared', () => {
  expect(accepted.length).toBe(52)
})

describe('what docker stack deploy takes becomes the same objects', () => {
  test.each(accepted.map((each) => [each.path, each] as const))('%s', async (path, recorded) => {
    const mine = await ours(path)
    if ('refused' in mine) {
      // Only what the reference loader refuses too: see the conformance cases.
      expect(mine.refused.join()).toMatch(/does not look like a container name/)
      for (const difference of DIFFERENCES) if (difference.of === 'files') used.add(difference)
      return
    }
    const about = { dotEnv: existsSync(join(CORPUS, dirname(path), '.env')) }
    const docker = theirs(recorded)
    for (const [kind, of] of [
      ['services', 'services'],
      ['networks', 'networks'],
      ['configs', 'configs and secrets'],
      ['secrets', 'configs and secrets'],
    ] as const) {
      expect([...mine[kind].keys()].sort(), kind).toEqual([...docker[kind].keys()].sort())
      for (const [name, body] of docker[kind]) {
        const own = mine[kind].get(name) ?? {}
        expect(own, `${kind} ${name}`).toEqual(asOurs(body, own, { of, ...about }))
      }
    }
  })
})

afterAll(() => {
  const unused = DIFFERENCES.filter((each) => !used.has(each)).map((each) => each.says)
  expect(unused, 'differences that no file shows').toEqual([])
})
