import { describe, expect, test } from 'vitest'
import type { Node, Service, Task } from '../engine/index.ts'
import { diagnose, type Diagnosis } from './diagnose.ts'

const NOW = Date.UTC(2026, 0, 1)

const node = (name: string, memory = 2 ** 33): Node => ({
  ID: name,
  Version: { Index: 1 },
  Spec: { Availability: 'active' },
  Status: { State: 'ready' },
  Description: { Hostname: name, Resources: { MemoryBytes: memory, NanoCPUs: 4e9 } },
})

const TEMPLATE = { ContainerSpec: { Image: 'shop/web:42' } }

const service = (spec: object = {}, more: object = {}): Service => ({
  ID: 's',
  Version: { Index: 1 },
  Spec: {
    Name: 'shop_web',
    Labels: { 'com.docker.stack.namespace': 'shop' },
    TaskTemplate: TEMPLATE,
    Mode: { Replicated: { Replicas: 1 } },
    ...spec,
  },
  ...more,
})

let serial = 0
const task = (state: string, err = '', more: object = {}): Task =>
  ({
    ID: `t${serial++}`,
    Version: { Index: 1 },
    ServiceID: 's',
    Slot: 1,
    NodeID: 'host-2',
    Spec: TEMPLATE,
    CreatedAt: new Date(NOW - 60_000 + serial).toISOString(),
    DesiredState: ['failed', 'rejected', 'complete'].includes(state) ? 'shutdown' : 'running',
    Status: { State: state, Err: err, Timestamp: new Date(NOW - 1000).toISOString() },
    ...more,
  }) as Task

const look = (tasks: Task[], of: Service = service()): Diagnosis | undefined =>
  diagnose({ service: of, tasks, nodes: [node('host-1'), node('host-2')], now: NOW })

describe('a task that Swarm refused or that ended', () => {
  test.each([
    ['image', 'rejected', 'No such image: shop/web:42'],
    ['image', 'rejected', 'pull access denied for shop/web, repository does not exist'],
    [
      'port',
      'failed',
      'driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated',
    ],
    ['port', 'failed', 'listen tcp4 0.0.0.0:80: bind: address already in use'],
    ['address', 'failed', 'starting container failed: Address already in use'],
    [
      'mount',
      'rejected',
      'invalid mount config for type "bind": bind source path does not exist: /data',
    ],
    [
      'network',
      'rejected',
      'attaching to network failed, make sure your network options are correct',
    ],
    [
      'command',
      'failed',
      'starting container failed: OCI runtime create failed: exec: "/run": executable file not found in $PATH',
    ],
    ['unhealthy', 'failed', 'task: non-zero exit (137): dockerexec: unhealthy container'],
    ['memory', 'failed', 'task: non-zero exit (137)'],
    ['exit', 'failed', 'task: non-zero exit (3)'],
    ['exit', 'complete', ''],
    ['refused', 'rejected', 'something new'],
  ])('%s: %s %s', (kind, state, err) => {
    const diagnosis = look([task(state, err)])
    expect(diagnosis?.kind).toBe(kind)
    expect(diagnosis?.sentence).toMatch(/^web\.1 .*host-2.*\.$/)
  })

  test('once may be chance, twice the same is a fact; exits may take longer to settle', () => {
    const refused = () => task('rejected', 'No such image: x')
    expect(look([refused()])?.hopeless).toBe('if-it-stays')
    expect(look([refused(), refused(), task('preparing')])?.hopeless).toBe('now')
    const exited = () => task('failed', 'task: non-zero exit (1)')
    expect(look([exited(), exited(), exited()])?.hopeless).toBe('if-it-stays')
    const taken = () => task('failed', 'starting container failed: Address already in use')
    expect(look([taken(), taken(), taken()])?.hopeless).toBe('if-it-stays')
  })

  test('nobody tries again where the restart policy says so', () => {
    const exited = task('failed', 'task: non-zero exit (1)')
    const never = service({ TaskTemplate: { ...TEMPLATE, RestartPolicy: { Condition: 'none' } } })
    expect(look([{ ...exited, Spec: never.Spec.TaskTemplate ?? {} }], never)?.hopeless).toBe('now')
  })

  test('a replica that runs again is none of it', () => {
    expect(look([task('failed', 'task: non-zero exit (1)'), task('running')])).toBeUndefined()
  })

  test('what failed before the deployment does not count', () => {
    const old = task('rejected', 'No such image: x')
    const scene = {
      service: service(),
      tasks: [old, task('preparing')],
      nodes: [node('host-2')],
      now: NOW,
    }
    expect(diagnose({ ...scene, before: new Set([old.ID]) })).toMatchObject({
      kind: 'pulling',
      hopeless: 'no',
    })
  })
})

describe('an update that Swarm has stopped', () => {
  test.each(['paused', 'rollback_started', 'rollback_completed'])('%s', (State) => {
    const stopped = service({}, { UpdateStatus: { State } })
    const failed = task('failed', 'task: non-zero exit (2)', {
      Spec: { ContainerSpec: { Image: 'new' } },
    })
    const scene = {
      service: stopped,
      tasks: [failed, task('running')],
      nodes: [node('host-2')],
      now: NOW,
    }
    expect(diagnose({ ...scene, before: new Set(), touched: true })).toMatchObject({
      kind: 'exit',
      hopeless: 'now',
    })
    expect(diagnose({ ...scene, before: new Set(), touched: false })).toBeUndefined()
  })
})

describe('a task without a host', () => {
  const pending = (why: string) =>
    task('pending', `no suitable node (${why})`, { NodeID: undefined })

  test('too little memory: how much is missing, and where it is least', () => {
    const wants = service({
      TaskTemplate: { ...TEMPLATE, Resources: { Reservations: { MemoryBytes: 2 ** 32 } } },
    })
    const other = {
      ...task('running', '', {
        NodeID: 'big',
        Spec: { Resources: { Reservations: { MemoryBytes: 6 * 2 ** 30 } } },
      }),
      ServiceID: 'other',
    }
    const waiting = {
      ...pending('insufficient resources on 2 nodes'),
      Spec: wants.Spec.TaskTemplate ?? {},
    }
    const diagnosis = diagnose({
      service: wants,
      tasks: [waiting],
      clusterTasks: [waiting, other],
      nodes: [node('big'), node('small', 3 * 2 ** 30)],
      now: NOW,
    })
    expect(diagnosis).toMatchObject({
      kind: 'no-host',
      hopeless: 'if-it-stays',
      sentence:
        'web.1 has no host: it reserves 4 GiB and the most that is free is 3 GiB, on small.',
    })
  })

  test('a constraint that nobody meets is named', () => {
    const picky = service({
      TaskTemplate: { ...TEMPLATE, Placement: { Constraints: ['node.labels.disk == ssd'] } },
    })
    const diagnosis = look([pending('scheduling constraints not satisfied on 2 nodes')], picky)
    expect(diagnosis?.sentence).toContain('"node.labels.disk == ssd"')
  })

  test.each([
    ['host-mode port already in use on 2 nodes', 'mode: host'],
    ['max replicas per node limit exceed', 'max_replicas_per_node'],
    ['missing plugin on 2 nodes', 'volume, network or log driver'],
    ['unsupported platform on 2 nodes', 'platform'],
    ['a reason of tomorrow', 'a reason of tomorrow'],
  ])('%s', (why, words) => {
    expect(look([pending(why)])?.sentence).toContain(words)
  })
})

describe('a service that is on its way', () => {
  test.each([
    ['new', 'allocating'],
    ['preparing', 'pulling'],
    ['starting', 'starting'],
  ])('%s', (state, kind) => {
    const fresh = task(state, '', { CreatedAt: new Date(NOW - 1000).toISOString() })
    expect(look([fresh])).toMatchObject({ kind, hopeless: 'no' })
  })

  test('no address for a while: the networks may be full', () => {
    const diagnosis = look([task('new', '', { CreatedAt: new Date(NOW - 20_000).toISOString() })])
    expect(diagnosis).toMatchObject({ kind: 'allocating', hopeless: 'if-it-stays' })
    expect(diagnosis?.advice).toContain('subnet')
  })

  test('held back: what for', () => {
    const after = [{ service: 'shop_db', condition: 'service_healthy', required: true }]
    const waiting = service({
      Labels: {
        'com.docker.stack.namespace': 'shop',
        'muster.after': JSON.stringify(after),
        'muster.replicas': '2',
      },
      Mode: { Replicated: { Replicas: 0 } },
    })
    expect(look([], waiting)).toMatchObject({
      kind: 'held',
      sentence: 'web waits for db (to be healthy).',
    })
  })

  test('nothing is wrong with what runs, nor with what is scaled to nothing', () => {
    expect(look([task('running')])).toBeUndefined()
    expect(look([], service({ Mode: { Replicated: { Replicas: 0 } } }))).toBeUndefined()
  })
})
