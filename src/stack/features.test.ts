/** What becomes of each feature of the Compose Specification, row by row. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Feature, FEATURES } from '../../test/compose-conformance/features.ts'
import { testProject } from '../compose/test-project.ts'
import { baseName, readFileContents } from './files.ts'
import { toDesired } from './specs.ts'

const WHOLE_FILE = /^(services|web):/m

/** What is asked of the cluster, or where the file is refused. */
const outcome = async (
  feature: Pick<Feature, 'yaml'> & Partial<Feature>,
): Promise<{ refused: string[] } | { asked: Record<string, unknown>; folder: string }> => {
  const { yaml, files = {}, env = {} } = feature
  const whole = WHOLE_FILE.test(yaml)
    ? yaml
    : `services:\n  web:\n    ${yaml.startsWith('image:') ? '' : 'image: app\n    '}${yaml.replaceAll('\n', '\n    ')}`
  await using project = await testProject({ 'compose.yaml': whole, ...files })
  const { folder } = project
  const loaded = await project.load({
    files: feature.from ?? ['compose.yaml'],
    env,
    profiles: feature.profiles ?? [],
    envFiles: feature.envFiles ?? [],
    projectName: yaml.startsWith('name:') ? '' : 'shop',
  })
  if (loaded.errors) {
    return { refused: loaded.errors.map((each) => each.path || each.message) }
  }
  const { contents } = await readFileContents(loaded.stack)
  const specs = toDesired(loaded.stack, { api: '1.52', restartDelayMs: 1000, contents })
  if (!('desired' in specs)) return { refused: specs.problems.map(({ path }) => path.join('.')) }
  const { services, networks, files: made } = specs.desired
  const web = services.find(({ key }) => key === 'web')
  const asked = {
    S: web?.spec,
    T: web?.spec.TaskTemplate,
    C: web?.spec.TaskTemplate.ContainerSpec,
    services: Object.fromEntries(services.map((each) => [each.key, each])),
    networks: Object.fromEntries(networks.map((each) => [each.name, each.request])),
    files: Object.fromEntries(
      made.map((each) => [
        `${each.kind} c`,
        {
          ...each,
          base: baseName(each.name),
          data: Buffer.from(each.data ?? '', 'base64').toString(),
        },
      ]),
    ),
  }
  return { asked, folder }
}

/** The value at `a.b.0`; a dot of a name is written `\.`. */
const at = (value: unknown, place: string): unknown =>
  place
    .split(/(?<!\\)\./)
    .reduce<unknown>(
      (inner, key) => (inner as Record<string, unknown> | undefined)?.[key.replaceAll('\\.', '.')],
      value,
    )

/** `~` is the home of whoever runs this, `${DIR}` the folder of the Compose file. */
const placed = (value: unknown, folder: string): unknown => {
  if (typeof value !== 'string') return value
  if (value.startsWith('~/')) return join(homedir(), value.slice(1))
  return value.startsWith('${DIR}') ? resolve(join(folder, value.slice('${DIR}'.length))) : value
}

test('every feature has its row', () => {
  expect(FEATURES.map(({ number }) => number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 255 }, (_, i) => i + 1),
  )
})

describe('a feature', () => {
  test.each(FEATURES.map((each) => [each.number, each.name, each] as const))(
    '%i %s',
    async (_, __, feature) => {
      const result = await outcome(feature)
      const { expected } = feature
      if (typeof expected === 'string' && expected.startsWith('!')) {
        const where = expected.slice(1)
        expect(result).toMatchObject({ refused: expect.anything() as unknown })
        const { refused } = result as { refused: string[] }
        expect(refused.map((path) => path.replaceAll(/\[(\d+)\]/g, '.$1')).join('\n')).toContain(
          where,
        )
        return
      }
      if ('refused' in result) throw new Error(`refused: ${result.refused.join(', ')}`)
      const { asked, folder } = result
      if (expected === '=') {
        const without = await outcome({ yaml: 'services: { web: { image: app } }' })
        expect(asked).toEqual('asked' in without ? without.asked : without)
        return
      }
      for (const [place, value] of Object.entries(expected as Record<string, unknown>)) {
        expect(at(asked, place), place).toEqual(placed(value, folder))
      }
    },
  )
})

describe('a key that the engine is too old for', () => {
  test.each([
    ['oom_score_adj: 1', '1.46'],
    ['mem_swappiness: 1', '1.52'],
    ['memswap_limit: 1g', '1.52'],
    ['healthcheck: { test: t, start_interval: 1s }', '1.44'],
    ['security_opt: [no-new-privileges]', '1.44'],
    ['volumes: [{ type: volume, target: /v, volume: { subpath: a } }]', '1.45'],
    ['volumes: [{ type: cluster, source: v, target: /v }]', '1.42'],
    ['volumes: [{ type: bind, source: /a, target: /v, bind: { recursive: readonly } }]', '1.44'],
  ])('%s names %s and what there is', async (yaml, needed) => {
    await using project = await testProject({
      'compose.yaml': `services:\n  web:\n    image: app\n    ${yaml}\nvolumes: { v: { external: true } }`,
    })
    const { stack } = await project.load()
    if (stack === undefined) throw new Error('not loaded')
    const at = (api: string) =>
      toDesired(stack, { api, restartDelayMs: 1000, contents: new Map() }).problems
    expect(at(needed)).toEqual([])
    const problems = at('1.41')
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toContain(`${needed} or newer`)
    expect(problems[0]?.message).toContain('this one has 1.41')
  })
})
