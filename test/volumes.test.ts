/** Volumes of the muster driver on real engines: data outlive what happens to everything else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectAgent } from '../src/agent/index.ts'
import { AGENT_SOCKET, until } from '../src/base/index.ts'
import { ensureImages, type ExecResult, formCluster, type Lab, labUp } from '../src/lab/index.ts'

const root = new URL('..', import.meta.url).pathname
const APP = 'registry:5000/hello/app:1'

let lab: Lab

const run = (host: string, argv: string[], input?: string): Promise<ExecResult> =>
  lab.exec(host, argv, { timeoutMs: 170_000, ...(input === undefined ? {} : { input }) })

const ok = async (host: string, argv: string[], input?: string): Promise<string> => {
  const { stdout, stderr, exitCode } = await run(host, argv, input)
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}${stdout}`)
  return stdout.trim()
}

/** A service whose tasks write their own id, once, beside what was there. */
const stack = (name: string, services: object, volumes: object) =>
  JSON.stringify({ name, services, volumes })
const writer = (volume: string, more: object = {}) => ({
  image: APP,
  user: '0',
  entrypoint: ['sh', '-c', 'echo $$SLOT >> /data/starts; exec perl /server.pl'],
  environment: { SLOT: '{{.Task.Slot}}' },
  volumes: [`${volume}:/data`],
  ...more,
})
const up = (compose: string) => ok('host-1', ['muster', 'up', '-f', '-', '--yes'], compose)

/** Lines that tasks have written, read in the container of a service wherever it runs. */
const starts = async (service: string): Promise<string[]> =>
  (await ok('host-1', ['muster', 'exec', '-T', service, 'cat', '/data/starts'])).split('\n')

const pidOf = async (host: string, program: string): Promise<string> => {
  const { stdout } = await run(host, ['ps', 'ax', '-o', 'pid=,args='])
  const line = stdout.split('\n').find((each) => each.includes(program))
  return line?.trim().split(' ')[0] ?? ''
}
const restart = async (host: string, program: string) => {
  const before = await pidOf(host, program)
  await ok(host, ['kill', '-9', before])
  await until(
    `${program} on ${host} to be back`,
    async () => {
      const now = await pidOf(host, program)
      return now !== '' && now !== before
    },
    { timeoutMs: 30_000 },
  )
}
const answers = (host: string) =>
  until(
    `the agent of ${host}`,
    async () => {
      try {
        return (await connectAgent(lab.hostPath(host, AGENT_SOCKET)).status()).waitingFor === null
      } catch {
        return false
      }
    },
    { timeoutMs: 60_000 },
  )

describe('volumes on real engines', () => {
  beforeAll(async () => {
    lab = await labUp({ name: 'volumes-test', hosts: 3 })
    await ensureImages(lab, [
      { name: 'muster/edge:1', context: `${root}images/edge` },
      { name: 'hello/app:1', context: `${root}examples/hello/app` },
    ])
    await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
  })
  afterAll(async () => {
    await lab?.down()
  })

  it('can be used as soon as there is a cluster', async () => {
    const nodes = await ok('host-1', ['docker', 'node', 'ls', '-q'])
    for (const node of nodes.split('\n')) {
      const plugins = await ok('host-1', [
        'docker',
        'node',
        'inspect',
        '-f',
        '{{json .Description.Engine.Plugins}}',
        node,
      ])
      expect(JSON.parse(plugins)).toContainEqual({ Type: 'Volume', Name: 'muster' })
    }
  })

  it('keeps data over updates, restarts of the agent and of Docker', async () => {
    const services = (level: string) => ({
      a: writer('one', {
        environment: { SLOT: 'a', LEVEL: level },
        deploy: { placement: { constraints: ['node.hostname==host-2'] } },
      }),
      b: writer('two', {
        environment: { SLOT: 'b' },
        deploy: { placement: { constraints: ['node.hostname==host-3'] } },
      }),
    })
    const volumes = { one: { driver: 'muster' }, two: { driver: 'muster' } }
    await up(stack('keep', services('1'), volumes))
    expect(await starts('keep_a')).toEqual(['a'])
    expect(await starts('keep_b')).toEqual(['b'])
    await up(stack('keep', services('2'), volumes))
    expect(await starts('keep_a')).toEqual(['a', 'a'])
    await restart('host-2', 'muster.mjs agent')
    await answers('host-2')
    await restart('host-2', 'dockerd --exec-opt')
    await until(
      'the task to be back with its data',
      async () => {
        try {
          return (await starts('keep_a')).length === 3
        } catch {
          return false
        }
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    )
    // Options that change nothing of what the volume is are no reason to refuse it.
    await up(
      stack('keep', services('3'), {
        one: { driver: 'muster', driver_opts: { type: 'local' } },
        two: { driver: 'muster' },
      }),
    )
    expect(await starts('keep_a')).toEqual(['a', 'a', 'a', 'a'])
  })

  it('gives each slot a folder of its own', async () => {
    const compose = (level: string) =>
      stack(
        'slots',
        {
          web: writer('each', {
            environment: { SLOT: '{{.Task.Slot}}', LEVEL: level },
            deploy: { replicas: 3, placement: { constraints: ['node.hostname==host-2'] } },
          }),
        },
        { each: { driver: 'muster', driver_opts: { per: 'slot' } } },
      )
    await up(compose('1'))
    await up(compose('2'))
    for (const slot of ['1', '2', '3']) {
      expect(await starts(`slots_web.${slot}`)).toEqual([slot, slot])
    }
  })

  it('lists the volumes of all hosts, and removes only what nobody has', async () => {
    interface Row {
      name: string
      host: string
      stack: string | null
      size: number
      need: string
      users: string[]
      path: string
    }
    const list = async () =>
      JSON.parse(await ok('host-1', ['muster', 'volume', 'ls', '--format', 'json'])) as Row[]
    const rows = await list()
    expect(rows.map(({ name }) => name)).toEqual([
      'keep_one',
      'keep_two',
      'slots_each.1',
      'slots_each.2',
      'slots_each.3',
    ])
    expect(rows[0]).toMatchObject({
      host: 'host-2',
      stack: 'keep',
      need: 'used',
      users: ['keep_a'],
    })
    expect(rows[0]?.size).toBeGreaterThan(0)
    const refused = await run('host-1', ['muster', 'volume', 'rm', '--yes', '--force', 'keep_one'])
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(1)
    expect(refused.stderr).toContain('keep_one on host-2 is used by keep_a')
    expect(await ok('host-1', ['muster', 'volume', 'prune'])).toContain('nothing to remove')
    await ok('host-1', ['muster', 'down', 'slots', '--yes'])
    await until('the tasks to be gone', async () => (await list())[2]?.need === 'orphan', {
      timeoutMs: 60_000,
    })
    expect(await ok('host-1', ['muster', 'volume', 'ls'])).toMatch(/slots_each\.1 +host-2 .*orphan/)
    expect(await ok('host-1', ['muster', 'volume', 'inspect', 'host-2/slots_each.1'])).toContain(
      rows[2]?.path,
    )
    expect((await run('host-1', ['muster', 'volume', 'prune'])).stderr).toContain('Add --yes')
    await ok('host-1', ['muster', 'volume', 'rm', '--yes', 'slots_each.1'])
    const pruned = await ok('host-1', ['muster', 'volume', 'prune', '--yes'])
    expect(pruned).toContain('removed slots_each.3 on host-2')
    expect((await list()).map(({ name }) => name)).toEqual(['keep_one', 'keep_two'])
    expect((await run('host-2', ['ls', rows[2]?.path ?? ''])).exitCode).not.toBe(0)
    // Docker has forgotten them, too.
    expect(await ok('host-2', ['docker', 'volume', 'ls', '-q'])).not.toContain('slots_each')
  })

  it('says in the list of tasks what is wrong', async () => {
    const tasks = await ok('host-1', [
      'docker',
      'service',
      'create',
      '-d',
      '--name',
      'bad',
      '--mount',
      'type=volume,source=bad,target=/data,volume-driver=muster,volume-opt=size=1g',
      APP,
    ])
    expect(tasks).not.toBe('')
    await until(
      'the reason',
      async () =>
        (await ok('host-1', ['docker', 'service', 'ps', '--no-trunc', 'bad'])).includes(
          'the volume driver muster has no option "size"',
        ),
      { timeoutMs: 30_000 },
    )
    await ok('host-1', ['docker', 'service', 'rm', 'bad'])
  })
})
