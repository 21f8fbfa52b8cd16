import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { kindsOf, planOf, stepText } from './plan.ts'

it('gives the same faults for the same seed, however many are asked for', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(90), fc.nat(90), (seed, a, b) => {
      const [short, long] = [Math.min(a, b), Math.max(a, b)]
      expect(planOf({ seed: seed, count: short })).toEqual(
        planOf({ seed: seed, count: long }).slice(0, short),
      )
      expect(planOf({ seed: seed, count: long })).toHaveLength(long)
    }),
    { numRuns: 50 },
  )
})

it('gives other faults for another seed', () => {
  expect(planOf({ seed: 1, count: 20 }).map(stepText)).not.toEqual(
    planOf({ seed: 2, count: 20 }).map(stepText),
  )
})

it('has every kind in 60 faults, and two at once now and then', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const steps = planOf({ seed: seed, count: 60 })
      const kinds = new Set(steps.map(({ fault }) => fault.kind))
      expect(kinds.size).toBe(13)
      expect(steps.filter(({ second }) => second !== null).length).toBeGreaterThan(7)
    }),
    { numRuns: 50 },
  )
})

it('never takes data while anything else happens to a member', () => {
  const harmless = new Set(['agent killed'])
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      for (const { fault, second } of planOf({ seed: seed, count: 60 })) {
        if (second === null) continue
        expect(second.fault.kind).not.toBe('volume lost')
        if (fault.kind === 'volume lost') expect(harmless).toContain(second.fault.kind)
      }
    }),
    { numRuns: 50 },
  )
})

it('has only what is asked for', () => {
  const only = kindsOf('all members killed,power cut')
  const steps = planOf({ seed: 3, count: 40, only })
  expect(new Set(steps.map(({ fault }) => fault.kind))).toEqual(new Set(only))
  expect(() => kindsOf('power cut,cut')).toThrow('"cut" is none of')
})
