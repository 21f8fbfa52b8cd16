/** The example of docs/recipes.md: a recipe of one's own, loaded from a file, run by hand. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { type Lab, ensureImages, formCluster, labUp } from '../src/lab/index.ts'
import { recipeFromModule } from '../src/recipes/index.ts'
import { MembersByHand, type MemberByHand } from './members-by-hand.ts'

const root = new URL('..', import.meta.url).pathname
const IMAGE = 'recipe/journal:1'

describe('a recipe of one’s own', () => {
  let lab: Lab
  let cluster: MembersByHand

  const one = (number: number) => cluster.member(number)
  const say = (member: MemberByHand, ...words: string[]) =>
    member.run(['journal', 'ask', '127.0.0.1', ...words])
  const lines = (member: MemberByHand) => member.run(['cat', '/data/lines'])

  beforeAll(async () => {
    const module = await readFile(`${root}examples/recipe/journal.recipe.mjs`, 'utf8')
    lab = await labUp({ name: 'own-recipe', hosts: 1, agent: false })
    await ensureImages(lab, [{ name: IMAGE, context: `${root}examples/recipe/image` }])
    cluster = new MembersByHand({
      lab,
      host: 'host-1',
      recipe: await recipeFromModule(module),
      image: `registry:5000/${IMAGE}`,
    })
    await cluster.prepare()
    // So that they know of each other.
    for (const number of [1, 2, 3]) one(number)
  }, 600_000)
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    await lab?.down()
  })

  it('forms, and is joined', async () => {
    await one(1).start({ kind: 'form', with: [one(1).id] })
    await one(1).ready()
    expect(await say(one(1), 'append', 'one')).toBe('1')
    for (const number of [2, 3]) {
      await one(number).start({ kind: 'join', position: null })
      await one(number).ready()
    }
    // It asked for the others while they had no names yet, which takes the resolver seconds.
    await until('all to see each other', async () => (await one(1).ready()).status.size === 3, {
      timeoutMs: 30_000,
    })
    expect(await lines(one(3))).toBe('one')
    expect(await say(one(3), 'append', 'two')).toContain('no')
  })

  it('moves the writes', async () => {
    const { writable } = cluster.recipe.verbs
    await one(1).run(writable?.(false) ?? [])
    await one(2).run(writable?.(true) ?? [])
    expect(await say(one(2), 'append', 'two')).toBe('2')
    await one(1).ready()
    expect(await lines(one(1))).toBe('one\ntwo')
  })

  it('goes on with the newest copy after all have died', async () => {
    for (const number of [1, 3]) await one(number).kill()
    expect(await say(one(2), 'append', 'three')).toBe('3')
    await one(2).kill()
    const sequences = []
    for (const number of [1, 2, 3])
      sequences.push((await one(number).recover())?.position?.sequence)
    expect(sequences).toEqual(['2', '3', '2'])
    const newest = await one(2).recover()
    if (!newest?.position) throw new Error('no position')
    await one(2).start({ kind: 'first', position: newest.position })
    await one(2).ready()
    await one(1).loseVolume()
    await one(1).start({ kind: 'join', position: null })
    await one(3).start({ kind: 'join', position: (await one(3).recover())?.position ?? null })
    for (const number of [1, 3]) {
      await one(number).ready()
      expect(await lines(one(number))).toBe('one\ntwo\nthree')
    }
  })
})

describe('a recipe beside the Compose file', () => {
  let lab: Lab
  const must = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await lab.exec('host-1', ['muster', ...args], {
      timeoutMs: 120_000,
    })
    if (exitCode !== 0) throw new Error(`muster ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
  const serving = () =>
    until(
      'three members to serve',
      async () => {
        const members = JSON.parse(await must('ps', 'journal', '--format', 'json')) as {
          member: string
          host: string
          state: string
          role: string
        }[]
        const all = members.length === 3 && members.every(({ state }) => state === 'serving')
        return all && members.some(({ role }) => role === 'writer') && members
      },
      { timeoutMs: 60_000 },
    )
  const say = (...words: string[]) =>
    must('exec', 'journal', '--', 'journal', 'ask', 'journal', ...words)

  beforeAll(async () => {
    lab = await labUp({ name: 'own-file', hosts: 3 })
    await ensureImages(lab, [
      { name: 'muster/edge:1', context: `${root}images/edge` },
      { name: IMAGE, context: `${root}examples/recipe/image` },
    ])
    await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
  }, 600_000)
  afterAll(async () => {
    await lab?.down()
  })

  it('makes a cluster of the service, on hosts that never saw the file', async () => {
    await must('up', '-f', `${root}examples/recipe/compose.yaml`, '--yes')
    const members = await serving()
    expect(new Set(members.map(({ host }) => host)).size).toBe(3)
    expect((await say('append', 'one')).trim()).toBe('1')
  })

  it('stops it in order and brings it back', async () => {
    await must('down', 'notes', '--yes')
    await must('up', '-f', `${root}examples/recipe/compose.yaml`, '--yes')
    await serving()
    expect(await say('status')).toContain(' 1 leads')
  })
})
