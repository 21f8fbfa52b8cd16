import { describe, expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import { type Ledger, memberHash, type MemberReport, reportId } from '../catalog/index.ts'
import { sampleLedger, sampleMember } from '../catalog/samples.ts'
import type { Node, Service, Task } from '../engine/index.ts'
import { clusterProgress, type MemberScene, memberRows } from './members.ts'

const head = (members: number): Service => ({
  ID: 'head',
  Version: { Index: 1 },
  Spec: {
    Name: 'shop_db',
    Labels: {
      [LABEL.stack]: 'shop',
      [LABEL.recipe]: JSON.stringify({ name: 'store', options: {}, ports: [] }),
      [LABEL.members]: String(members),
    },
    TaskTemplate: { ContainerSpec: { Image: 'store:1@sha256:abc' } },
    Mode: { Replicated: { Replicas: 0 } },
  },
})
const HASH = memberHash(head(3).Spec)
const member = (n: number, over: { hash?: string; replicas?: number } = {}): Service => ({
  ID: `s${n}`,
  Version: { Index: 1 },
  Spec: {
    Name: `shop_db-${n}`,
    Labels: {
      [LABEL.stack]: 'shop',
      [LABEL.cluster]: 'shop_db',
      [LABEL.memberOf]: over.hash ?? HASH,
    },
    TaskTemplate: { ContainerSpec: { Image: 'store:1@sha256:abc' } },
    Mode: { Replicated: { Replicas: over.replicas ?? 1 } },
  },
})
const task = (n: number, over: Partial<Task> = {}): Task => ({
  ID: `t${n}`,
  Version: { Index: 1 },
  ServiceID: `s${n}`,
  NodeID: `h${n}`,
  Slot: 1,
  DesiredState: 'running',
  Status: { State: 'running' },
  CreatedAt: '2026-01-01T00:00:00Z',
  ...over,
})
const node = (n: number): Node => ({
  ID: `h${n}`,
  Version: { Index: 1 },
  Spec: {},
  Description: { Hostname: `host-${n}` },
  Status: { State: 'ready' },
})
const numbers = [1, 2, 3]
const ledger = (over: Partial<Ledger> = {}): Ledger =>
  sampleLedger({
    cluster: 'shop_db',
    phase: 'formed',
    epoch: 1,
    writer: 'shop_db-2',
    members: Object.fromEntries(
      numbers.map((n) => [
        `shop_db-${n}`,
        { host: `h${n}`, volume: `v${n}`, admitted: null, discarded: null, leaving: false },
      ]),
    ),
    ...over,
  })
const report = (n: number, over: Partial<MemberReport> = {}): MemberReport =>
  sampleMember(`shop_db-${n}`, {
    host: `h${n}`,
    process: 'running',
    ready: true,
    position: { history: 'h', sequence: '42' },
    status: { role: 'ready', size: 3, component: 'c', leads: null },
    ...over,
  })
const scene = (
  over: Partial<MemberScene> & { said?: MemberReport[]; book?: Ledger; wanted?: number } = {},
): MemberScene => ({
  head: head(over.wanted ?? 3),
  services: numbers.map((n) => member(n)),
  tasks: numbers.map((n) => task(n)),
  nodes: numbers.map(node),
  ledgers: new Map([['shop_db', over.book ?? ledger()]]),
  reports: new Map(
    (over.said ?? numbers.map((n) => report(n))).map((each) => [reportId(each), each]),
  ),
  ready: new Set(['t1', 't2', 't3']),
  now: 0,
  ...over,
})

describe('a clustered service', () => {
  test('has arrived when every member is ready and made from what the file says', () => {
    const progress = clusterProgress(scene())
    expect(progress).toMatchObject({ wanted: 3, done: 3, arrived: true, diagnosis: undefined })
    expect(memberRows(scene()).map((each) => [each.name, each.host, each.role])).toEqual([
      ['db-1', 'host-1', 'reader'],
      ['db-2', 'host-2', 'writer'],
      ['db-3', 'host-3', 'reader'],
    ])
  })

  test.each([
    [
      'a member still to be updated',
      { services: [1, 2, 3].map((n) => member(n, n === 3 ? { hash: 'old' } : {})) },
      'db-3 is still to be updated.',
    ],
    ['one more than wanted', { wanted: 2 }, undefined],
    [
      'one too few',
      { wanted: 4 },
      'db has room for 3 of 4 members: each needs a host of its own, and 3 are up.',
    ],
    ['a cluster that is not formed', { book: ledger({ phase: 'recovering' }) }, undefined],
  ] as const)('%s: not yet', (_, over, sentence) => {
    const progress = clusterProgress(scene(over))
    expect(progress.arrived).toBe(false)
    if (sentence !== undefined) expect(progress.diagnosis?.sentence).toBe(sentence)
  })

  test('a member that receives the data is not ready, and says what it does', () => {
    const joining = report(3, {
      ready: false,
      status: { role: 'joining', size: 3, component: 'c', leads: null },
      problem: 'receiving state, 17 MB',
    })
    const seen = scene({ said: [report(1), report(2), joining], ready: new Set(['t1', 't2']) })
    const progress = clusterProgress(seen)
    expect(progress).toMatchObject({ done: 2, arrived: false })
    expect(progress.members?.[2]).toMatchObject({ role: 'joining', ready: false })
    expect(progress.diagnosis).toMatchObject({
      hopeless: 'no',
      sentence: 'db-3 (joining): receiving state, 17 MB.',
    })
  })

  test('one that is held needs a person, unless one has decided already', () => {
    const held = { at: 1, reason: 'two histories', copies: [] }
    const book = ledger({ phase: 'held', held })
    expect(clusterProgress(scene({ book })).diagnosis).toMatchObject({
      hopeless: 'now',
      sentence: 'db is held: two histories.',
    })
    const order = { epoch: 1, from: 'shop_db-1', snapshot: null, by: 'root', at: 2 }
    expect(clusterProgress(scene({ book: { ...book, order } })).diagnosis?.hopeless).toBe('no')
  })

  test('a member without an image fails the whole; one that waits at the gate does not', () => {
    const rejected = (err: string) =>
      [1, 2].map((n) =>
        task(3, {
          ID: `r${n}`,
          DesiredState: 'shutdown',
          Status: { State: 'rejected', Err: err },
          CreatedAt: `2026-01-01T00:0${n}:00Z`,
        }),
      )
    const waiting = task(3, {
      ID: 'r3',
      Status: { State: 'preparing' },
      CreatedAt: '2026-01-01T00:05:00Z',
    })
    const with_ = (err: string) =>
      clusterProgress(
        scene({
          tasks: [task(1), task(2), ...rejected(err), waiting],
          said: [
            report(1),
            report(2),
            report(3, { ready: false, process: 'gate', status: null, problem: 'its turn comes' }),
          ],
          ready: new Set(['t1', 't2']),
        }),
      ).diagnosis
    expect(with_('No such image: store:1')).toMatchObject({ hopeless: 'now' })
    expect(with_('error while mounting volume: VolumeDriver.Mount: wait')).toMatchObject({
      hopeless: 'no',
      sentence: 'db-3 (waiting): its turn comes.',
    })
  })

  test('scaled to nothing it has arrived when no task of it is left', () => {
    const services = numbers.map((n) => member(n, { replicas: 0 }))
    expect(clusterProgress(scene({ wanted: 0, services })).arrived).toBe(false)
    expect(clusterProgress(scene({ wanted: 0, services, tasks: [] })).arrived).toBe(true)
  })
})
