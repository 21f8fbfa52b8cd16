/**
 * What Muster relies on an engine for, as tests: held against the double and against real engines,
 * so that the double cannot drift. Imported by tests only.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { failureCases } from './failures.ts'
import { hostCases } from './host.ts'
import { objectCases } from './objects.ts'
import { drainCases, orchestrationCases } from './orchestration.ts'
import { Contract, type ContractWorld } from './world.ts'

export type { ContractWorld, Program } from './world.ts'

/** Declares the suite for a world that `open` makes; `hosts` is how many it has. */
export const engineContract = (
  title: string,
  { open, hosts }: { open: () => Promise<ContractWorld & AsyncDisposable>; hosts: number },
): void => {
  describe(`engine contract: ${title}`, () => {
    let world: ContractWorld & AsyncDisposable
    let contract: Contract
    beforeAll(async () => {
      world = await open()
      contract = new Contract(world)
    })
    afterAll(async () => {
      await world?.[Symbol.asyncDispose]()
    })
    describe('objects', () => objectCases(() => contract))
    describe('orchestration', () => orchestrationCases(() => contract))
    describe.runIf(hosts > 1)('several hosts', () => drainCases(() => contract))
    describe('host', () => hostCases(() => contract))
    // Last: the swarm is shaken up.
    describe.runIf(hosts > 2)('lost hosts', () => failureCases(() => contract))
  })
}
