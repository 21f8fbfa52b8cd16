/** The loop on the engine's double, with decisions that are simple enough to be followed by eye. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import { type Catalog, emptyCatalog, type Ledger, type MemberId } from '../catalog/index.ts'
import { sampleHost, sampleLedger, sampleMember } from '../catalog/samples.ts'
import { type DoubleSwarm, createDoubleSwarm } from '../engine/double/index.ts'
import type { Engine, ServiceSpec } from '../engine/index.ts'
import { galera } from '../recipes/index.ts'
import type { Action, Decision, Facts } from './facts.ts'
import { MembersLeader } from './leader-loop.ts'
import { readStoredLedgers } from './ledger-store.ts'

let swarm: DoubleSwarm
let problems: string[]
let ran: string[]
let auths: (string | undefined)[]
let catalog: Catalog
let leaders: MembersLeader[]

beforeEach(async () => {
  swarm = await createDoubleSwarm({ hosts: ['m1', 'm2', 'm3'] })
  problems = []
  ran = []
  auths = []
  leaders = []
  const nodes = await swarm.engine('m1').listNodes()
  catalog = {
    ...emptyCatalog('test'),
    hosts: new Map(nodes.map((node) => [node.ID, sampleHost(node.ID)])),
  }
})
afterEach(async () => {
  for (const leader of leaders) await leader[Symbol.asyncDispose]()
  await swarm[Symbol.asyncDispose]()
})

const head = (members: number, over: Partial<ServiceSpec> = {}): ServiceSpec => ({
  Name: 'shop_db',
  Labels: {
    [LABEL.stack]: 'shop',
    [LABEL.recipe]: JSON.stringify({
      name: 'galera',
      options: galera.options({}, new Map()),
      ports: [],
    }),
    [LABEL.members]: String(members),
  },
  TaskTemplate: { ContainerSpec: { Image: 'mariadb:1' } },
  Mode: { Replicated: { Replicas: 0 } },
  ...over,
})

/** Members 1 to n, each on the first host that has none; whoever is too much is stopped and removed. */
const simple = (facts: Facts): Decision => {
  const { ledger, wanted, services, hosts } = facts
  const ids = Object.keys(ledger.members)
  const explain = [`${ids.length} of ${wanted}`]
  const taken = new Set(Object.values(ledger.members).map((each) => each.host))
  const free = hosts.find((each) => each.eligible && !taken.has(each.id))
  if (wanted !== null && ids.length < wanted && free !== undefined) {
    const id = `${ledger.cluster}-${ledger.next}`
    const member = { host: free.id, volume: null, admitted: null, discarded: null, leaving: false }
    const next: Ledger = {
      ...ledger,
      next: ledger.next + 1,
      members: { ...ledger.members, [id]: member },
    }
    return { kind: 'write', ledger: next, before: [], after: [], explain }
  }
  const known = (id: MemberId) => services.find((each) => each.member === id)
  const actions = ids
    .flatMap((id): Action[] => {
      const host = ledger.members[id]?.host ?? ''
      const service = known(id)
      if (service === undefined) return wanted ? [{ do: 'create', member: id, host }] : []
      if (!wanted) return [{ do: service.running ? 'stop' : 'remove', member: id }]
      return service.current || service.updating ? [] : [{ do: 'update', member: id }]
    })
    .slice(0, 1)
  return actions.length > 0 ? { kind: 'act', actions, explain } : { kind: 'wait', explain }
}

/** The engine, with what it is told of registries. */
const watched = (engine: Engine): Engine => ({
  ...engine,
  createService: (spec, options) => {
    auths.push(options?.registryAuth)
    return engine.createService(spec, options)
  },
})

const lead = (host: string, decide = simple): MembersLeader => {
  const leader = new MembersLeader({
    engine: watched(swarm.engine(host)),
    catalog: () => catalog,
    recipe: async ({ name }) => (name === galera.name ? galera : undefined),
    decide,
    registryAuth: async (image) => `for ${image}`,
    firstLedger: (cluster, recipe) => sampleLedger({ cluster, recipe, members: {}, next: 1 }),
    random: (bytes) => Buffer.alloc(bytes, 1),
    run: async ({ container }, { command }) => {
      ran.push(`${container}: ${command.join(' ')}`)
      return { exit: 0, stdout: '', stderr: '' }
    },
    clock: swarm.clock,
    wallClock: () => swarm.clock.wall(),
    onDecision: () => undefined,
    onProblem: (text) => problems.push(text),
  })
  leaders.push(leader)
  return leader
}
const engine = () => swarm.engine('m1')
const members = async () =>
  (await engine().listServices({ label: [LABEL.memberOf] })).sort((a, b) =>
    a.Spec.Name < b.Spec.Name ? -1 : 1,
  )
const ledger = async () => (await readStoredLedgers(engine())).ledgers.get('shop_db')?.ledger
const until = (what: () => Promise<boolean>) =>
  swarm.until(async () => {
    for (const leader of leaders) leader.onServices()
    return what()
  }, 30_000)

test('a head gets its ledger, its secrets and its members, each pinned to a host of its own', async () => {
  await engine().createService(head(3))
  lead('m1')
  await until(async () => (await members()).length === 3)
  const services = await members()
  expect(services.map((each) => each.Spec.Name)).toEqual(['shop_db-1', 'shop_db-2', 'shop_db-3'])
  const hosts = services.map((each) => each.Spec.TaskTemplate?.Placement?.Constraints?.at(-1))
  expect(new Set(hosts).size).toBe(3)
  const container = services[0]?.Spec.TaskTemplate?.ContainerSpec
  expect(container?.Secrets?.map((each) => each.File?.Name)).toEqual(
    galera.secrets.map((each) => each.name),
  )
  expect(container?.Mounts?.map((each) => `${each.Source}:${each.Target}`)).toEqual([
    `shop_db-1:${galera.data}`,
    'shop_db-1.run:/muster',
  ])
  expect(container?.Hostname).toBe('db-1')
  expect(auths.slice(-3)).toEqual(Array(3).fill('for mariadb:1'))
  expect(container).toMatchObject({ Healthcheck: { Test: ['NONE'] } })
  expect(problems).toEqual([])
})

test('two leaders at once make one of everything', async () => {
  await engine().createService(head(3))
  lead('m1')
  lead('m2')
  lead('m3')
  await until(async () => (await members()).length === 3)
  await swarm.advance(5000)
  expect((await members()).length).toBe(3)
  expect((await ledger())?.next).toBe(4)
  expect((await engine().listSecrets()).length).toBe(galera.secrets.length)
  expect(problems).toEqual([])
})

test('a changed head updates its members, one at a time; a new number alone changes none', async () => {
  const { ID } = await engine().createService(head(2))
  lead('m1')
  await until(async () => (await members()).length === 2)
  const change = async (spec: ServiceSpec) => {
    const { Version } = await engine().inspectService(ID)
    await engine().updateService(ID, Version.Index, spec)
  }
  const before = (await members()).map((each) => each.Version.Index)
  await change(head(3))
  await until(async () => (await members()).length === 3)
  expect((await members()).slice(0, 2).map((each) => each.Spec.Labels)).toEqual(
    before.map(() => expect.objectContaining({ [LABEL.cluster]: 'shop_db' })),
  )
  await change(head(3, { TaskTemplate: { ContainerSpec: { Image: 'mariadb:2' } } }))
  await until(async () =>
    (await members()).every((each) => each.Spec.TaskTemplate?.ContainerSpec?.Image === 'mariadb:2'),
  )
  const tasks = await engine().listTasks({ 'desired-state': ['running'] })
  expect(tasks.length).toBe(3)
})

test('without its head the members go, the ledger and the secrets stay', async () => {
  const { ID } = await engine().createService(head(2))
  lead('m1')
  await until(async () => (await members()).length === 2)
  await engine().removeService(ID)
  await until(async () => (await members()).length === 0)
  expect(Object.keys((await ledger())?.members ?? {})).toEqual(['shop_db-1', 'shop_db-2'])
  expect((await engine().listSecrets()).length).toBe(galera.secrets.length)
})

test('a verb runs in the container that its member reports', async () => {
  await engine().createService(head(1))
  let done = false
  lead('m1', (facts) => {
    if (facts.services.length === 0) return simple(facts)
    if (done || facts.sightings.length === 0) return { kind: 'wait', explain: [] }
    done = true
    const member = 'shop_db-1'
    return {
      kind: 'act',
      actions: [{ do: 'verb', verb: 'writable', inside: member, member }],
      explain: [],
    }
  })
  const host = async () => (await ledger())?.members['shop_db-1']?.host
  await until(async () => (await host()) !== undefined)
  const report = sampleMember('shop_db-1', { host: (await host()) ?? '', container: 'c9' })
  catalog = { ...catalog, members: new Map([[`${report.host}.${report.id}`, report]]) }
  await until(async () => ran.length > 0)
  const command = galera.verbs.writable?.(true)
  expect(ran).toEqual(command === undefined ? [] : [`c9: ${command.join(' ')}`])
})

test('an unknown recipe is said, and nothing is done', async () => {
  await engine().createService({
    ...head(3),
    Labels: {
      [LABEL.recipe]: JSON.stringify({ name: 'unheard', options: {}, ports: [] }),
      [LABEL.members]: '3',
    },
  })
  lead('m1')
  await until(async () => problems.length > 0)
  expect(problems[0]).toContain('no recipe unheard')
  expect(await members()).toEqual([])
  expect(await ledger()).toBeUndefined()
})
