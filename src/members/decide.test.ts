import { describe, expect, it } from 'vitest'
import type { LedgerMember, MemberReport } from '../catalog/index.ts'
import { sampleLedger, sampleMember } from '../catalog/samples.ts'
import type { Topology } from '../recipes/index.ts'
import { decide } from './decide.ts'
import type { Facts, View } from './facts.ts'
import { foundersOf } from './founders.ts'
import { orderOf } from './order.ts'
import { permit } from './permit.ts'
import { standing } from './standing.ts'

const VOTERS: Topology = {
  minimum: 1,
  usual: 3,
  forms: 'all',
  recovers: 'itself',
  writer: false,
  joinsOneByOne: true,
}

const id = (number: number) => `shop_db-${number}`
const member = (number: number, over: Partial<LedgerMember> = {}): [string, LedgerMember] => [
  id(number),
  {
    host: `h${number}`,
    volume: null,
    admitted: null,
    discarded: null,
    leaving: false,
    ...over,
  },
]
const atGate = (number: number, over: Partial<MemberReport> = {}): MemberReport =>
  sampleMember(id(number), {
    host: `h${number}`,
    volume: `v${number}`,
    data: 'empty',
    process: 'gate',
    epoch: 0,
    recovered: true,
    ...over,
  })
const running = (number: number): MemberReport =>
  atGate(number, {
    data: 'good',
    process: 'running',
    status: { role: 'ready', size: 3, component: 'c', leads: false },
    ready: true,
    position: { history: 'c', sequence: '9' },
  })

/** Three hosts or more, each with the service of its member. */
const facts = (over: Partial<Facts> & Pick<Facts, 'ledger'>, reports: MemberReport[]): Facts => ({
  now: 1_000_000,
  topology: VOTERS,
  verbs: new Set(['remove']),
  wanted: Object.keys(over.ledger.members).length,
  founders: 3,
  sightings: reports.map((report) => ({ report, sight: 'heard' })),
  hosts: Object.values(over.ledger.members).map(({ host }) => ({
    id: host,
    name: host,
    eligible: true,
    unheardFor: reports.some((report) => report.host === host) ? 0 : 1e9,
    awayFor: 0,
    leads: host === 'h2',
  })),
  services: Object.keys(over.ledger.members).map((each) => ({
    member: each,
    running: true,
    current: true,
    updating: false,
  })),
  quietFor: 0,
  writerIdleFor: 0,
  markedFor: 0,
  ...over,
})

describe('how many form a cluster', () => {
  const recipe = {
    topology: VOTERS,
    founders: ({ n }: Record<string, unknown>) => Number(n) || null,
  }

  it('is as many as the recipe says, as usual, or as are wanted', () => {
    expect(foundersOf(recipe, {}, 5)).toBe(3)
    expect(foundersOf(recipe, { n: 5 }, 5)).toBe(5)
    expect(foundersOf(recipe, { n: 5 }, 3)).toBe(3)
    expect(foundersOf(recipe, {}, 1)).toBe(1)
    expect(foundersOf(recipe, {}, null)).toBe(1)
    expect(foundersOf({ topology: { ...VOTERS, forms: 'one' } }, {}, 3)).toBe(1)
  })

  const five = sampleLedger({
    members: Object.fromEntries([1, 2, 3, 4, 5].map((each) => member(each))),
    next: 6,
  })

  it('is waited for, however long the others are not heard', () => {
    const decision = decide(facts({ ledger: five }, [atGate(2), atGate(5)]))
    expect(decision.kind).toBe('wait')
    expect(decision.explain.join()).toBe(
      '2 of the 3 members that form the cluster are there, shop_db-1, shop_db-3, shop_db-4 still to come',
    )
  })

  it('is enough: the others join later', () => {
    const decision = decide(
      facts(
        { ledger: five },
        [5, 4, 3, 2].map((each) => atGate(each)),
      ),
    )
    if (decision.kind !== 'write') throw new Error(decision.kind)
    expect(decision.ledger.phase).toBe('forming')
    expect(Object.keys(decision.ledger.grant?.members ?? {})).toEqual([id(2), id(3), id(4)])
  })

  it('is told to who waits for it at the gate', () => {
    const view: View = {
      ledger: five,
      topology: VOTERS,
      founders: 3,
      own: atGate(1),
      others: [{ report: atGate(2), sight: 'heard' }],
    }
    expect(permit(view)).toEqual({
      kind: 'wait',
      reason: 'the cluster is formed when 3 members are there, and 2 are',
    })
  })
})

describe('members that vote', () => {
  const joined = (number: number, over: Partial<LedgerMember> = {}) =>
    member(number, { volume: `v${number}`, ...over })

  it('are taken out before others are taken in', () => {
    const ledger = sampleLedger({
      phase: 'formed',
      members: Object.fromEntries([joined(1), joined(2), joined(3, { leaving: true }), member(4)]),
      view: [id(1), id(2)],
      highWater: { history: 'c', sequence: '9', at: 1_000_000 },
      next: 5,
    })
    const given = facts({ ledger, wanted: 3 }, [running(1), running(2), atGate(4)])
    // Nothing is heard of the third, and nobody calls its host down: so it is not forgotten yet.
    expect(decide(given)).toMatchObject({ kind: 'act', actions: [{ do: 'stop', member: id(3) }] })
    const stopped = {
      ...given,
      services: given.services.map((each) => ({ ...each, running: each.member !== id(3) })),
    }
    expect(decide(stopped)).toMatchObject({ kind: 'wait' })
    const gone = { ...stopped, hosts: stopped.hosts.filter(({ id: host }) => host !== 'h3') }
    expect(decide(gone)).toMatchObject({
      kind: 'write',
      before: [{ do: 'verb', verb: 'remove', inside: id(1), member: id(3) }],
      explain: ['shop_db-3 has left'],
    })
  })

  it('come back with an empty folder even while another leaves', () => {
    const ledger = sampleLedger({
      phase: 'formed',
      members: Object.fromEntries([
        joined(1),
        joined(2, { volume: 'lost' }),
        joined(3),
        joined(4, { leaving: true }),
        joined(5),
      ]),
      view: [id(1), id(3), id(5)],
      highWater: { history: 'c', sequence: '9', at: 1_000_000 },
      next: 6,
    })
    const services = [1, 2, 3, 4, 5].map((each) => ({
      member: id(each),
      running: each !== 4,
      current: true,
      updating: false,
    }))
    const given = facts({ ledger, wanted: 4, services }, [
      running(1),
      atGate(2),
      running(3),
      running(5),
    ])
    expect(decide(given)).toMatchObject({ kind: 'write', explain: ['shop_db-2 is let in'] })
  })
})

describe('what the cluster has', () => {
  const ledger = sampleLedger({
    phase: 'formed',
    members: Object.fromEntries([member(1, { volume: 'v1' })]),
    // Written by a leader whose clock is years ahead.
    highWater: { history: 'c', sequence: '7', at: 5_000_000_000_000 },
    view: [id(1)],
    next: 2,
  })

  it('is written down from time to time, whatever the clocks of earlier leaders showed', () => {
    const late = facts({ ledger, markedFor: 15_000 }, [running(1)])
    expect(decide(late)).toMatchObject({
      kind: 'write',
      ledger: { highWater: { history: 'c', sequence: '9', at: late.now } },
    })
    expect(decide(facts({ ledger, markedFor: 14_999 }, [running(1)])).kind).toBe('wait')
  })
})

describe('members that are wanted again after all were stopped', () => {
  it('are first as they run, if they have all that the last one has', () => {
    const joined = (number: number) => member(number, { volume: `v${number}` })
    const ledger = sampleLedger({
      phase: 'recovering',
      epoch: 2,
      members: Object.fromEntries([joined(1), joined(2)]),
      cleanStop: { at: 1, last: id(2) },
      next: 3,
    })
    const same = { epoch: 2, volume: 'v1', data: 'good', position: { history: 'c', sequence: '9' } }
    const outside = { role: 'outside', size: 0, component: null, leads: null } as const
    const given = facts({ ledger, topology: { ...VOTERS, forms: 'one', recovers: 'elect' } }, [
      { ...running(1), ...same, data: 'good', status: outside, ready: false },
      atGate(2, { ...same, volume: 'v2', data: 'good', recovered: true }),
    ])
    expect(decide(given)).toMatchObject({
      kind: 'write',
      ledger: { grant: { members: { [id(1)]: 'v1' } } },
    })
  })
})

describe('an order', () => {
  it('is later than the one before, whatever the clock shows', () => {
    const given = (now: number, at: number | null) =>
      orderOf(
        sampleLedger({
          order: at === null ? null : { epoch: 0, from: id(1), snapshot: null, by: 'root', at },
        }),
        { from: id(1), snapshot: null },
        { by: 'root', now },
      ).at
    expect([given(5, null), given(5, 4), given(5, 5), given(5, 9)]).toEqual([5, 5, 6, 10])
  })
})

describe('voters of whom a snapshot is to be the truth', () => {
  const snapshot = { name: 'c-7-1.db', position: { history: 'c', sequence: '7' }, at: 1 }
  const joined = (number: number) => member(number, { volume: `v${number}` })
  const ledger = sampleLedger({
    phase: 'recovering',
    epoch: 4,
    members: Object.fromEntries([joined(1), joined(2), joined(3)]),
    highWater: { history: 'c', sequence: '9', at: 1_000_000 },
    order: { epoch: 4, from: id(1), snapshot: snapshot.name, by: 'root', at: 77 },
    next: 4,
  })
  const lost = [2, 3].map((each) => atGate(each, { epoch: 4, volume: `other${each}` }))
  const from = (over: Partial<MemberReport>) =>
    facts({ ledger }, [
      atGate(1, { epoch: 4, data: 'damaged', position: null, snapshot, ...over }),
      ...lost,
    ])

  it('wait until the data have been made of it', () => {
    const waits = (over: Partial<MemberReport>, reason: string) =>
      expect(decide(from(over))).toMatchObject({
        kind: 'wait',
        explain: [expect.stringContaining(reason)],
      })
    waits({}, 'the data of shop_db-1 are made of the snapshot c-7-1.db')
    waits({ data: 'empty' }, 'are made of the snapshot')
    // Whatever it has of its own, and whichever decision it was made for before.
    const good = { data: 'good', position: { history: 'c', sequence: '9' } } as const
    waits({ ...good, restored: 76 }, 'are made of the snapshot')
    waits({ ...good, process: 'running' }, 'is waited for')
    waits({ ...good, epoch: 3, restored: null }, 'is waited for')
  })

  it('go on with it, whatever the others have', () => {
    const position = { history: 'new', sequence: '1' }
    const decision = decide(from({ data: 'good', volume: 'made', position, restored: 77 }))
    expect(decision).toMatchObject({
      kind: 'write',
      ledger: { grant: { epoch: 4, members: { [id(1)]: 'made' }, position } },
    })
  })

  it('are asked about again when it is not there', () => {
    for (const other of [null, { ...snapshot, name: 'c-8-2.db' }]) {
      expect(decide(from({ snapshot: other }))).toMatchObject({
        kind: 'write',
        ledger: { order: { epoch: 0 } },
      })
    }
    const removed = from({})
    const hosts = removed.hosts.filter(({ id: host }) => host !== 'h1')
    expect(decide({ ...removed, hosts })).toMatchObject({
      kind: 'write',
      ledger: { order: { epoch: 0 } },
    })
  })
})

describe('members of which one takes the writes', () => {
  const ONE_WRITER: Topology = { ...VOTERS, forms: 'one', recovers: 'elect', writer: true }
  const joined = (number: number) => member(number, { volume: `v${number}` })
  const ledger = sampleLedger({
    phase: 'formed',
    members: Object.fromEntries([joined(1), joined(2), joined(3)]),
    view: [id(1), id(2), id(3)],
    highWater: { history: 'c', sequence: '9', at: 1_000_000 },
    writer: id(1),
    next: 4,
  })
  const busy = (number: number): MemberReport => ({ ...running(number), ready: false })
  /** What is decided once the ledger knows who is in the cluster. */
  const given = (reports: MemberReport[], over: Partial<Facts> = {}) => {
    const all = facts({ ledger, topology: ONE_WRITER, ...over }, reports)
    const first = decide(all)
    return first.kind === 'write' && first.ledger.writer === ledger.writer
      ? decide({ ...all, ledger: first.ledger })
      : first
  }

  it('keep their writer while it is not ready for a moment, and no longer', () => {
    const reports = [busy(1), running(2), running(3)]
    expect(given(reports, { writerIdleFor: 2000 })).toMatchObject({ kind: 'wait' })
    expect(given(reports, { writerIdleFor: 3000 })).toMatchObject({
      kind: 'write',
      ledger: { writer: id(3) },
    })
  })

  it('get another writer at once when it has ended, is outside or is not heard', () => {
    const outside: MemberReport = {
      ...busy(1),
      status: { role: 'outside', size: 0, component: null, leads: null },
    }
    for (const reports of [
      [atGate(1), running(2), running(3)],
      [outside, running(2), running(3)],
      [running(2), running(3)],
    ]) {
      expect(given(reports)).toMatchObject({ kind: 'write', ledger: { writer: id(3) } })
    }
  })

  it('hand the writes over when a person wants it, at once or not at all', () => {
    const handover = { epoch: ledger.epoch, from: id(1), to: id(2), by: 'root', at: 1 }
    const wanted = (over: Partial<typeof handover>, reports: MemberReport[]) =>
      given(reports, { ledger: { ...ledger, handover: { ...handover, ...over } } })
    const all = [running(1), running(2), running(3)]
    expect(wanted({}, all)).toMatchObject({ ledger: { writer: id(2), handover: null } })
    // Dropped, and then there is nothing to do.
    const stays = { kind: 'wait' }
    for (const decision of [
      wanted({}, [running(1), busy(2), running(3)]),
      wanted({ from: id(3) }, all),
      wanted({ epoch: ledger.epoch + 1 }, all),
      wanted({ to: id(1) }, all),
    ]) {
      expect(decision).toMatchObject(stays)
    }
  })

  it('write at the host of the leader of Swarm only if there is no other', () => {
    expect(given([atGate(1), running(2), atGate(3)])).toMatchObject({
      kind: 'write',
      ledger: { writer: id(2) },
    })
  })

  it('are not taken for broken by an update when they are not ready for a moment', () => {
    const services = [1, 2, 3].map((each) => ({
      member: id(each),
      running: true,
      current: false,
      updating: false,
    }))
    expect(given([running(1), busy(2), busy(3)], { services })).toMatchObject({
      kind: 'wait',
      explain: ['the update goes on when shop_db-2, shop_db-3 is ready'],
    })
    expect(given([running(1), running(2), atGate(3)], { services })).toMatchObject({
      kind: 'act',
      actions: [{ do: 'update', member: id(3) }],
    })
  })
})

describe('members of a lost host', () => {
  const ONE_WRITER: Topology = { ...VOTERS, forms: 'one', recovers: 'elect', writer: true }
  const joined = (number: number, over: Partial<LedgerMember> = {}) =>
    member(number, { volume: `v${number}`, ...over })
  const of = (number: number, size: number): MemberReport => ({
    ...running(number),
    status: { role: 'ready', size, component: 'c', leads: false },
  })
  /** `here` run, and see so many members; the hosts of `away` are down, of the others nothing is known. */
  const scene = (
    topology: Topology,
    what: { members: [string, LedgerMember][]; here: number[]; away: number[]; size?: number },
    over: Partial<Facts> = {},
  ): Facts => {
    const { members, here, away, size = here.length } = what
    const ledger = sampleLedger({
      phase: 'formed',
      members: Object.fromEntries(members),
      // Who is not heard keeps its place until it is seen elsewhere.
      view: members.map(([each]) => each),
      highWater: { history: 'c', sequence: '9', at: 1_000_000 },
      writer: topology.writer ? id(here[0] ?? 1) : null,
      next: members.length + 1,
    })
    const all = facts(
      { ledger, topology, wanted: members.length - 1, ...over },
      here.map((each) => of(each, size)),
    )
    const hosts = all.hosts.map((each) => ({
      ...each,
      awayFor: away.some((number) => each.id === `h${number}`) ? 1 : 0,
    }))
    return { ...all, hosts }
  }
  const atRest = (given: Facts, ...numbers: number[]): Facts => ({
    ...given,
    services: given.services.map((each) => ({
      ...each,
      running: !numbers.some((number) => each.member === id(number)),
    })),
  })
  const three = [1, 2, 3].map((each) => joined(each))
  const leaving = [joined(1), joined(2, { leaving: true }), joined(3)]

  it.each([ONE_WRITER, VOTERS])('leave first, and at once: $recovers', (topology) => {
    const given = scene(topology, { members: three, here: [1, 3], away: [2] })
    expect(decide(given)).toMatchObject({ kind: 'write', explain: ['shop_db-2 leaves'] })
    const going = scene(topology, { members: leaving, here: [1, 3], away: [2] }, { wanted: 2 })
    expect(decide(going)).toMatchObject({ kind: 'act', actions: [{ do: 'stop', member: id(2) }] })
    expect(decide(atRest(going, 2))).toMatchObject({
      kind: 'write',
      before: [{ do: 'verb', verb: 'remove', member: id(2) }],
      explain: ['shop_db-2 has left'],
    })
  })

  it('stay while nobody calls their hosts down, or somebody answers there', () => {
    const silent = scene(ONE_WRITER, { members: leaving, here: [1, 3], away: [] }, { wanted: 2 })
    expect(decide(atRest(silent, 2))).toMatchObject({
      kind: 'wait',
      explain: ['shop_db-2 has not stopped yet'],
    })
    const dead = scene(ONE_WRITER, { members: leaving, here: [1, 3], away: [2] }, { wanted: 2 })
    const agentless = [...dead.sightings, { report: of(2, 2), sight: 'agentless' as const }]
    expect(decide(atRest({ ...dead, sightings: agentless }, 2))).toMatchObject({ kind: 'wait' })
  })

  it('are waited for before anybody is chosen to leave', () => {
    const given = scene(ONE_WRITER, { members: [joined(1), joined(2)], here: [1], away: [] })
    const hosts = given.hosts.map((each) => ({ ...each, unheardFor: each.id === 'h2' ? 500 : 0 }))
    expect(decide({ ...given, hosts })).toMatchObject({
      kind: 'wait',
      explain: [expect.stringContaining('when shop_db-2 is heard')],
    })
  })

  it('stay while the others are not most of the cluster, and a person is told what to do', () => {
    const members = [joined(1), joined(2, { leaving: true })]
    const given = scene(ONE_WRITER, { members, here: [1], away: [2] }, { wanted: 1 })
    expect(decide(atRest(given, 2))).toMatchObject({
      kind: 'wait',
      explain: [
        'shop_db-2 has not stopped yet; h2, the host of shop_db-2, is lost: start it, or if it is ' +
          'gone for good: muster node rm h2',
      ],
    })
    const few = [1, 2, 3, 4].map((each) => joined(each))
    const half = scene(ONE_WRITER, { members: few, here: [1, 4], away: [2, 3] })
    expect(decide(half)).toMatchObject({
      kind: 'wait',
      explain: [expect.stringContaining('muster node rm h3')],
    })
  })

  it('stay while the others are with somebody whom nobody hears', () => {
    const what = { members: leaving, here: [1, 3], away: [2], size: 3 }
    const given = scene(ONE_WRITER, what, { wanted: 2 })
    expect(decide(atRest(given, 2))).toMatchObject({ kind: 'wait' })
  })

  it('keep an update waiting only where the others are needed', () => {
    const old = (given: Facts): Facts => ({
      ...given,
      wanted: given.services.length,
      services: given.services.map((each) => ({ ...each, current: false })),
    })
    expect(decide(old(scene(VOTERS, { members: three, here: [1, 3], away: [2] })))).toMatchObject({
      kind: 'wait',
      explain: [expect.stringMatching(/goes on when shop_db-2 is ready; h2.*muster node rm h2/)],
    })
    const five = [1, 2, 3, 4, 5].map((each) => joined(each))
    const what = { members: five, here: [1, 2, 3, 4], away: [5] }
    expect(decide(old(scene(VOTERS, what)))).toMatchObject({
      kind: 'act',
      actions: [{ do: 'update', member: id(4) }],
    })
  })
})

const ELECTS: Topology = { ...VOTERS, forms: 'one', recovers: 'elect', writer: true }
const joined = (number: number) => member(number, { volume: `v${number}` })

describe('a cluster of which nobody is primary', () => {
  const ledger = sampleLedger({
    phase: 'formed',
    epoch: 3,
    members: Object.fromEntries([joined(1), joined(2), joined(3)]),
    // The others ended before it noticed that.
    view: [id(1)],
    highWater: { history: 'c', sequence: '5', at: 1_000_000 },
    writer: id(2),
    next: 4,
  })
  const outside = (number: number, over: Partial<MemberReport> = {}): MemberReport => ({
    ...running(number),
    status: { role: 'outside', size: 0, component: null, leads: null },
    ready: false,
    epoch: 3,
    ...over,
  })
  const ended = (number: number, over: Partial<MemberReport> = {}) =>
    atGate(number, { data: 'good', epoch: 3, position: { history: 'c', sequence: '7' }, ...over })
  const after = (quietFor: number, reports: MemberReport[]) =>
    decide(facts({ ledger, topology: ELECTS, quietFor }, reports))
  const BEGUN = { kind: 'write', ledger: { phase: 'recovering', epoch: 4 } }
  const WAITS = {
    kind: 'wait',
    explain: [expect.stringContaining('time to find each other')],
  }

  it('is given time while most of it runs', () => {
    const most = [outside(1), outside(2), ended(3)]
    expect(after(9000, most)).toMatchObject(WAITS)
    expect(after(10_000, most)).toMatchObject(BEGUN)
  })

  it('is given little when most of it is known not to run', () => {
    const few = [outside(1), ended(2), ended(3)]
    expect(after(2900, few)).toMatchObject(WAITS)
    expect(after(3000, few)).toMatchObject(BEGUN)
  })

  it('is given time while one is not heard, says nothing, or is alone since the others took their leave', () => {
    const silent = outside(1, { status: null })
    const left = { clean: true }
    expect(after(9000, [outside(1), ended(2)])).toMatchObject(WAITS)
    expect(after(9000, [silent, ended(2), ended(3)])).toMatchObject(WAITS)
    expect(after(9000, [outside(1), ended(2, left), ended(3, left)])).toMatchObject(WAITS)
  })

  it('gets what is new for members at rest only after a while: one at its gate may just be let in', () => {
    const begun = { ...ledger, phase: 'recovering' as const, epoch: 4 }
    const waiting = [ended(1), ended(2, { epoch: 4 }), ended(3, { epoch: 4 })]
    const given = facts({ ledger: begun, topology: ELECTS, quietFor: 44_000 }, waiting)
    const services = given.services.map((each) => ({ ...each, current: false }))
    expect(decide({ ...given, services })).toMatchObject({ kind: 'wait' })
    expect(decide({ ...given, services, quietFor: 45_000 })).toMatchObject({
      kind: 'act',
      explain: ['members that do not run are brought up to date'],
    })
  })

  it('keeps its only member running while the copies are compared', () => {
    const begun = { ...ledger, phase: 'recovering' as const, epoch: 4 }
    const seen = (reports: MemberReport[]): View => ({
      ledger: begun,
      topology: ELECTS,
      founders: 1,
      own: outside(1, { epoch: 4 }),
      others: reports.map((report) => ({ report, sight: 'heard' })),
    })
    // Their agents have not heard of it yet: before they have, nobody is chosen.
    expect(standing(seen([ended(2), outside(3)]), 0)).toEqual({ kind: 'stay' })
    expect(standing(seen([ended(2, { epoch: 4 }), ended(3)]), 0)).toEqual({ kind: 'stay' })
    const running3 = outside(3, { epoch: 4 })
    expect(standing(seen([ended(2), running3]), 0)).toMatchObject({ kind: 'stop' })
    const newer = ended(2, { epoch: 4, position: { history: 'c', sequence: '12' } })
    expect(standing(seen([newer, ended(3)]), 0)).toMatchObject({ kind: 'stop' })
    expect(standing(seen([ended(2)]), 0)).toMatchObject({ kind: 'stop' })
  })
})

describe('a member that runs and has not said how far it is', () => {
  const ledger = sampleLedger({
    phase: 'recovering',
    epoch: 4,
    members: Object.fromEntries([joined(1), joined(2)]),
    highWater: { history: 'c', sequence: '5', at: 1_000_000 },
    writer: id(2),
    next: 3,
  })
  const outside = { role: 'outside', size: 0, component: null, leads: null } as const
  const starting = atGate(1, {
    data: 'good',
    process: 'running',
    epoch: 4,
    recovered: false,
    status: outside,
    position: null,
  })
  const rests = atGate(2, { data: 'good', epoch: 4, position: { history: 'c', sequence: '9' } })

  it('is no member without data: it is waited for', () => {
    const given = facts({ ledger, topology: ELECTS }, [starting, rests])
    expect(decide(given)).toMatchObject({
      kind: 'wait',
      explain: ['shop_db-1 still looks at its data'],
    })
    const order = { epoch: 4, from: id(1), snapshot: null, by: 'root', at: 7 }
    expect(decide({ ...given, ledger: { ...ledger, order } })).toMatchObject({
      kind: 'wait',
      explain: [expect.stringContaining('whose data are not there yet')],
    })
  })

  it('stops, so that it can be told', () => {
    const view: View = {
      ledger,
      topology: ELECTS,
      founders: 1,
      own: starting,
      others: [{ report: atGate(2, { epoch: 4 }), sight: 'heard' }],
    }
    expect(standing(view, 0)).toMatchObject({ kind: 'stop' })
    const told: MemberReport = { ...starting, position: { history: 'c', sequence: '9' } }
    expect(standing({ ...view, own: told }, 0)).toMatchObject({ kind: 'stay' })
  })
})
