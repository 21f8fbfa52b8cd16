/** Whole deployments on the engine's in-memory double. */
import { once } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LABEL, MusterError } from '../base/index.ts'
import type { EndpointState } from '../catalog/index.ts'
import { createDoubleSwarm, type DoubleSwarm } from '../engine/double/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Readiness } from './converge.ts'
import { readCurrent } from './current.ts'
import { deploy, type DeployOptions, type DeployResult, stackFilter } from './deploy.ts'
import { removeStack, stackObjects } from './down.ts'
import { collectEvidence } from './evidence.ts'
import { stackFrom } from './fixtures.ts'
import { plan, type Plan } from './plan.ts'
import { deployedRevision, previousRevision } from './revisions.ts'
import { settle } from './settle.ts'
import { toDesired } from './specs.ts'

/** A cluster of three and a way to deploy to it. */
class Bench implements AsyncDisposable {
  readonly swarm: DoubleSwarm
  readonly engine: Engine
  readonly seen: string[] = []

  private constructor(swarm: DoubleSwarm) {
    this.swarm = swarm
    this.engine = swarm.engine('host-1')
  }

  static async start(): Promise<Bench> {
    return new Bench(await createDoubleSwarm({ hosts: ['host-1', 'host-2', 'host-3'] }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.swarm[Symbol.asyncDispose]()
  }

  /** Lets the double's time pass until a promise is settled. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    const state = { done: false }
    const watched = promise.finally(() => {
      state.done = true
    })
    // Whoever awaits below hears of it; until then it must not count as unhandled.
    watched.catch(() => undefined)
    for (let spent = 0; !state.done && spent < 600_000; spent += 100) {
      await this.swarm.advance(100)
    }
    return watched
  }

  async planned(yaml: string): Promise<Plan> {
    const stack = await stackFrom(yaml)
    const result = toDesired(stack, { api: '1.41', restartDelayMs: 1000, contents: new Map() })
    if (!('desired' in result)) throw new Error(JSON.stringify(result.problems))
    const current = await readCurrent(this.engine, 'shop')
    const { settled, conflicts } = settle(result.desired, current, new Map())
    if (conflicts.length > 0) throw new Error(JSON.stringify(conflicts))
    return plan(settled, current)
  }

  async apply(wanted: Plan, options: Partial<DeployOptions> = {}): Promise<DeployResult> {
    const current = await readCurrent(this.engine, 'shop')
    return this.drive(
      deploy(wanted, {
        engine: this.engine,
        clock: this.swarm.clock,
        current,
        registryAuth: () => undefined,
        readiness: undefined,
        timeoutMs: 120_000,
        detach: false,
        collectEvidence: (diagnosis) => collectEvidence(this.engine, diagnosis, undefined),
        events: {
          onDone: (operation) => this.seen.push(operation.kind),
          onWarning: (text) => this.seen.push(`warning ${text}`),
          onProgress: () => undefined,
          onRollback: (_, to) => this.seen.push(`back to ${to}`),
        },
        ...options,
      }),
    )
  }

  async up(yaml: string, options: Partial<DeployOptions> = {}): Promise<DeployResult> {
    return this.apply(await this.planned(yaml), options)
  }

  /** Images of the running tasks, by service. */
  async running(): Promise<string[]> {
    const [tasks, services] = await Promise.all([
      this.engine.listTasks(stackFilter('shop')),
      this.engine.listServices(),
    ])
    return tasks
      .filter((task) => task.Status?.State === 'running' && task.DesiredState === 'running')
      .map((task) => {
        const service = services.find((each) => each.ID === task.ServiceID)
        return `${service?.Spec.Name} ${task.Spec?.ContainerSpec?.Image}`
      })
      .sort()
  }

  async states(): Promise<string[]> {
    const { revisions } = await readCurrent(this.engine, 'shop')
    return revisions.map((each) => `${each.number} ${each.state}`)
  }
}

const web = (image: string, more = '') => `services: { web: { image: "${image}"${more} } }`
const CHECK = ', healthcheck: { test: [CMD, check], interval: 1s, retries: 2 }'

describe('a deployment', () => {
  test('serves, and doing it again does nothing', async () => {
    await using bench = await Bench.start()
    const yaml = `
configs: { c: { content: hello } }
networks: { back: { internal: true } }
services:
  web: { image: "web:1", ports: ["80:80"], configs: [c], deploy: { replicas: 3 } }
  db: { image: "db:1", networks: [back], volumes: ["/data:/data"] }
`
    expect(await bench.up(yaml)).toEqual({ outcome: 'serving', revision: 1 })
    expect(await bench.running()).toEqual([
      'shop_db db:1',
      'shop_web web:1',
      'shop_web web:1',
      'shop_web web:1',
    ])
    const again = await bench.planned(yaml)
    expect(again.operations).toEqual([])
    expect(again.unchanged.sort()).toEqual(['db', 'web'])
    expect(await bench.apply(again)).toEqual({ outcome: 'serving', revision: 1 })
    expect(await bench.states()).toEqual(['1 deployed'])
  })

  test('changes what the file changes, removes what it no longer has', async () => {
    await using bench = await Bench.start()
    await bench.up(
      'services: { web: { image: "web:1" }, cron: { image: "cron:1", networks: [n] } }\nnetworks: { n: {} }',
    )
    const next = await bench.planned(
      'services: { web: { image: "web:2" }, mailer: { image: "m:1" } }',
    )
    expect(next.operations.map((each) => each.kind)).toEqual([
      'update-service',
      'create-service',
      'remove-service',
      'remove-network',
    ])
    expect(await bench.apply(next)).toMatchObject({ outcome: 'serving', revision: 2 })
    expect(await bench.running()).toEqual(['shop_mailer m:1', 'shop_web web:2'])
    const networks = await bench.engine.listNetworks(stackFilter('shop'))
    expect(networks.map((each) => each.Name)).toEqual(['shop_default'])
  })

  test('what was changed by hand shows up and is put right', async () => {
    await using bench = await Bench.start()
    await bench.up(web('web:1'))
    const [service] = await bench.engine.listServices()
    if (service === undefined) throw new Error('no service')
    await bench.engine.updateService(service.ID, service.Version.Index, {
      ...service.Spec,
      Mode: { Replicated: { Replicas: 3 } },
    })
    await bench.swarm.advance(5000)
    const drift = await bench.planned(web('web:1'))
    expect(drift.operations).toMatchObject([{ changes: ['deploy.replicas 3 -> 1'], restarts: 0 }])
    await bench.apply(drift)
    expect(await bench.running()).toHaveLength(1)
  })

  test('new content of a config is a new object, the old one goes', async () => {
    await using bench = await Bench.start()
    const yaml = (content: string) =>
      `configs: { c: { content: ${content} } }\nservices: { web: { image: w, configs: [c] } }`
    await bench.up(yaml('a'))
    for (let i = 0; i < 12; i++) await bench.up(yaml(`b${i}`))
    const configs = await bench.engine.listConfigs(stackFilter('shop'))
    const revisions = configs.filter((each) => each.Spec.Labels?.[LABEL.revision] !== undefined)
    expect(revisions).toHaveLength(10)
    expect(configs.length - revisions.length).toBe(10)
    expect((await bench.states()).at(-1)).toBe('13 deployed')
  })

  test('without waiting it is on its way, and the next one finishes it', async () => {
    await using bench = await Bench.start()
    expect(await bench.up(web('w'), { detach: true })).toEqual({ outcome: 'detached', revision: 1 })
    expect(await bench.states()).toEqual(['1 deploying'])
    expect(await bench.up(web('w'))).toEqual({ outcome: 'serving', revision: 1 })
    expect(await bench.states()).toEqual(['1 deployed'])
  })

  test('stopping to wait changes nothing', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('slow:latest', { pullMs: 60_000 })
    const stop = new AbortController()
    const going = bench.apply(await bench.planned(web('slow')), { signal: stop.signal })
    await bench.swarm.advance(5000)
    stop.abort()
    expect(await bench.drive(going)).toEqual({ outcome: 'interrupted', revision: 1 })
    expect(await bench.engine.listServices()).toHaveLength(1)
  })
})

describe('a task that runs, for Swarm', () => {
  /** Agents that say one thing of every running task; undefined: none of them knows it. */
  const agentsSay = (bench: Bench, state: () => EndpointState | undefined) => {
    const states = new Map<string, EndpointState>()
    const engine = Object.create(bench.engine) as Engine
    engine.listTasks = async (filters) => {
      const tasks = await bench.engine.listTasks(filters)
      const said = state()
      states.clear()
      for (const { ID, Status } of tasks) {
        if (Status?.State === 'running' && said !== undefined) states.set(ID, said)
      }
      return tasks
    }
    const readiness: Readiness = {
      tasks: () => states,
      reports: async () => undefined,
      changed: async (signal) => void (await once(signal, 'abort')),
    }
    return { engine, readiness, timeoutMs: 60_000 }
  }
  const HOOK = ', post_start: [{ command: [warm-up] }]'

  test('does not serve before its agent says so, however long that takes', async () => {
    await using bench = await Bench.start()
    const { clock } = bench.swarm
    const said = (): EndpointState => (clock.now() - started < 30_000 ? 'starting' : 'ready')
    const started = clock.now()
    const result = await bench.up(web('w', HOOK), agentsSay(bench, said))
    expect(result.outcome).toBe('serving')
    expect(clock.now() - started).toBeGreaterThan(30_000)
  })

  test('serves after a while though its agent is silent', async () => {
    await using bench = await Bench.start()
    const result = await bench.up(
      web('w'),
      agentsSay(bench, () => undefined),
    )
    expect(result.outcome).toBe('serving')
  })

  test('does not while nobody has run what is to run in it', async () => {
    await using bench = await Bench.start()
    const result = await bench.up(
      web('w', HOOK),
      agentsSay(bench, () => undefined),
    )
    expect(result.outcome).toBe('failed')
  })
})

describe('a deployment that fails', () => {
  test('takes the whole stack back, not only the service', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('bad:1', { missing: true })
    const both = (image: string, extra = '') =>
      `services: { web: { image: "${image}" }, app: { image: "app:${extra || 1}" } }`
    await bench.up(both('web:1'))
    const result = await bench.up(both('bad:1', '2'))
    expect(result).toMatchObject({
      outcome: 'failed',
      revision: 2,
      rollback: { kind: 'done', to: 1 },
      failure: { diagnosis: { kind: 'image' } },
    })
    expect(await bench.running()).toEqual(['shop_app app:1', 'shop_web web:1'])
    expect(await bench.states()).toEqual(['1 deployed', '2 failed'])
    expect((await bench.planned(both('web:1'))).operations).toEqual([])
  })

  test('the first one stays to be looked at', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('bad:1', { missing: true })
    const result = await bench.up(web('bad:1'))
    expect(result).toMatchObject({ outcome: 'failed', rollback: { kind: 'none', why: 'first' } })
    expect(await bench.engine.listServices()).toHaveLength(1)
  })

  test('a container that exits: with its last lines', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('crash:latest', { exit: { afterMs: 50, code: 3, log: ['no database'] } })
    const result = await bench.up(web('crash'))
    if (result.outcome !== 'failed') throw new Error(result.outcome)
    const { diagnosis, sentence, evidence } = result.failure
    expect(diagnosis?.kind).toBe('exit')
    expect(sentence).toContain('status 3')
    expect(evidence.join('\n')).toContain('no database')
  })

  test('a container that crashes until what it needs is there is waited for', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('impatient:latest', ({ start }) =>
      start <= 5 ? { exit: { afterMs: 50, code: 1 } } : {},
    )
    bench.swarm.behave('slow:latest', { pullMs: 9000 })
    expect(
      await bench.up('services: { app: { image: impatient }, db: { image: slow } }'),
    ).toMatchObject({ outcome: 'serving' })
  })

  test('a health check that never passes', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('sick:latest', { health: () => false })
    const result = await bench.up(web('sick', CHECK))
    expect(result).toMatchObject({
      outcome: 'failed',
      failure: { diagnosis: { kind: 'unhealthy' } },
    })
  })

  test('an update whose new task is unhealthy', async () => {
    await using bench = await Bench.start()
    await bench.up(web('web:1', `${CHECK}, deploy: { replicas: 3 }`))
    bench.swarm.behave('web:2', { health: () => false })
    const result = await bench.up(web('web:2', `${CHECK}, deploy: { replicas: 3 }`))
    expect(result).toMatchObject({ outcome: 'failed', rollback: { kind: 'done', to: 1 } })
    expect(await bench.running()).toEqual(Array.from({ length: 3 }, () => 'shop_web web:1'))
  })

  test('an update that the user wants to stay as it is when it fails', async () => {
    await using bench = await Bench.start()
    const keep = ', deploy: { update_config: { failure_action: pause } }'
    await bench.up(web('web:1', keep))
    bench.swarm.behave('web:2', { exit: { afterMs: 20, code: 1 } })
    expect(await bench.up(web('web:2', keep))).toMatchObject({
      outcome: 'failed',
      rollback: { kind: 'none', why: 'kept' },
    })
  })

  test('no host meets the constraint, none has the memory', async () => {
    await using bench = await Bench.start()
    const nowhere = await bench.up(
      web('w', ', deploy: { placement: { constraints: ["node.labels.disk == ssd"] } }'),
    )
    expect(nowhere).toMatchObject({
      outcome: 'failed',
      failure: { diagnosis: { kind: 'no-host' } },
    })
    if (nowhere.outcome === 'failed')
      expect(nowhere.failure.sentence).toContain('node.labels.disk == ssd')
    const huge = await bench.up(
      web('w', ', deploy: { resources: { reservations: { memory: 999G } } }'),
    )
    if (huge.outcome !== 'failed') throw new Error(huge.outcome)
    expect(huge.failure.sentence).toContain('reserves 999 GiB')
  })

  test('the time limit says what was waited for', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('slow:latest', { pullMs: 600_000 })
    const result = await bench.up(web('slow'), { timeoutMs: 20_000 })
    if (result.outcome !== 'failed') throw new Error(result.outcome)
    expect(result.failure.sentence).toMatch(
      /Waited 20 s for shop_web\. web\.1 pulls its image on host-/,
    )
  })

  test('nothing was changed and it does not serve: that is said, nothing is rolled back', async () => {
    await using bench = await Bench.start()
    await bench.up(web('w', CHECK))
    bench.swarm.behave('w:latest', { exit: { afterMs: 50, code: 1 } })
    const [task] = await bench.engine.listTasks()
    if (task === undefined) throw new Error('no task')
    bench.swarm.killContainer(task.ID)
    await bench.swarm.advance(3000)
    expect(await bench.up(web('w', CHECK))).toMatchObject({
      outcome: 'failed',
      rollback: { kind: 'none', why: 'nothing-changed' },
    })
    expect(await bench.states()).toEqual(['1 deployed'])
  })
})

describe('somebody else at the same time', () => {
  const relabel = async (bench: Bench, change: (spec: object) => object) => {
    const [service] = await bench.engine.listServices()
    if (service === undefined) throw new Error('no service')
    await bench.engine.updateService(service.ID, service.Version.Index, change(service.Spec))
  }

  test('a newer version of the same spec is no conflict', async () => {
    await using bench = await Bench.start()
    await bench.up(web('web:1'))
    const wanted = await bench.planned(web('web:2'))
    await relabel(bench, (spec) => spec)
    expect(await bench.apply(wanted)).toMatchObject({ outcome: 'serving' })
  })

  test('another spec is, and it is left alone', async () => {
    await using bench = await Bench.start()
    await bench.up(web('web:1'))
    const wanted = await bench.planned(web('web:2'))
    await relabel(bench, (spec) => ({ ...spec, Mode: { Replicated: { Replicas: 5 } } }))
    await expect(bench.apply(wanted)).rejects.toMatchObject({ code: 'CONFLICT' })
    const [service] = await bench.engine.listServices()
    expect(service?.Spec.Mode?.Replicated?.Replicas).toBe(5)
  })

  test('two deployments of one stack: the second one stops', async () => {
    await using bench = await Bench.start()
    const first = await bench.planned(web('web:1'))
    const second = await bench.planned(web('web:2'))
    await bench.apply(first)
    await expect(bench.apply(second)).rejects.toThrow(MusterError)
  })
})

describe('going back', () => {
  test('the revision before is deployed again, and can be left again', async () => {
    await using bench = await Bench.start()
    await bench.up(web('web:1', ', environment: { A: "1" }'))
    await bench.up(web('web:2'))
    await bench.up(web('web:3'))
    const current = await readCurrent(bench.engine, 'shop')
    const previous = previousRevision(current.revisions)
    if (previous === undefined) throw new Error('no revision to go back to')
    const result = await bench.apply(plan(previous.settled, current), { again: previous })
    expect(result).toEqual({ outcome: 'serving', revision: 2 })
    expect(await bench.running()).toEqual(['shop_web web:2'])
    expect(await bench.states()).toEqual(['1 deployed', '2 deployed', '3 undone'])
    const now = await readCurrent(bench.engine, 'shop')
    expect(deployedRevision(now.revisions)?.number).toBe(2)
    expect(previousRevision(now.revisions)?.number).toBe(1)
    expect((await bench.planned(web('web:2'))).operations).toEqual([])
    expect(await bench.up(web('web:4'))).toEqual({ outcome: 'serving', revision: 4 })
  })
})

describe('services that wait for others', () => {
  const YAML = (version: number) => `
services:
  web: { image: "web:${version}", depends_on: { migrate: { condition: service_completed_successfully } } }
  migrate: { image: "migrate:${version}" }
`
  /** What the leader does when the dependency holds. */
  const release = async (bench: Bench) => {
    const services = await bench.engine.listServices()
    const held = services.find((each) => each.Spec.Labels?.[LABEL.after] !== undefined)
    if (held === undefined) return
    const { [LABEL.after]: _, [LABEL.replicas]: replicas, ...labels } = held.Spec.Labels ?? {}
    await bench.engine.updateService(held.ID, held.Version.Index, {
      ...held.Spec,
      Labels: labels,
      Mode: { Replicated: { Replicas: Number(replicas) } },
    })
  }

  test('are created without tasks, and are as the file says all the same', async () => {
    await using bench = await Bench.start()
    for (const version of [1, 2]) {
      bench.swarm.behave(`migrate:${version}`, { exit: { afterMs: 2000, code: 0 } })
    }
    const going = bench.apply(await bench.planned(YAML(1)))
    await bench.swarm.advance(1000)
    expect(await bench.running()).not.toContain('shop_web web:1')
    expect((await bench.planned(YAML(1))).operations).toEqual([])
    await bench.swarm.advance(4000)
    await release(bench)
    expect(await bench.drive(going)).toMatchObject({ outcome: 'serving' })
    expect(await bench.running()).toEqual(['shop_web web:1'])

    // An update of both: the running web goes on until the new migration is done.
    const wanted = await bench.planned(YAML(2))
    expect(wanted.operations).toMatchObject([
      { kind: 'update-service', wave: 1 },
      { kind: 'update-service', wave: 0, effect: 'runs again' },
    ])
    const updating = bench.apply(wanted)
    await bench.swarm.advance(1500)
    expect(await bench.running()).toContain('shop_web web:1')
    expect(await bench.drive(updating)).toMatchObject({ outcome: 'serving' })
    expect(await bench.running()).toEqual(['shop_web web:2'])
  })

  test('restart with a dependency that says so', async () => {
    await using bench = await Bench.start()
    const yaml = (db: string) =>
      `services: { web: { image: w, depends_on: { db: { condition: service_started, restart: true } } }, db: { image: "db:${db}" } }`
    const going = bench.apply(await bench.planned(yaml('1')))
    await bench.swarm.advance(3000)
    await release(bench)
    await bench.drive(going)
    const before = await bench.engine.listTasks({ service: ['shop_web'] })
    const wanted = await bench.planned(yaml('2'))
    expect(wanted.operations).toMatchObject([
      { kind: 'update-service', changes: ['restarts because shop_db changes'], restarts: 1 },
      { kind: 'update-service', changes: ['image db:1 -> db:2'] },
    ])
    expect(await bench.apply(wanted)).toMatchObject({ outcome: 'serving' })
    const after = await bench.engine.listTasks({
      service: ['shop_web'],
      'desired-state': ['running'],
    })
    expect(after.map((each) => each.ID)).not.toEqual(before.map((each) => each.ID))
    expect((await bench.planned(yaml('2'))).operations).toEqual([])
  })

  test('a migration that fails stops the deployment before the service is touched', async () => {
    await using bench = await Bench.start()
    bench.swarm.behave('migrate:1', { exit: { afterMs: 100, code: 0 } })
    bench.swarm.behave('migrate:2', { exit: { afterMs: 100, code: 1 } })
    const going = bench.apply(await bench.planned(YAML(1)))
    await bench.swarm.advance(4000)
    await release(bench)
    await bench.drive(going)
    const result = await bench.up(YAML(2))
    expect(result).toMatchObject({ outcome: 'failed', failure: { diagnosis: { kind: 'exit' } } })
    expect(await bench.running()).toContain('shop_web web:1')
  })
})

test('down leaves nothing but volumes', async () => {
  await using bench = await Bench.start()
  await bench.up(
    'configs: { c: { content: a } }\nvolumes: { data: {} }\nservices: { web: { image: w, configs: [c], volumes: ["data:/d"] } }',
  )
  const objects = await stackObjects(bench.engine, 'shop')
  expect(objects.volumes).toEqual(['shop_data'])
  await bench.drive(
    removeStack(bench.engine, objects, {
      clock: bench.swarm.clock,
      timeoutMs: 60_000,
      onProgress: () => undefined,
    }),
  )
  expect(await bench.engine.listServices()).toEqual([])
  expect(await bench.engine.listConfigs()).toEqual([])
  expect(await bench.engine.listNetworks(stackFilter('shop'))).toEqual([])
  await expect(stackObjects(bench.engine, 'shop')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('whatever one file says and the next one changes: afterwards there is nothing to do', async () => {
  const service = fc.record({
    image: fc.constantFrom('a:1', 'a:2', 'b:1'),
    replicas: fc.constantFrom(0, 1, 2),
    global: fc.boolean(),
    variable: fc.constantFrom('', 'x'),
    port: fc.constantFrom(undefined, '80:1', '53:53/udp'),
    config: fc.constantFrom(undefined, 'one', 'two'),
    network: fc.constantFrom('default', 'back'),
  })
  const file = fc.dictionary(fc.constantFrom('web', 'app', 'db'), service, { minKeys: 1 })
  const toYaml = (
    services: Record<string, typeof service extends fc.Arbitrary<infer T> ? T : never>,
  ) =>
    JSON.stringify({
      networks: { back: {} },
      configs: { one: { content: '1' }, two: { content: '2' } },
      services: Object.fromEntries(
        Object.entries(services).map(([name, each], i) => [
          name,
          {
            image: each.image,
            environment: { V: each.variable },
            networks: [each.network],
            // One port cannot be had twice.
            ...(each.port === undefined || i > 0 ? {} : { ports: [each.port] }),
            ...(each.config === undefined ? {} : { configs: [each.config] }),
            deploy: each.global ? { mode: 'global' } : { replicas: each.replicas },
          },
        ]),
      ),
    })
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 2, maxLength: 3 }), async (files) => {
      await using bench = await Bench.start()
      for (const each of files) {
        const yaml = toYaml(each)
        const result = await bench.up(yaml)
        expect(result.outcome).toBe('serving')
        expect((await bench.planned(yaml)).operations).toEqual([])
      }
    }),
    { numRuns: 15 },
  )
}, 60_000)
