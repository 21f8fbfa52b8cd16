/** Files, merges and short forms that nobody here wrote, and what the reference loader makes of them. */
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Case, cases, type Load } from '../../test/compose-conformance/cases.ts'
import type { Plain } from '../../test/compose-conformance/same.ts'
import { loadStack } from './load.ts'
import { toCanonical } from './render.ts'

let folder: string
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'muster-conformance-')))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What `muster config --format json` prints, or refuses with. */
const load: Load = async (options) => {
  const loaded = await loadStack(options)
  if (loaded.errors) return { refused: loaded.errors.map(({ message }) => message).join('; ') }
  return { project: JSON.parse(JSON.stringify(toCanonical(loaded.stack, 'json'))) as Plain }
}

const all = cases()

test('no case is lost', () => {
  const counts = Object.fromEntries(
    [...Map.groupBy(all, ({ suite }) => suite)].map(([suite, some]) => [suite, some.length]),
  )
  expect(counts).toEqual({
    files: 121,
    'multi-file': 5,
    'spec-text': 35,
    load: 197,
    merge: 25,
    unicity: 23,
    interpolation: 40,
    'env-file': 42,
    volume: 32,
    port: 8,
  })
})

describe.each([...Map.groupBy(all, ({ suite }) => suite)])('%s', (suite, some) => {
  const named = some.map((each): [string, Case] => [each.id, each])
  test.each(named)('%s', async (_, each) => {
    const room = join(folder, `${suite}-${all.indexOf(each)}`)
    await mkdir(room)
    expect(await each.run(load, room)).toBeUndefined()
  })
})
