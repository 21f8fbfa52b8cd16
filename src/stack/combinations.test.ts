/** Features together: what is wrong with each is said of all at once, and nothing else goes wrong. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { FEATURES } from '../../test/compose-conformance/features.ts'
import { loadStack } from '../compose/index.ts'
import { canonicalSpec } from './canonical.ts'
import { wireSpec } from './execute.ts'
import { emptyCluster } from './fixtures.ts'
import { plan } from './plan.ts'
import { settle } from './settle.ts'
import { toDesired } from './specs.ts'

/** Fragments of one key of a service that need nothing beside them. */
const fragments = FEATURES.filter(
  ({ number, yaml, files, env }) =>
    !/^(services|web):/m.test(yaml) &&
    !yaml.includes('\n') &&
    !yaml.includes('${') &&
    files === undefined &&
    env === undefined &&
    // Means something else beside a command of its own.
    number !== 21,
)

const keyOf = (yaml: string): string => yaml.slice(0, yaml.indexOf(':'))

/** Undefined if the loader refuses what contradicts itself: `mem_limit` and other limits in `deploy`. */
const load = async (yaml: readonly string[]) => {
  const text = `services:\n  web:\n    ${['image: app', ...yaml.filter((each) => !each.startsWith('image:'))].join('\n    ')}\n`
  const loaded = await loadStack({
    files: ['-'],
    stdin: (async function* () {
      yield text
    })(),
    projectName: 'shop',
    env: {},
    cwd: '/',
  })
  if (loaded.errors) return undefined
  const { stack } = loaded
  const specs = toDesired(stack, { api: '1.52', restartDelayMs: 1000, contents: new Map() })
  return { stack, specs }
}

const refusedIn = async (yaml: readonly string[]): Promise<string[] | undefined> => {
  const loaded = await load(yaml)
  if (loaded === undefined) return undefined
  const { stack, specs } = loaded
  for (const { path, message, hint } of specs.problems) {
    expect(message).toMatch(/^.{10,}\.$/)
    expect(message).not.toMatch(/undefined|\[object/)
    expect(stack.locate(path)?.line).toBeGreaterThan(1)
    expect(hint ?? 'none').not.toBe('')
  }
  return specs.problems.map(({ path }) => path.join('.'))
}

const some = fc.uniqueArray(fc.constantFrom(...fragments.map(({ yaml }) => yaml)), {
  minLength: 2,
  maxLength: 8,
  selector: keyOf,
})

test('what is wrong with each is wrong with all of them, in one answer', async () => {
  await fc.assert(
    fc.asyncProperty(some, async (yaml) => {
      const alone = await Promise.all(yaml.map((each) => refusedIn([each])))
      const together = await refusedIn(yaml)
      if (together === undefined) return
      expect(together).toEqual(expect.arrayContaining(alone.flat()))
    }),
    { numRuns: 150 },
  )
})

test('a service without containers of its own has no steps before them', async () => {
  expect(await refusedIn(['provider: { type: x }', 'pre_start: [{ command: [m] }]'])).toEqual([
    'services.web.provider',
  ])
})

test('what is deployed is what the file says: a second time there is nothing to do', async () => {
  const ids = { networks: new Map<string, string>(), files: new Map<string, string>() }
  await fc.assert(
    fc.asyncProperty(some, async (yaml) => {
      const specs = (await load(yaml))?.specs
      if (specs === undefined || !('desired' in specs)) return
      const cluster = emptyCluster()
      const { settled } = settle(specs.desired, cluster, new Map())
      const services = settled.services.map((service, i) => ({
        ID: `s${i}`,
        Version: { Index: 1 },
        Spec: {
          ...wireSpec(service, ids, { held: service.after.length > 0, forceUpdate: 0 }),
          Name: service.name,
        },
      }))
      for (const [i, service] of settled.services.entries()) {
        const names = { networks: new Map<string, string>() }
        const posted = services[i]?.Spec ?? service.spec
        expect(canonicalSpec(posted, names)).toEqual(canonicalSpec(service.spec, names))
      }
      const networks = settled.networks.map(({ request }) => ({ ...request, Id: request.Name }))
      const after = { ...cluster, services, networks }
      // The cluster answers for ports that the file left open.
      const again = settle(specs.desired, after, new Map()).settled
      expect(plan(again, after).operations).toEqual([])
    }),
    { numRuns: 150 },
  )
})
