import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hostNames } from './names.ts'
import { type Observed, type Step, growState, hostState, planUp } from './plan.ts'
import type { LabState } from './state.ts'

const state = (hosts: number): LabState => ({
  version: 1,
  name: 'lab',
  octet: 0,
  hosts: hostNames(hosts),
  agent: true,
})

const NOTHING: Observed = { switch: undefined, registry: false, running: new Set() }

/** What a step does to the world, by the rules of the kernel. */
const apply = (world: Observed, step: Step): Observed => {
  const running = new Set(world.running)
  const ports = new Map(world.switch?.ports)
  switch (step.do) {
    case 'switch':
      // A new switch has no cables in it.
      return { ...world, switch: { uplink: true, ports: new Map() }, registry: false }
    case 'registry':
      if (!world.switch) throw new Error('a registry without a network')
      return { ...world, registry: true }
    case 'power off':
      running.delete(step.host)
      ports.delete(step.host)
      break
    case 'power on':
      if (!world.switch) throw new Error('a host without a network')
      if (running.has(step.host)) throw new Error('powered on twice')
      running.add(step.host)
      ports.set(step.host, true)
      break
    case 'heal':
      if (!ports.has(step.host)) throw new Error('no cable to attach')
      ports.set(step.host, true)
      break
    case 'names':
      break
  }
  return { ...world, running, switch: world.switch && { ...world.switch, ports } }
}

const anyWorld = fc
  .record({
    uplink: fc.option(fc.boolean(), { nil: undefined }),
    registry: fc.boolean(),
    running: fc.uniqueArray(fc.integer({ min: 1, max: 5 })),
    ports: fc.dictionary(
      fc.integer({ min: 1, max: 5 }).map((i) => `host-${i}`),
      fc.boolean(),
    ),
  })
  .map(({ uplink, registry, running, ports }): Observed => ({
    switch: uplink === undefined ? undefined : { uplink, ports: new Map(Object.entries(ports)) },
    registry,
    running: new Set(running.map((i) => `host-${i}`)),
  }))

test('from any state of the machine, up leads to every host running and connected', () => {
  fc.assert(
    fc.property(anyWorld, fc.integer({ min: 1, max: 5 }), (world, hosts) => {
      const wanted = state(hosts)
      const after = planUp(wanted, world, { grown: false }).reduce(apply, world)
      expect(wanted.hosts.map((host) => hostState(after, host))).toEqual(
        wanted.hosts.map(() => 'running'),
      )
      expect(after.registry).toBe(true)
      expect(planUp(wanted, after, { grown: false })).toEqual([])
    }),
  )
})

test('a lab that is well is left alone, and a host that is well is never restarted', () => {
  const well = planUp(state(2), NOTHING, { grown: false }).reduce(apply, NOTHING)
  expect(planUp(state(2), well, { grown: false })).toEqual([])
  expect(planUp(state(3), well, { grown: true })).toEqual([
    { do: 'names', host: 'host-1' },
    { do: 'names', host: 'host-2' },
    { do: 'power on', host: 'host-3' },
  ])
})

test('a lab grows and never shrinks, and keeps its network', () => {
  const recorded = { ...state(3), octet: 7 }
  const grow = (hosts: number) => growState(recorded, { name: 'lab', hosts, agent: true, octet: 1 })
  expect(grow(2).hosts).toEqual(['host-1', 'host-2', 'host-3'])
  expect(grow(4).hosts).toEqual(['host-1', 'host-2', 'host-3', 'host-4'])
  expect(grow(4).octet).toBe(7)
})
