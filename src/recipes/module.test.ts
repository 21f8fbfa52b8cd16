import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Situation } from './recipe.ts'
import { MAX_MODULE_BYTES, recipeFromModule } from './module.ts'
import { RECIPES } from './registry.ts'
import { Shelf } from './shelf.ts'

const EXAMPLE = readFileSync(
  new URL('../../examples/recipe/journal.recipe.mjs', import.meta.url),
  'utf8',
)
/** The example with one part of it replaced. */
const changed = (part: string): string => `${EXAMPLE.replace('export default', 'const base =')}
export default { ...base, ${part} }`

const situation = {
  self: 'a-1',
  peers: [],
  start: { kind: 'form', with: [] },
} as unknown as Situation

describe('a recipe in a module', () => {
  it('is one', async () => {
    const recipe = await recipeFromModule(EXAMPLE)
    expect(recipe.name).toBe('journal')
    expect(recipe.options({}, new Map())).toEqual({})
    expect(recipe.render(situation).map(({ path }) => path)).toEqual(['start', 'session'])
    expect(recipe.verbs.writable?.(true)).toEqual(['rm', '-f', '/data/follows'])
    expect(recipe.session.read('nonsense')).toBe(null)
    expect(recipe.verbs.shell).toBe(undefined)
  })

  it.each([
    ['no module', 'this is no', 'cannot be used'],
    ['no recipe', 'export default {}', 'name'],
    ['nothing', '', 'default'],
    ['one that throws', 'throw new Error("boom")', 'boom'],
    ['a part that is missing', changed('session: null'), 'session'],
    ['a name that is taken', changed('name: "galera"'), 'Muster comes with a recipe galera'],
    ['an import of a file', 'import "./other.mjs"; export default {}', 'cannot be used'],
    ['too long', `/*${'x'.repeat(MAX_MODULE_BYTES)}*/`, 'longer than 64 KiB'],
    ['one that never ends to load', 'await new Promise(() => {})', 'too long'],
  ])(
    'is refused: %s',
    async (_, source, why) => {
      await expect(recipeFromModule(source)).rejects.toThrow(why)
    },
    20_000,
  )

  it('ends nothing when it throws, and what it gives is looked at', async () => {
    const problems: string[] = []
    const boom = '() => { throw new Error("boom") }'
    const of = (part: string) => recipeFromModule(changed(part), (text) => problems.push(text))
    const render = async (what: string) => (await of(`render: () => ${what}`)).render(situation)
    await expect(render('{ throw new Error("boom") }')).rejects.toThrow(
      'recipe journal: render: boom',
    )
    await expect(render('[{path: "../x", content: ""}]')).rejects.toThrow('is no path')
    await expect(render('[{path: "/x", content: ""}]')).rejects.toThrow('is no path')
    await expect(render('[{path: "x", content: 1}]')).rejects.toThrow('content')
    const session = (part: string) => of(`session: {...base.session, ${part}}`)
    expect((await session(`read: ${boom}`)).session.read('x')).toBe(null)
    expect((await session('read: () => ({status: {role: "king"}})')).session.read('x')).toBe(null)
    expect(problems).toEqual([
      'recipe journal: session.read: boom',
      expect.stringContaining('session.read: status.role'),
    ])
    const late = await session('read: async () => { throw new Error("late") }')
    expect(late.session.read('x')).toBe(null)
    expect(problems.at(-1)).toContain('answers with a promise')
    const asks = (await session('ask: () => "no end"')).session
    expect(() => asks.ask('m')).toThrow('session.ask')
    const { recover } = await of(`recover: {...base.recover, read: ${boom}}`)
    expect(recover?.read({ exit: 0, stdout: '', stderr: '' })).toBe(null)
    const { verbs, container, options } = await of(
      `verbs: {writable: () => 'rm'}, container: ${boom}, options: ${boom}`,
    )
    expect(() => verbs.writable?.(true)).toThrow('verbs.writable')
    expect(() => container({})).toThrow('container: boom')
    expect(() => options({}, new Map())).toThrow('options: boom')
  })
})

describe('the recipes of an agent', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })
  const shelf = (folder: string | null) => {
    const problems: string[] = []
    const loaded = Promise.withResolvers<void>()
    const made = new Shelf({
      recipes: RECIPES,
      folder,
      onLoaded: () => loaded.resolve(),
      onProblem: (text) => problems.push(text),
    })
    return { shelf: made, problems, loaded: loaded.promise }
  }
  const asked = { cluster: 'shop_log', name: 'journal' }

  it('are those of Muster, and those of services', async () => {
    const { shelf: one, loaded } = shelf(null)
    const galera = { cluster: 'shop_db', name: 'galera', choice: {} }
    expect(one.find(galera)?.name).toBe('galera')
    expect(one.find({ ...galera, choice: null })?.name).toBe('galera')
    expect(one.find({ ...asked, choice: { code: EXAMPLE } })).toBe(undefined)
    await loaded
    expect(one.find({ ...asked, choice: { code: EXAMPLE } })?.name).toBe('journal')
    expect((await one.fetch({ ...asked, choice: { code: EXAMPLE } }))?.name).toBe('journal')
    // Another service has nothing of it.
    expect(one.find({ ...asked, cluster: 'other', choice: null })).toBe(undefined)
    expect(one.find({ ...asked, choice: {} })).toBe(undefined)
  })

  it('are kept for when their service is gone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shelf-'))
    folders.push(folder)
    const { shelf: before } = shelf(join(folder, 'recipes'))
    await before.fetch({ ...asked, choice: { code: EXAMPLE } })
    await expect.poll(() => readdirSync(join(folder, 'recipes'))).toEqual(['shop_log.recipe'])
    const { shelf: after, problems } = shelf(join(folder, 'recipes'))
    await after.start()
    expect(after.find({ ...asked, choice: null })?.name).toBe('journal')
    // Data of another recipe under the same name.
    expect(after.find({ ...asked, name: 'etcd', choice: null })?.name).toBe('etcd')
    expect(problems).toEqual([])
  })

  it('say what is wrong', async () => {
    const { shelf: one, problems } = shelf(null)
    expect(await one.fetch({ ...asked, choice: { code: 'throw 1' } })).toBe(undefined)
    expect(problems).toEqual([expect.stringContaining('cannot be used')])
    const named = { ...asked, name: 'other', choice: { code: EXAMPLE } }
    expect(await one.fetch(named)).toBe(undefined)
  })
})
