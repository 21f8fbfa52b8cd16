import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EdgeConfig, emptyEdgeConfig } from './config.ts'
import type { Departure } from './departure.ts'
import { applyStep, type LiveServer, reconcile, type RuntimeStep } from './reconcile.ts'

type Servers = Map<string, Map<string, LiveServer>>

const server = (name: string, address = '10.0.0.1') => ({ name, endpoint: name, address, port: 80 })
const backend = (name: string, servers: ReturnType<typeof server>[]) => ({
  name,
  service: name,
  mode: 'http' as const,
  proxyProtocol: false,
  network: 'net1',
  transparent: false,
  servers,
})
const config = (...backends: ReturnType<typeof backend>[]): EdgeConfig => ({
  ...emptyEdgeConfig,
  backends,
})
const live = (entries: Record<string, Record<string, LiveServer['state']>>): Servers =>
  new Map(
    Object.entries(entries).map(([name, servers]) => [
      name,
      new Map(
        Object.entries(servers).map(([id, state]) => [
          id,
          { address: '10.0.0.1', port: 80, state },
        ]),
      ),
    ]),
  )
const words = (steps: RuntimeStep[]) =>
  steps.map((step) => `${step.verb} ${'server' in step ? step.server.name : step.name}`)

describe('reconcile', () => {
  const plan = (
    from: Servers,
    wanted: EdgeConfig,
    { departure = 'leaving', idle = false }: { departure?: Departure; idle?: boolean } = {},
  ) => words(reconcile({ live: from, wanted, departure: () => departure, idle: () => idle }))

  it('does nothing when nothing changed', () => {
    expect(plan(live({ w: { a: 'ready' } }), config(backend('w', [server('a')])))).toEqual([])
  })

  it('adds before it takes away', () => {
    expect(plan(live({ w: { a: 'ready' } }), config(backend('w', [server('b')])))).toEqual([
      'add b',
      'drain a',
    ])
  })

  it('lets a leaving server finish, and deletes it when it is idle', () => {
    const wanted = config(backend('w', []))
    expect(plan(live({ w: { a: 'drain' } }), wanted)).toEqual([])
    expect(plan(live({ w: { a: 'drain' } }), wanted, { idle: true })).toEqual([
      'maint a',
      'delete a',
    ])
  })

  it('ends what a lost server had, once', () => {
    const wanted = config(backend('w', []))
    const lost = { departure: 'lost' as const }
    expect(plan(live({ w: { a: 'ready' } }), wanted, lost)).toEqual([
      'maint a',
      'shutdown a',
      'delete a',
    ])
    expect(plan(live({ w: { a: 'drain' } }), wanted, lost)).toContain('shutdown a')
    expect(plan(live({ w: { a: 'maint' } }), wanted, lost)).toEqual([])
    expect(plan(live({ w: { a: 'maint' } }), wanted, { ...lost, idle: true })).toEqual(['delete a'])
  })

  it('takes a server back, also at another address', () => {
    expect(
      plan(live({ w: { a: 'maint' } }), config(backend('w', [server('a', '10.0.0.2')]))),
    ).toEqual(['move a', 'ready a'])
  })

  it('empties backends that are not wanted and leaves new ones to the reload', () => {
    expect(
      plan(live({ old: { a: 'ready' } }), config(backend('new', [server('b')])), {
        departure: 'lost',
      }),
    ).toEqual(['maint a', 'shutdown a', 'delete a'])
  })

  it('always leads to what is wanted, however HAProxy stood before', () => {
    const names = ['a', 'b', 'c', 'd']
    const state = fc.constantFrom('ready' as const, 'drain' as const, 'maint' as const)
    const address = fc.constantFrom('10.0.0.1', '10.0.0.2')
    const from = fc.dictionary(
      fc.constantFrom('w', 'v'),
      fc.dictionary(
        fc.constantFrom(...names),
        fc.record({ address, port: fc.constant(80), state }, { noNullPrototype: true }),
      ),
    )
    const to = fc.dictionary(
      fc.constantFrom('w', 'v', 'u'),
      fc.uniqueArray(fc.tuple(fc.constantFrom(...names), address), { selector: ([name]) => name }),
    )
    fc.assert(
      fc.property(from, to, fc.array(fc.constantFrom(...names)), (before, after, lost) => {
        const servers: Servers = new Map(
          Object.entries(before).map(([name, entries]) => [name, new Map(Object.entries(entries))]),
        )
        const wanted = config(
          ...Object.entries(after).map(([name, list]) =>
            backend(
              name,
              list.map(([id, ip]) => server(id, ip)),
            ),
          ),
        )
        const pass = (idle: boolean) => {
          const steps = reconcile({
            live: servers,
            wanted,
            departure: (name) => (lost.includes(name) ? 'lost' : 'leaving'),
            idle: () => idle,
          })
          for (const step of steps) {
            // What HAProxy insists on.
            const now = servers.get(step.backend)
            if (step.verb === 'add') expect(now?.has(step.server.name)).toBe(false)
            if (step.verb === 'delete') expect(now?.get(step.name)?.state).toBe('maint')
            applyStep(servers, step)
          }
        }
        pass(false)
        for (const [name, entries] of servers) {
          const list = wanted.backends.find((one) => one.name === name)?.servers ?? []
          for (const one of list) {
            expect(entries.get(one.name)).toEqual({
              address: one.address,
              port: one.port,
              state: 'ready',
            })
          }
          const ready = [...entries].filter(([, one]) => one.state === 'ready')
          expect(ready).toHaveLength(list.length)
        }
        pass(true)
        for (const [name, entries] of servers) {
          const list = wanted.backends.find((one) => one.name === name)?.servers ?? []
          expect([...entries.keys()].toSorted()).toEqual(list.map((one) => one.name).toSorted())
        }
      }),
    )
  })
})
