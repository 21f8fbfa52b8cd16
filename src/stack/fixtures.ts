/** What tests of this folder have in common. */
import { loadStack, type Stack } from '../compose/index.ts'
import { toDesired } from './specs.ts'
import type { DesiredStack, SettledStack } from './desired.ts'
import type { Current } from './current.ts'
import { settle } from './settle.ts'
import type { Problem } from './check.ts'

/** A stack from the text of a Compose file. */
export const stackFrom = async (text: string, name = 'shop'): Promise<Stack> => {
  const loaded = await loadStack({
    files: ['-'],
    stdin: (async function* () {
      yield text
    })(),
    projectName: name,
    env: {},
    cwd: '/',
  })
  if (loaded.errors)
    throw new Error(loaded.errors.map((each) => `${each.path}: ${each.message}`).join('\n'))
  return loaded.stack
}

/** What the cluster is asked for, or what is wrong with the file. */
export const specsFrom = async (
  text: string,
  options: { name?: string; api?: string; tolerate?: string[] } = {},
): Promise<{ desired?: DesiredStack; problems: Problem[] }> =>
  toDesired(await stackFrom(text, options.name), {
    api: options.api ?? '1.41',
    restartDelayMs: 1000,
    contents: new Map(),
    tolerate: options.tolerate ?? [],
  })

/** The same, when nothing is wrong. */
export const desiredFrom = async (
  text: string,
  options: { name?: string; api?: string; tolerate?: string[] } = {},
): Promise<DesiredStack> => {
  const { desired, problems } = await specsFrom(text, options)
  if (desired === undefined) throw new Error(JSON.stringify(problems))
  return desired
}

/** A cluster with nothing in it. */
export const emptyCluster = (stack = 'shop'): Current => ({
  stack,
  services: [],
  networks: [],
  configs: [],
  secrets: [],
  revisions: [],
  restartDelayMs: 1000,
})

/** With every question answered as on an empty cluster without a registry. */
export const settledFrom = async (text: string, name = 'shop'): Promise<SettledStack> =>
  settle(await desiredFrom(text, { name }), emptyCluster(name), new Map()).settled
