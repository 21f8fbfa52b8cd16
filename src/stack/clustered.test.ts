import { describe, expect, test } from 'vitest'
import { LABEL, MusterError } from '../base/index.ts'
import { headOf } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { labels } from './diff-words.ts'
import { emptyCluster, stackFrom } from './fixtures.ts'
import { plan } from './plan.ts'
import { type ImageRecipes, readImageRecipes } from './image-recipes.ts'
import { readRecipeFiles } from './recipe-files.ts'
import { settle } from './settle.ts'
import { toDesired } from './specs.ts'
import { planText } from './words.ts'

/** Of a recipe, only what a deployment asks. */
const store: Recipe = {
  name: 'store',
  images: ['library/store'],
  topology: {
    minimum: 2,
    usual: 3,
    forms: 'one',
    recovers: 'elect',
    writer: true,
    joinsOneByOne: true,
  },
  data: '/var/lib/store',
  secrets: [],
  options: ({ tls = false, ...rest }, environment) => {
    const [unknown] = Object.keys(rest)
    const servers = environment.get('SERVERS')
    if (servers !== undefined) return { tls, servers: Number(servers) }
    if (unknown !== undefined)
      throw new MusterError('STACK_REFUSED', `unknown option "${unknown}".`)
    return { tls }
  },
  container: () => ({
    entrypoint: null,
    command: null,
    env: {},
    user: null,
    stopGraceMs: 1000,
    stopSignal: null,
  }),
  founders: ({ servers }) => (typeof servers === 'number' ? servers : null),
  holdsData: (names) => names.length > 0,
  recover: null,
  render: () => [],
  session: { command: [], ask: () => '', read: () => null, everyMs: 1000, timeoutMs: 1000 },
  verbs: {},
  ports: [
    { port: 3306, to: 'writer' },
    { port: 3307, to: 'any' },
  ],
}

const made = async (text: string) =>
  toDesired(await stackFrom(text), {
    api: '1.41',
    restartDelayMs: 1000,
    contents: new Map(),
    recipes: [store],
  })

const db = async (text: string) => {
  const result = await made(`services:\n  db:\n${text.replace(/^/gm, '    ')}`)
  return 'desired' in result
    ? { spec: result.desired.services[0]?.spec, problems: [], notes: result.desired.notes }
    : { spec: undefined, problems: result.problems, notes: [] }
}

describe('the recipe of a service', () => {
  test('says in a plan which part of it is another one', () => {
    const label = (over: object) => ({
      [LABEL.recipe]: JSON.stringify({ name: 'own', options: {}, ports: [], code: '1', ...over }),
    })
    expect(labels('labels', label({}), label({ code: '2' }))).toEqual(['module of the recipe own'])
    expect(labels('labels', label({}), label({ options: { a: 1 } }))).toEqual([
      'options of the recipe own',
    ])
  })

  test('that its image asks for, while it is new', async () => {
    const stack = await stackFrom(
      'services: {db: {image: x/any, deploy: {replicas: 2}}, one: {image: x/any}, no: {image: x/any, deploy: {replicas: 2}, x-muster: {recipe: false}}}',
    )
    const engine = (recipe?: string) => ({
      inspectImage: async (image: string) => {
        if (recipe === undefined) throw new MusterError('NOT_FOUND', `no ${image}`)
        return { Id: 'i', RepoDigests: [], Labels: { 'io.muster.recipe': recipe } }
      },
    })
    const of = async (imageRecipes: ImageRecipes) => {
      const options = { api: '1.41', restartDelayMs: 1000, contents: new Map(), recipes: [store] }
      return toDesired(stack, { ...options, imageRecipes })
    }
    expect((await readImageRecipes(engine(), stack, [])).size).toBe(0)
    const asked = await readImageRecipes(engine('store'), stack, [])
    expect([...asked]).toEqual([['db', 'store']])
    const made = await of(asked)
    const [spec] = 'desired' in made ? made.desired.services.map((each) => each.spec) : []
    expect(headOf(spec ?? {})?.choice.name).toBe('store')
    expect((await of(new Map([['db', 'other']]))).problems).toEqual([
      expect.objectContaining({ path: ['services', 'db', 'image'] }),
    ])
    // What runs stays what it is.
    const existing = { ID: 's', Version: { Index: 1 }, Spec: spec } as unknown as Service
    const again = await readImageRecipes(engine(), stack, [existing])
    expect([...again]).toEqual([['db', 'store']])
    const plain = { ...existing, Spec: { Name: 'shop_db' } } as unknown as Service
    expect((await readImageRecipes(engine('store'), stack, [plain])).size).toBe(0)
  })

  test('beside the Compose file: its module travels with the service', async () => {
    const stack = await stackFrom(
      'services: {db: {image: x/any, x-muster: {recipe: {file: ./own.mjs, tls: true}}}}',
    )
    const options = { api: '1.41', restartDelayMs: 1000, contents: new Map(), recipes: [] }
    const recipeFiles = new Map([['./own.mjs', { recipe: store, code: 'export default 1' }]])
    const result = toDesired(stack, { ...options, recipeFiles })
    const spec = 'desired' in result ? result.desired.services[0]?.spec : undefined
    expect(headOf(spec ?? {})?.choice).toEqual({
      name: 'store',
      options: { tls: true },
      ports: store.ports,
      code: 'export default 1',
    })
    const { recipeFiles: none, problems } = await readRecipeFiles(stack)
    expect(none.size).toBe(0)
    expect(problems).toEqual([
      {
        path: ['services', 'db', 'x-muster', 'recipe', 'file'],
        message: expect.stringContaining('no such file'),
      },
    ])
  })

  test('is asked instead of a healthcheck, which could end a member that joins', async () => {
    const { spec, notes } = await db(
      'image: x/any\nx-muster: {recipe: store}\nhealthcheck: {test: "exit 1"}',
    )
    expect(notes).toEqual([expect.stringMatching(/^db: its healthcheck is not used/)])
    expect(spec?.TaskTemplate.ContainerSpec).not.toHaveProperty('Healthcheck')
    const none = await db('image: x/any\nx-muster: {recipe: store}\nhealthcheck: {disable: true}')
    expect(none.notes).toEqual([])
  })

  test('named in x-muster: the usual number of members, no tasks of its own', async () => {
    const { spec } = await db('image: x/any\nx-muster: {recipe: store}')
    expect(spec?.Mode).toEqual({ Replicated: { Replicas: 0 } })
    expect(headOf(spec ?? {})).toEqual({
      cluster: 'shop_db',
      choice: { name: 'store', options: { tls: false }, ports: store.ports },
      members: 3,
    })
  })

  test('an image that it is for, when more than one replica is wanted', async () => {
    const three = await db('image: store:1\ndeploy: {replicas: 3}')
    expect(headOf(three.spec ?? {})?.members).toBe(3)
    const mirrored = await db('image: registry:5000/library/store\nscale: 2')
    expect(headOf(mirrored.spec ?? {})?.members).toBe(2)
    for (const text of [
      'image: store',
      'image: other/store\nscale: 3',
      'image: store\nscale: 3\nx-muster: {recipe: false}',
    ]) {
      expect((await db(text)).spec?.Labels[LABEL.recipe]).toBeUndefined()
    }
  })

  test('options are checked by the recipe', async () => {
    const { spec } = await db('image: a\nx-muster: {recipe: {name: store, tls: true}}')
    expect(headOf(spec ?? {})?.choice.options).toEqual({ tls: true })
    const { problems } = await db('image: a\nx-muster: {recipe: {name: store, tsl: true}}')
    expect(problems).toEqual([
      {
        path: ['services', 'db', 'x-muster', 'recipe'],
        message: 'x-muster: recipe store: unknown option "tsl".',
      },
    ])
  })

  test.each([
    ['x-muster: {recipe: stroe}', ['x-muster', 'recipe'], /no recipe "stroe"/],
    ['x-muster: {recipe: 3}', ['x-muster', 'recipe'], /expected a name/],
    ['x-muster: {recipe: store}\nscale: 1', ['deploy', 'replicas'], /1 member is too few/],
    [
      'x-muster: {recipe: store}\nenvironment: {SERVERS: 5}',
      ['deploy', 'replicas'],
      /formed by 5 members, and there are to be 3/,
    ],
    ['x-muster: {recipe: store}\ndeploy: {mode: global}', ['deploy', 'mode'], /cannot be global/],
    ['x-muster: {recipe: store}\nnetwork_mode: host', ['network_mode'], /networks/],
    [
      'x-muster: {recipe: store}\ndeploy: {endpoint_mode: dnsrr}',
      ['deploy', 'endpoint_mode'],
      /virtual IPs/,
    ],
    ['x-muster: {recipe: store}\nports: ["53:53/udp"]', ['ports', 0], /only TCP/],
    [
      'x-muster: {recipe: store}\nvolumes: ["/srv/db:/var/lib/store"]',
      ['volumes', 0],
      /keeps the data/,
    ],
  ])('refuses %s', async (text, path, message) => {
    const { problems } = await db(`image: a\n${text}`)
    const own = problems.find((each) => message.test(each.message))
    expect(own?.path).toEqual(['services', 'db', ...path])
  })

  test('a name must leave room for those of its members', async () => {
    const text = `services:\n  ${'d'.repeat(40)}:\n    image: a\n    x-muster: {recipe: store}`
    const result = await made(text)
    expect(result.problems.map((each) => each.message).join()).toContain('at most 40 characters')
  })

  test('a named volume for the data is replaced by those of the members', async () => {
    const result = await made(
      'services:\n  db:\n    image: store\n    scale: 3\n    volumes: ["data:/var/lib/store", "conf:/etc/store"]\nvolumes: {data: {}, conf: {}}',
    )
    if (!('desired' in result)) throw new Error('refused')
    const [service] = result.desired.services
    expect(service?.spec.TaskTemplate.ContainerSpec.Mounts?.map((each) => each.Target)).toEqual([
      '/etc/store',
    ])
    expect(result.desired.notes.join()).toContain('db: each member keeps its data')
  })
})

describe('the plan', () => {
  const planned = async (text: string, services: Service[] = []) => {
    const result = await made(text)
    if (!('desired' in result)) throw new Error(JSON.stringify(result.problems))
    const current = { ...emptyCluster(), services }
    return plan(settle(result.desired, current, new Map()).settled, current)
  }
  const file = (members: number, more = '') =>
    `services:\n  db:\n    image: store\n    pull_policy: never\n    x-muster: {recipe: store}\n    scale: ${members}\n${more}`
  const running = async (members: number): Promise<Service[]> => {
    const { settled } = await planned(file(members))
    const head = settled.services[0]?.spec as unknown as Service['Spec']
    const member = {
      ...head,
      Name: 'shop_db-1',
      Labels: { [LABEL.stack]: 'shop', [LABEL.cluster]: 'shop_db', [LABEL.memberOf]: 'x' },
    }
    return [head, member].map((Spec, i) => ({ ID: `id${i}`, Version: { Index: 1 }, Spec }))
  }
  const lines = async (text: string, services: Service[]) =>
    planText(await planned(text, services), { verb: undefined }).join('\n')

  test('says members, and leaves the services of members alone', async () => {
    expect(await lines(file(3), [])).toMatch(/\+ db +new, 3 members of store/)
    expect(await lines(file(3), await running(3))).toContain('1 unchanged')
    expect(await lines(file(5), await running(3))).toMatch(
      /~ db +members 3 -> 5 +new members join one after another/,
    )
    expect(await lines(file(3), await running(5))).toMatch(
      /members 5 -> 3 +the newest leave one after another, never the writer/,
    )
    const changed = await lines(file(3, '    environment: {A: b}\n'), await running(3))
    expect(changed).toMatch(/environment.* members are updated one after another, readers first/)
    expect(changed).toContain('3 tasks restart')
  })
})
