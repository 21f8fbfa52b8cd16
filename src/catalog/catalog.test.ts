/** Reports in, table, feed, followers out: whatever is lost or repeated, all end with the truth. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MemberReport, reportId } from './clusters.ts'
import { CorruptMessage } from './decode.ts'
import { Feed } from './feed.ts'
import { CatalogFollower, type FeedMessage } from './follower.ts'
import { FRAME, frameDecoder } from './frames.ts'
import { type Downward, type Report, decodeDownward, decodeUpward } from './messages.ts'
import type { Endpoint } from './model.ts'
import { type Reported, nextReport, nothingReported, receive } from './reports.ts'
import {
  sampleCluster,
  sampleEndpoint,
  sampleHost,
  sampleMember,
  sampleService,
} from './samples.ts'
import { serving } from './serving.ts'
import { CatalogTable } from './table.ts'

const messagesIn = (frame: Buffer): Downward[] =>
  frameDecoder()(frame)
    .filter(({ type }) => type === FRAME.json)
    .map(({ payload }) => decodeDownward(payload))

const ids = fc.constantFrom('e1', 'e2', 'e3', 'e4')
const change = fc.record({
  id: ids,
  state: fc.constantFrom('starting', 'ready', 'unhealthy', 'gone'),
  member: fc.nat(2),
  /** What happens to the report of this change on its way. */
  fate: fc.constantFrom('arrives', 'lost', 'twice', 'late'),
})

test('reports that are lost, repeated or late converge after a resend', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const truth = new Map<string, Endpoint>()
      let members = new Map<string, MemberReport>()
      let told: Reported | null = null
      let manager = nothingReported
      let seq = 0
      let late: Report | undefined
      const deliver = (report: Report) => {
        const { outcome, state } = receive(manager, 'h1', report)
        manager = state
        if (outcome === 'resend') told = null
      }
      const say = (fate: string) => {
        const now = {
          endpoints: new Map(truth),
          leaving: new Set<string>(),
          engineDown: false,
          edge: {},
          members,
        }
        const report = nextReport(told, now, seq + 1)
        if (!report) return
        seq++
        told = { ...now, seq, complete: true }
        if (fate === 'late') late = report
        if (fate === 'arrives' || fate === 'twice') deliver(report)
        if (fate === 'twice') deliver(report)
        if (fate === 'arrives' && late) {
          deliver(late)
          late = undefined
        }
      }
      for (const { id, state, member, fate } of changes) {
        members = new Map(member === 0 ? [] : [['db-1', sampleMember('db-1', { epoch: member })]])
        if (state === 'gone') truth.delete(id)
        else truth.set(id, sampleEndpoint(id, { state }))
        say(fate)
      }
      // The connection works again: one more change shows the hole, the resend fills it.
      truth.set('last', sampleEndpoint('last'))
      say('arrives')
      say('arrives')
      expect(new Map(manager.endpoints)).toEqual(truth)
      expect(manager.members).toEqual(members)
      expect(manager.complete).toBe(true)
    }),
  )
})

test("a report about somebody else's endpoints or members changes nothing", () => {
  const empty: Report = {
    type: 'report',
    seq: 1,
    full: true,
    endpoints: [],
    gone: [],
    leaving: [],
    engineDown: false,
    edge: {},
    members: [],
  }
  for (const report of [
    { ...empty, endpoints: [sampleEndpoint('e1', { host: 'h2' })] },
    { ...empty, members: [sampleMember('db-1'), sampleMember('db-2', { host: 'h2' })] },
  ]) {
    expect(receive(nothingReported, 'h1', report)).toEqual({
      outcome: 'not-your-host',
      state: nothingReported,
    })
  }
})

test('an agent that knows nothing of members reports none', () => {
  const { members: _, ...old } = nextReport(null, nothingReported, 1) as Report
  expect(decodeUpward(Buffer.from(JSON.stringify(old)))).toMatchObject({ members: [] })
})

test.each([
  { process: 'asleep' },
  { epoch: -1 },
  { volume: '../x' },
  { position: { history: 'a b', sequence: '1' } },
  { position: { history: 'a', sequence: '01' } },
])('a report of a member with %j is refused', (over) => {
  const report = {
    ...nextReport(null, nothingReported, 1),
    members: [{ ...sampleMember('db-1'), ...over }],
  }
  expect(() => decodeUpward(Buffer.from(JSON.stringify(report)))).toThrow(CorruptMessage)
})

const step = fc.oneof(
  fc.record({
    do: fc.constant('endpoint' as const),
    id: ids,
    slot: fc.integer({ min: -1, max: 3 }),
  }),
  fc.record({ do: fc.constant('leaving' as const), id: ids, leaving: fc.boolean() }),
  fc.record({
    do: fc.constant('host' as const),
    id: fc.constantFrom('h1', 'h2'),
    up: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('member' as const),
    host: fc.constantFrom('h1', 'h2'),
    epoch: fc.integer({ min: -1, max: 2 }),
  }),
  fc.record({
    do: fc.constant('cluster' as const),
    id: fc.constantFrom('a_db', 'b_db'),
    epoch: fc.integer({ min: -1, max: 2 }),
  }),
  fc.record({ do: fc.constant('flush' as const) }),
  /** The follower takes what there is; or loses a frame on the way; or comes anew. */
  fc.record({ do: fc.constantFrom('take' as const, 'lose' as const, 'reconnect' as const) }),
)

test('a follower that loses anything ends with the table of its manager', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 200, max: 3000 }),
      (steps, logBytes) => {
        const table = new CatalogTable(() => undefined)
        const feed = new Feed({ origin: 'm1', table, logBytes })
        const follower = new CatalogFollower()
        let cursor: number | undefined
        const hand = (frame: Buffer) => {
          for (const message of messagesIn(frame)) {
            if (follower.receive(message as FeedMessage) === 'resync') cursor = undefined
          }
        }
        const pull = () => {
          if (cursor === undefined || !feed.canResume('m1', cursor)) {
            const snapshot = feed.snapshot()
            cursor = snapshot.version
            snapshot.frames.forEach(hand)
          }
          for (let frame = feed.after(cursor); frame && cursor !== undefined;) {
            cursor++
            hand(frame)
            frame = cursor === undefined ? undefined : feed.after(cursor)
          }
        }
        for (const each of steps) {
          if (each.do === 'endpoint') {
            table.put(
              'endpoints',
              each.id,
              each.slot < 0 ? undefined : sampleEndpoint(each.id, { slot: each.slot }),
            )
          } else if (each.do === 'leaving') table.setLeaving(each.id, each.leaving)
          else if (each.do === 'host')
            table.put('hosts', each.id, each.up ? sampleHost(each.id) : undefined)
          else if (each.do === 'member') {
            const report = sampleMember('db-1', { host: each.host, epoch: Math.max(0, each.epoch) })
            table.put('members', reportId(report), each.epoch < 0 ? undefined : report)
          } else if (each.do === 'cluster') {
            const { id, epoch } = each
            table.put('clusters', id, epoch < 0 ? undefined : sampleCluster(id, { epoch }))
          } else if (each.do === 'flush') feed.flush()
          else if (each.do === 'take') pull()
          else if (each.do === 'lose') {
            if (cursor !== undefined && feed.after(cursor)) cursor++
          } else {
            const { origin, version } = follower.catalog
            cursor = feed.canResume(origin, version) ? version : undefined
          }
        }
        table.put('services', 'last', sampleService('last'))
        feed.flush()
        pull()
        pull()
        expect(follower.catalog).toEqual(table.catalog('m1', feed.version))
      },
    ),
  )
})

test('a delta of a manager that was followed before is left out', () => {
  const follower = new CatalogFollower({ ...new CatalogTable(() => undefined).catalog('m2', 4) })
  const table = new CatalogTable(() => undefined)
  const feed = new Feed({ origin: 'm1', table })
  table.put('hosts', 'h1', sampleHost('h1'))
  feed.flush()
  const frame = feed.after(0)
  expect(
    frame && messagesIn(frame).map((message) => follower.receive(message as FeedMessage)),
  ).toEqual(['nothing'])
})

test('serving stays right while the index is carried from one catalog to the next', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.record({ id: ids, service: fc.constantFrom('s1', 's2', ''), slot: fc.nat(3) })),
        { maxLength: 8 },
      ),
      (rounds) => {
        const table = new CatalogTable(() => undefined)
        const feed = new Feed({ origin: 'm1', table })
        const follower = new CatalogFollower()
        for (const frame of feed.snapshot().frames)
          for (const message of messagesIn(frame)) follower.receive(message as FeedMessage)
        for (const round of rounds) {
          for (const { id, service, slot } of round) {
            table.put(
              'endpoints',
              id,
              service === '' ? undefined : sampleEndpoint(id, { service, slot }),
            )
          }
          const from = feed.version
          feed.flush()
          for (let at = from; feed.after(at); at++) {
            for (const message of messagesIn(feed.after(at) ?? Buffer.alloc(0)))
              follower.receive(message as FeedMessage)
          }
          for (const service of ['s1', 's2']) {
            const expected = [...table.endpoints.values()].filter(
              (endpoint) => endpoint.service === service,
            )
            expect(
              serving(follower.catalog, service)
                .map(({ id }) => id)
                .sort(),
            ).toEqual(expected.map(({ id }) => id).sort())
          }
        }
      },
    ),
  )
})

test('another place of the edge is something to say, the same one is not', () => {
  const place = { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' }
  const now = { ...nothingReported, edge: { net1: place } }
  const first = nextReport(null, now, 1)
  if (first === null) throw new Error('nothing to say')
  const told = receive(nothingReported, 'h1', first).state
  expect(told.edge).toEqual(now.edge)
  expect(nextReport(told, { ...now, edge: { net1: { ...place } } }, 2)).toBeNull()
  const moved = nextReport(told, { ...now, edge: {} }, 2)
  expect(moved).toMatchObject({ full: false, edge: {} })
})

test.each([
  { address: '10.0.1', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' },
  { address: '10.0.1.7', mac: '02:42:0a:00:01:07 }', subnet: '10.0.1.0/24' },
  { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/33' },
])('a place that could not be one is corrupt: %o', (place) => {
  const report = { ...nextReport(null, nothingReported, 1), edge: { net1: place } }
  expect(() => decodeUpward(Buffer.from(JSON.stringify(report)))).toThrow(CorruptMessage)
})
