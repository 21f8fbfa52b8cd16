import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { attentiveClock } from './attentive-clock.ts'
import { TUNABLES } from './tunables.ts'
import { type Sight, judge, wantsProbe } from './suspicion.ts'

const sight = (id: string, over: Partial<Sight> = {}): Sight => ({
  id,
  state: 'alive',
  reporting: true,
  silence: 100,
  probe: null,
  answeringFor: 0,
  swarmDown: false,
  ...over,
})
const answered = 'answered'
const nothing = 'nothing'

test.each<[string, Partial<Sight>, string]>([
  ['beats', {}, 'alive'],
  ['has missed beats, not probed yet', { silence: 800 }, 'alive'],
  ['is silent, its kernel answers', { silence: 800, probe: answered }, 'agentless'],
  ['is silent, nothing answers', { silence: 1050, probe: nothing }, 'suspected'],
  ['closed its stream', { reporting: false, silence: 10 }, 'agentless'],
  [
    'closed its stream, nothing answers',
    { reporting: false, silence: 400, probe: nothing },
    'suspected',
  ],
  ['is back and reports', { state: 'suspected' }, 'alive'],
  [
    'was lost and answers, without an agent',
    { state: 'suspected', reporting: false, silence: 5000, probe: answered, answeringFor: 4000 },
    'suspected',
  ],
  [
    'answers for long since',
    {
      state: 'suspected',
      reporting: false,
      silence: 30_000,
      probe: answered,
      answeringFor: 25_000,
    },
    'agentless',
  ],
  [
    'is down, says Swarm too',
    { reporting: false, silence: 30_000, probe: nothing, swarmDown: true },
    'suspected',
  ],
])('a host that %s', (_, over, state) => {
  const { states } = judge([sight('h', over), sight('self'), sight('other')])
  expect(states.get('h')).toBe(state)
})

test('a manager that has lost most hosts suspects nobody', () => {
  const lost = { silence: 1050, probe: nothing } as const
  const { states, doubt, sees, of } = judge([sight('self'), sight('a', lost), sight('b', lost)])
  expect({ doubt, sees, of, a: states.get('a') }).toEqual({
    doubt: true,
    sees: 1,
    of: 3,
    a: 'alive',
  })
})

test('a host whose silence is only beginning is not counted as seen', () => {
  // Cut off from both at once: b fell silent 200 ms after a, and has not been probed yet.
  const { doubt } = judge([
    sight('self'),
    sight('a', { silence: 1050, probe: nothing }),
    sight('b', { silence: 850 }),
  ])
  expect(doubt).toBe(true)
})

test('hosts that Swarm, which has a quorum, calls down do not make a manager doubt', () => {
  const lost = {
    silence: 20_000,
    reporting: false,
    probe: nothing,
    swarmDown: true,
  } as const
  const { doubt, states } = judge([sight('self'), sight('a', lost), sight('b', lost)])
  expect({ doubt, a: states.get('a') }).toEqual({ doubt: false, a: 'suspected' })
})

const anySight: fc.Arbitrary<Sight> = fc.record({
  id: fc.uuid(),
  state: fc.constantFrom('alive', 'agentless', 'suspected'),
  reporting: fc.boolean(),
  silence: fc.integer({ min: 0, max: 100_000 }),
  probe: fc.constantFrom(null, answered, nothing),
  answeringFor: fc.constantFrom(0, 1000, 100_000),
  swarmDown: fc.boolean(),
})

test('nobody becomes suspected without a probe that nothing answered, or in doubt', () => {
  fc.assert(
    fc.property(fc.array(anySight), (sights) => {
      const { states, doubt } = judge(sights)
      for (const each of sights) {
        if (each.state === 'suspected' || states.get(each.id) !== 'suspected') continue
        expect(each.probe).toBe('nothing')
        expect(doubt && !each.swarmDown).toBe(false)
      }
    }),
  )
})

test('hosts that report are not probed; silent ones again and again, ever more rarely', () => {
  expect(wantsProbe({ reporting: true, silence: 100 }, Infinity)).toBe(false)
  expect(wantsProbe({ reporting: true, silence: 750 }, Infinity)).toBe(true)
  expect(wantsProbe({ reporting: true, silence: 900 }, 150)).toBe(false)
  expect(wantsProbe({ reporting: false, silence: 0 }, Infinity)).toBe(true)
  expect(wantsProbe({ reporting: false, silence: 90_000 }, 600)).toBe(false)
})

test('the attentive clock leaves out the time in which this process stood still', () => {
  let now = 0
  const clock = attentiveClock({ now: () => now })
  for (let i = 0; i < 10; i++) {
    now += TUNABLES.tick
    clock.tick()
  }
  const before = 10 * TUNABLES.tick
  expect(clock.now()).toBe(before)
  now += 5000
  const most = before + TUNABLES.tick + TUNABLES.stall
  expect(clock.now()).toBe(most)
  clock.tick()
  now += 20
  expect(clock.now()).toBe(most + 20)
})
