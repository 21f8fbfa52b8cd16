/**
 * The gate on real engines, with the smallest clustered software there is. The test is the leader: it
 * writes ledgers, stale ones too, and sees who starts on what.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectAgent } from '../src/agent/index.ts'
import { AGENT_SOCKET, LABEL, VOLUMES_DIR, until } from '../src/base/index.ts'
import {
  type Grant,
  type Ledger,
  type LedgerMember,
  type MemberReport,
  newLedger,
} from '../src/catalog/index.ts'
import { type Engine, connectEngine } from '../src/engine/index.ts'
import { ensureImages, type Lab, labUp } from '../src/lab/index.ts'
import { readStoredLedgers, writeLedger } from '../src/members/ledger-store.ts'
import { memberSpec } from '../src/members/member-spec.ts'
import { copycat } from './members/copycat.ts'

const root = new URL('..', import.meta.url).pathname
const IMAGE = 'registry:5000/hello/app:1'
const CLUSTER = 'shop_db'
const UID = 'ledgeruid1'
/** The leader of this one knows no such recipe, and leaves it alone. */
const MANAGER = 'host-1'
const WORKERS = ['host-2', 'host-3']

let lab: Lab
let engine: Engine
const hostIds = new Map<string, string>()
const idOf = (host: string): string => hostIds.get(host) ?? ''

const ok = async (host: string, argv: string[]): Promise<string> => {
  const { stdout, stderr, exitCode } = await lab.exec(host, argv, { timeoutMs: 120_000 })
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}${stdout}`)
  return stdout.trim()
}
const startAgent = async (host: string): Promise<void> => {
  const command =
    host === MANAGER ? 'muster agent' : `${root}node_modules/.bin/node ${root}test/members/agent.ts`
  await ok(host, [
    'sh',
    '-c',
    `setsid ${command} >>/var/log/muster/agent.log 2>&1 </dev/null & echo $! > /run/agent.pid`,
  ])
  await until('the agent to answer', () => answers(host), { timeoutMs: 60_000 })
}
const killAgent = (host: string) => ok(host, ['sh', '-c', 'kill -9 $(cat /run/agent.pid)'])
const answers = async (host: string): Promise<boolean> => {
  try {
    await connectAgent(lab.hostPath(host, AGENT_SOCKET)).status()
    return true
  } catch {
    return false
  }
}

/** A member as the manager has heard of it. */
const report = async (member: string, host: string): Promise<MemberReport | undefined> => {
  const catalog = await connectAgent(lab.hostPath(MANAGER, AGENT_SOCKET)).catalog()
  const found = catalog.members.get(`${idOf(host)}.${member}`)
  return catalog.hosts.get(idOf(host))?.state === 'alive' ? found : undefined
}
const reported = (
  what: string,
  [member, host]: readonly [string, string],
  test: (report: MemberReport) => boolean,
): Promise<MemberReport> =>
  until(
    `${member}: ${what}`,
    async () => {
      const found = await report(member, host)
      return found && test(found) ? found : undefined
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  ).catch(async (error: unknown) => {
    const seen = JSON.stringify(await report(member, host))
    const log = await readFile(lab.hostPath(host, '/var/log/muster/agent.log'), 'utf8')
    throw new Error(`${String(error)}\n${seen}\n${log.slice(-3000)}`, { cause: error })
  })

const write = async (change: Partial<Ledger>): Promise<Ledger> => {
  const { ledgers } = await readStoredLedgers(engine)
  const before = ledgers.get(CLUSTER)
  const next: Ledger = {
    ...newLedger(CLUSTER, 'copycat', UID),
    ...before?.ledger,
    ...change,
  }
  expect(await writeLedger(engine, next, before)).toBe(true)
  return next
}
const member = (host: string, volume: string | null, more: Partial<LedgerMember> = {}) => ({
  host: idOf(host),
  volume,
  admitted: null,
  discarded: null,
  leaving: false,
  ...more,
})
const grantTo = (id: string, volume: string, epoch: number): Grant => ({
  epoch,
  members: { [id]: volume },
  position: null,
})

let network: string
const createMember = async (id: string, host: string): Promise<void> => {
  const head = {
    Name: CLUSTER,
    Labels: { [LABEL.stack]: 'shop' },
    TaskTemplate: {
      ContainerSpec: { Image: IMAGE },
      Networks: [{ Target: network }],
      RestartPolicy: { Delay: 1e9 },
    },
  }
  const spec = memberSpec(
    head,
    { cluster: CLUSTER, member: id, host: idOf(host), running: true },
    { recipe: copycat, options: {}, secrets: new Map() },
  )
  await engine.createService(spec)
}
const containerOf = (id: string, host: string): Promise<string> =>
  ok(host, ['docker', 'ps', '-q', '--filter', `label=com.docker.swarm.service.name=${id}`])
const increase = async (id: string, host: string): Promise<void> => {
  const ask =
    'use IO::Socket::INET; my $s = IO::Socket::INET->new("127.0.0.1:7000"); print $s "inc\\n"; print <$s>'
  await ok(host, ['docker', 'exec', await containerOf(id, host), 'perl', '-e', ask])
}
const stateOf = async (id: string, host: string): Promise<string> =>
  (await readFile(lab.hostPath(host, `${VOLUMES_DIR}/${id}/data/state`), 'utf8')).trim()

const ONE = ['shop_db-1', 'host-2'] as const
const TWO = ['shop_db-2', 'host-3'] as const

describe('the gate on real engines', () => {
  beforeAll(async () => {
    lab = await labUp({ name: 'keeper-test', hosts: 3, agent: false })
    await ensureImages(lab, [{ name: 'hello/app:1', context: `${root}examples/hello/app` }])
    for (const host of lab.hosts) await startAgent(host)
    await ok(MANAGER, ['muster', 'init', '--advertise-addr', lab.address(MANAGER)])
    const tokens = JSON.parse(await ok(MANAGER, ['muster', 'token', '--format', 'json'])) as {
      worker: string
      address: string
    }
    for (const host of WORKERS) {
      await ok(host, ['muster', 'join', tokens.address, '--token', tokens.worker])
    }
    engine = connectEngine({ host: lab.dockerHost(MANAGER) })
    for (const { ID, Description } of await engine.listNodes()) {
      hostIds.set(Description?.Hostname ?? '', ID)
    }
    await engine.createService({
      Name: CLUSTER,
      Labels: {
        [LABEL.recipe]: JSON.stringify({ name: 'copycat', options: {}, ports: [] }),
        [LABEL.members]: '2',
      },
      Mode: { Replicated: { Replicas: 0 } },
      TaskTemplate: { ContainerSpec: { Image: IMAGE } },
    })
    network = (
      await engine.createNetwork({ Name: 'shop_default', Driver: 'overlay', Attachable: true })
    ).Id
  })
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]()
    await lab?.down()
  })

  let first: MemberReport

  it('lets nobody start before there is a decision, also when its agent dies meanwhile', async () => {
    await createMember(...ONE)
    first = await reported('waits at the gate', ONE, ({ process }) => process === 'gate')
    expect(first).toMatchObject({ data: 'unknown', ready: false, founded: 0 })
    await write({ members: { [ONE[0]]: member(ONE[1], null) }, next: 2 })
    first = await reported(
      'is looked at',
      ONE,
      ({ data, process }) => data === 'empty' && process === 'gate',
    )
    await killAgent(ONE[1])
    await startAgent(ONE[1])
    const again = await reported('waits again', ONE, ({ process }) => process === 'gate')
    expect(again.volume).toBe(first.volume)
    expect(await containerOf(...ONE)).toBe('')
  })

  it('forms once, with the grant of its own folder only', async () => {
    const grant = grantTo(ONE[0], 'another', 1)
    await write({ phase: 'forming', epoch: 1, grant })
    await reported('promises', ONE, ({ epoch }) => epoch === 1)
    expect(await containerOf(...ONE)).toBe('')
    await write({ phase: 'forming', epoch: 2, grant: grantTo(ONE[0], first.volume ?? '', 2) })
    const formed = await reported('is first', ONE, ({ ready }) => ready)
    expect(formed).toMatchObject({ process: 'running', founded: 2, epoch: 2, data: 'good' })
    expect(formed.status).toMatchObject({ role: 'ready', component: 'history-of-shop_db-1-2' })
    await write({
      phase: 'formed',
      grant: null,
      members: { [ONE[0]]: member(ONE[1], first.volume) },
    })
    await increase(...ONE)
    expect(await stateOf(...ONE)).toBe('history-of-shop_db-1-2 1')
  })

  it('lets another join what runs, once it is admitted', async () => {
    const before = await write({})
    const members = { ...before.members, [TWO[0]]: member(TWO[1], null) }
    await write({ members, next: 3 })
    await createMember(...TWO)
    const waits = await reported(
      'waits',
      TWO,
      ({ data, process }) => data === 'empty' && process === 'gate',
    )
    await write({
      members: { ...members, [TWO[0]]: member(TWO[1], null, { admitted: waits.volume }) },
    })
    await reported('has joined', TWO, ({ ready }) => ready)
    expect(await stateOf(...TWO)).toBe('history-of-shop_db-1-2 1')
    await write({ members: { ...members, [TWO[0]]: member(TWO[1], waits.volume) } })
  })

  it('takes endpoints for ready only when their members are', async () => {
    const catalog = await connectAgent(lab.hostPath(MANAGER, AGENT_SOCKET)).catalog()
    expect([...catalog.endpoints.values()].map(({ state }) => state)).toEqual(['ready', 'ready'])
    const pid = await ok(ONE[1], [
      'docker',
      'inspect',
      '-f',
      '{{.State.Pid}}',
      await containerOf(...ONE),
    ])
    await ok(ONE[1], ['kill', '-STOP', pid])
    await reported('is frozen', ONE, ({ ready }) => !ready)
    const frozen = await connectAgent(lab.hostPath(MANAGER, AGENT_SOCKET)).catalog()
    expect([...frozen.endpoints.values()].map(({ state }) => state).sort()).toEqual([
      'ready',
      'starting',
    ])
    await ok(ONE[1], ['kill', '-CONT', pid])
    await reported('is trusted again', ONE, ({ ready }) => ready)
  })

  it('forms nothing a second time, whatever ledger is shown to it', async () => {
    const good = await write({})
    await write({ phase: 'forming', epoch: 2, grant: grantTo(ONE[0], first.volume ?? '', 2) })
    await ok(ONE[1], ['docker', 'kill', await containerOf(...ONE)])
    const stopped = await reported(
      'waits',
      ONE,
      ({ process, recovered }) => process === 'gate' && recovered,
    )
    expect(stopped).toMatchObject({ data: 'good', founded: 2, position: { sequence: '1' } })
    await increase(...TWO)
    expect(await containerOf(...ONE)).toBe('')
    await write(good)
    await reported('is back', ONE, ({ ready }) => ready)
    expect(await stateOf(...ONE)).toBe('history-of-shop_db-1-2 2')
  })

  it('elects the newest after all have died, on what their data say', async () => {
    const good = await write({})
    await write({ phase: 'recovering', epoch: 3, grant: null })
    // What runs stays in the primary component, and so does not stop by itself.
    for (const [id, host] of [ONE, TWO]) {
      await ok(host, ['docker', 'kill', await containerOf(id, host)])
    }
    const seen = await reported('tells', TWO, ({ recovered, epoch }) => recovered && epoch === 3)
    expect(seen.position).toEqual({ history: 'history-of-shop_db-1-2', sequence: '2' })
    const grant = { ...grantTo(TWO[0], seen.volume ?? '', 3), position: seen.position }
    await write({ phase: 'recovering', epoch: 3, grant })
    await reported('is first', TWO, ({ ready, founded }) => ready && founded === 3)
    expect(await containerOf(...ONE)).toBe('')
    await write({ ...good, epoch: 3, phase: 'formed', grant: null })
    await reported('follows', ONE, ({ ready }) => ready)
  })

  it('survives its agent and its engine', async () => {
    await killAgent(TWO[1])
    await startAgent(TWO[1])
    const container = await containerOf(...TWO)
    await reported('still runs', TWO, ({ ready }) => ready)
    expect(await containerOf(...TWO)).toBe(container)
    await ok(TWO[1], ['sh', '-c', 'kill -9 $(cat /var/run/docker.pid)'])
    await reported(
      'runs again',
      TWO,
      (seen) => seen.ready && !seen.container?.startsWith(container),
    )
    expect(await stateOf(...TWO)).toBe('history-of-shop_db-1-2 2')
  })

  it('is another folder when its data are lost, and never a first', async () => {
    const before = await report(...TWO)
    await ok(TWO[1], ['sh', '-c', `rm -rf ${VOLUMES_DIR}/${TWO[0]}/data/*`])
    await ok(TWO[1], ['docker', 'kill', await containerOf(...TWO)])
    const lost = await reported('is lost', TWO, ({ data }) => data === 'empty')
    expect(lost.volume).not.toBe(before?.volume)
    expect(lost.founded).toBe(0)
    const { members } = await write({})
    const entry = { ...member(TWO[1], before?.volume ?? null), admitted: lost.volume }
    await write({ members: { ...members, [TWO[0]]: entry } })
    await reported('is whole again', TWO, ({ ready }) => ready)
    expect(await stateOf(...TWO)).toBe('history-of-shop_db-1-2 2')
    await write({ members: { ...members, [TWO[0]]: member(TWO[1], lost.volume) } })
  })

  it('refuses data of something else, and whoever is not its member', async () => {
    const id = 'shop_db-3'
    const home = `${VOLUMES_DIR}/${id}`
    const options = `-d muster -o cluster=${CLUSTER} -o member=${id} ${id}`.split(' ')
    await ok('host-2', ['docker', 'volume', 'create', ...options])
    await ok('host-2', ['sh', '-c', `echo "of-another 99" > ${home}/data/state`])
    const { members } = await write({})
    await write({ members: { ...members, [id]: member('host-2', null) } })
    await createMember(id, 'host-2')
    const foreign = await reported('is foreign', [id, 'host-2'], ({ data }) => data === 'foreign')
    expect(foreign.process).not.toBe('running')
    await until(
      'the reason in the list of tasks',
      async () =>
        (await ok(MANAGER, ['docker', 'service', 'ps', '--no-trunc', id])).includes(
          'its data are of another cluster',
        ),
      { timeoutMs: 60_000, intervalMs: 500 },
    )
    const stranger = await lab.exec(
      'host-2',
      [
        'docker',
        'run',
        '--rm',
        '--network',
        'none',
        '-v',
        `${ONE[0]}:/data:nocopy`,
        IMAGE,
        'cat',
        '/data/state',
      ],
      { timeoutMs: 60_000 },
    )
    expect(stranger.exitCode, stranger.stdout + stranger.stderr).not.toBe(0)
    expect(stranger.stderr).toContain(`only a task of ${ONE[0]} may have its data`)
    expect((await report(...ONE))?.ready).toBe(true)
  })
})
