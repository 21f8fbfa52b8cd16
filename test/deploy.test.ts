/** The deploy commands on real engines: three hosts, agents and all, as a user runs them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { ensureImages, type ExecResult, formCluster, type Lab, labUp } from '../src/lab/index.ts'

const root = new URL('..', import.meta.url).pathname
const APP = 'registry:5000/hello/app:1'

let lab: Lab

const muster = (args: string[], compose?: string, host = 'host-1'): Promise<ExecResult> =>
  lab.exec(host, ['muster', ...args], {
    timeoutMs: 170_000,
    ...(compose === undefined ? {} : { input: compose }),
  })

const up = (compose: string, ...args: string[]) => muster(['up', '-f', '-', ...args], compose)

const docker = async (...args: string[]): Promise<string[]> => {
  const { stdout, stderr, exitCode } = await lab.exec('host-1', ['docker', ...args])
  if (exitCode !== 0) throw new Error(stderr)
  return stdout.split('\n').filter((line) => line !== '')
}

const json = async <T>(...args: string[]): Promise<T> => {
  const { stdout, stderr, exitCode } = await muster([...args, '--format', 'json'])
  if (exitCode !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as T
}

const taskIds = async (service: string) =>
  (
    await docker(
      'service',
      'ps',
      '--quiet',
      '--no-trunc',
      '--filter',
      'desired-state=running',
      service,
    )
  ).sort()

/** A Compose file with one service `web`. */
const web = (stack: string, more: object = {}) =>
  JSON.stringify({ name: stack, services: { web: { image: APP, ...more } } })

const CHECK = { test: ['CMD', 'perl', '/server.pl', '--check'], interval: '1s', retries: 5 }

beforeAll(async () => {
  lab = await labUp({ name: 'deploy-test', hosts: 3 })
  await ensureImages(lab, [
    { name: 'muster/edge:1', context: `${root}images/edge` },
    { name: 'hello/app:1', context: `${root}examples/hello/app` },
  ])
  await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
})

afterAll(async () => {
  await lab?.down()
})

describe('up', () => {
  const shop = (level: string, image = APP) =>
    JSON.stringify({
      name: 'shop',
      services: {
        web: {
          image,
          environment: { NAME: 'web.{{.Task.Slot}}', LEVEL: level },
          ports: ['8080:8080'],
          healthcheck: CHECK,
          configs: ['settings'],
          deploy: { replicas: 2, update_config: { monitor: '1s' } },
        },
        db: { image: APP, environment: { LEVEL: level }, volumes: ['data:/data'] },
      },
      configs: { settings: { content: `level ${level}` } },
      volumes: { data: {} },
    })

  it('deploys and waits until everything serves', async () => {
    const { stdout, stderr, exitCode } = await up(shop('info'))
    expect(stderr).toBe('')
    expect(stdout).toContain('stack shop (revision 1), 2 services')
    expect(stdout).toContain('Serving on every host: tcp :8080.')
    expect(exitCode, stdout + stderr).toBe(0)
    for (const host of lab.hosts) {
      const response = await fetch(`http://${lab.address(host)}:8080/hello/test`)
      expect(await response.text()).toMatch(/^Hello test, I'm web\.[12] !\n$/)
    }
    const rows = await json<{ service: string; serving: number; note: string }[]>('ps', 'shop')
    expect(rows.map((row) => [row.service, row.serving, row.note])).toEqual([
      ['shop_db', 1, ''],
      ['shop_web', 2, ''],
    ])
  })

  it('does nothing the second time', async () => {
    const before = [...(await taskIds('shop_web')), ...(await taskIds('shop_db'))]
    const { stdout, exitCode } = await up(shop('info'))
    expect(stdout).toContain('nothing to do')
    expect(exitCode, stdout).toBe(0)
    expect([...(await taskIds('shop_web')), ...(await taskIds('shop_db'))]).toEqual(before)
  })

  it('plans what it does, and does what it plans', async () => {
    const planned = await muster(['plan', '-f', '-'], shop('debug'))
    expect(planned.stdout).toContain('~ config settings')
    expect(planned.stdout).toMatch(/~ web +environment LEVEL info -> debug +rolling, 1 at a time/)
    const before = await taskIds('shop_web')
    const { stdout, exitCode } = await up(shop('debug'))
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toContain('3 tasks restart')
    const after = await taskIds('shop_web')
    expect(after.filter((id) => before.includes(id))).toEqual([])
    expect((await muster(['plan', '-f', '-'], shop('debug'))).stdout).toContain('nothing to do')
  })

  it('takes the whole stack back when one service fails', async () => {
    const before = await taskIds('shop_web')
    const { stdout, exitCode } = await up(shop('trace', 'registry:5000/hello/app:missing'))
    expect(exitCode, stdout).toBe(1)
    expect(stdout).toContain('revision 3 failed, rolled back to revision 2')
    expect(stdout).toContain('there is no image registry:5000/hello/app:missing')
    const env = await docker(
      'service',
      'inspect',
      '--format',
      '{{.Spec.TaskTemplate.ContainerSpec.Env}}',
      'shop_db',
    )
    expect(env).toEqual(['[LEVEL=debug]'])
    expect((await taskIds('shop_web')).filter((id) => before.includes(id))).not.toEqual([])
    expect((await muster(['plan', '-f', '-'], shop('debug'))).stdout).toContain('nothing to do')
  })

  it('goes back to the revision before when asked to', async () => {
    const { stdout, exitCode } = await muster(['rollback', 'shop', '--yes'])
    expect(stdout).toContain('revision 2 -> 1')
    expect(exitCode, stdout).toBe(0)
    expect((await muster(['plan', '-f', '-'], shop('info'))).stdout).toContain('nothing to do')
    const [row] = await json<{ stack: string; revision: number }[]>('ls')
    expect(row).toMatchObject({ stack: 'shop', revision: 1 })
  })

  it('does not wait when told not to', async () => {
    const started = performance.now()
    const { stdout, exitCode } = await up(web('later', { command: ['sleep', '600'] }), '--detach')
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toContain('on its way')
    expect(performance.now() - started).toBeLessThan(20_000)
    expect((await muster(['down', 'later', '--yes'])).exitCode).toBe(0)
  })

  it('down leaves nothing but volumes', async () => {
    const { stdout, exitCode } = await muster(['down', 'shop', '--yes'])
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toContain('volumes are kept on their hosts: shop_data')
    const filter = ['--filter', 'label=com.docker.stack.namespace=shop', '--quiet']
    for (const kind of ['service', 'network', 'config', 'secret']) {
      expect(await docker(kind, 'ls', ...filter)).toEqual([])
    }
    for (const host of lab.hosts) {
      // Swarm takes the containers away a moment after their tasks.
      await until(
        `no container of shop on ${host}`,
        async () => (await lab.exec(host, ['docker', 'ps', '--all', ...filter])).stdout === '',
        { timeoutMs: 15_000, intervalMs: 500 },
      )
    }
  })
})

describe('what can be wrong with a deployment is said', () => {
  const failing = async (stack: string, more: object, ...args: string[]) => {
    const result = await up(web(stack, more), ...args)
    const why = await muster(['why', `${stack}_web`])
    await muster(['down', stack, '--yes'])
    expect(result.exitCode, result.stdout + result.stderr).toBe(1)
    return { ...result, why: why.stdout }
  }

  it('a container that exits: with its last lines', async () => {
    const { stdout, why } = await failing('crash', {
      command: ['sh', '-c', 'echo "relation carts does not exist" >&2; exit 3'],
    })
    expect(stdout).toMatch(/web\.1 on host-\d exits with status 3/)
    expect(stdout).toContain('| relation carts does not exist')
    expect(stdout).toContain('muster down crash')
    expect(why).toContain('exits with status 3')
  })

  it('a health check that fails: with what it says', async () => {
    const { stdout } = await failing('sick', {
      healthcheck: {
        test: ['CMD-SHELL', 'echo GET /health answered 500; exit 1'],
        interval: '2s',
        retries: 5,
      },
    })
    expect(stdout).toMatch(/web\.1 on host-\d never became healthy/)
    expect(stdout).toContain('| GET /health answered 500')
  })

  it('no host fits: with what is missing', async () => {
    const { stdout, why } = await failing('huge', {
      deploy: { resources: { reservations: { memory: '900G' } } },
    })
    expect(stdout).toMatch(
      /it reserves 900 GiB and the most that is free is [\d.]+ GiB, on host-\d/,
    )
    expect(why).toContain('join a host')
    const constrained = await failing('picky', {
      deploy: { placement: { constraints: ['node.labels.disk == ssd'] } },
    })
    expect(constrained.stdout).toContain('"node.labels.disk == ssd"')
  })

  it('a folder that the host does not have', async () => {
    const { stdout } = await failing('mount', { volumes: ['/no/such/folder:/data'] })
    expect(stdout).toContain('the folder /no/such/folder does not exist there')
  })

  it('the time limit: with what was waited for', async () => {
    const { stdout } = await failing(
      'slow',
      { healthcheck: { test: ['CMD', 'false'], interval: '60s', start_period: '120s' } },
      '--timeout',
      '8',
    )
    expect(stdout).toContain('Waited 8 s for slow_web.')
  })

  it('a published port that another stack has, before anything is changed', async () => {
    await up(web('first', { ports: ['9000:8080'], healthcheck: CHECK }))
    for (const command of ['plan', 'up']) {
      const result = await muster([command, '-f', '-'], web('second', { ports: ['9000:8080'] }))
      expect(result.exitCode, result.stdout + result.stderr).toBe(2)
      expect(result.stderr).toMatch(
        /^-:\d+:\d+ services\.web\.ports: port 9000\/tcp: second_web wants it, but first_web has it/,
      )
    }
    expect(await docker('service', 'ls', '--quiet', '--filter', 'name=second')).toEqual([])
    await muster(['down', 'first', '--yes'])
  })

  it('a file that is wrong: with the place, and nothing is changed', async () => {
    const wrong = [
      ['services:\n  web:\n    image: [', /^-:\d+:\d+ /],
      ['services:\n  web:\n    imag: x\n', /-:3:5 .*imag/],
      ['services:\n  web:\n    image: ${NOBODY_SET_THIS:?say which}\n', /-:3:\d+ .*say which/],
      [
        'services:\n  web:\n    image: x\n    privileged: true\n',
        /-:4:\d+ services\.web\.privileged/,
      ],
      [
        'services:\n  web:\n    image: x\n    configs: [c]\nconfigs:\n  c:\n    file: /no/such/file\n',
        /-:7:\d+ configs\.c\.file/,
      ],
    ] as const
    for (const [compose, place] of wrong) {
      const result = await muster(['up', '-n', 'wrong', '-f', '-'], compose)
      expect(result.stderr).toMatch(place)
      expect(result.stderr).toContain('1 error, nothing was changed.')
      expect(result.exitCode, result.stdout + result.stderr).toBe(2)
    }
    expect(await docker('service', 'ls', '--quiet')).toEqual([])
  })
})

describe('services that depend on others', () => {
  const chain = JSON.stringify({
    name: 'chain',
    services: {
      web: {
        image: APP,
        depends_on: {
          db: { condition: 'service_healthy' },
          migrate: { condition: 'service_completed_successfully' },
        },
      },
      migrate: {
        image: APP,
        command: ['sleep', '2'],
        depends_on: { db: { condition: 'service_healthy' } },
      },
      db: { image: APP, healthcheck: CHECK },
    },
  })

  it('start when the conditions hold', async () => {
    const { stdout, exitCode } = await up(chain)
    expect(stdout).toContain('starts after db, migrate')
    expect(exitCode, stdout).toBe(0)
    const when = async (service: string, field: string) => {
      const [id = ''] = await docker('service', 'ps', '--quiet', '--no-trunc', service)
      const [text = ''] = await docker(
        'inspect',
        '--type',
        'task',
        '--format',
        `{{json .${field}}}`,
        id,
      )
      return Date.parse(JSON.parse(text) as string)
    }
    const healthy = await when('chain_db', 'Status.Timestamp')
    const migrated = await when('chain_migrate', 'Status.Timestamp')
    expect(await when('chain_migrate', 'CreatedAt')).toBeGreaterThanOrEqual(healthy)
    expect(await when('chain_web', 'CreatedAt')).toBeGreaterThanOrEqual(migrated)
    const rows = await json<{ name: string; note: string }[]>('ps', 'chain')
    expect(rows.find((row) => row.name === 'migrate')?.note).toBe('completed')
  })

  it('and nothing is held back or run again by a second up', async () => {
    expect((await up(chain)).stdout).toContain('nothing to do')
    await muster(['down', 'chain', '--yes'])
  })
})

describe('a running stack', () => {
  beforeAll(async () => {
    const { exitCode } = await up(
      web('run', {
        environment: { NAME: 'web.{{.Task.Slot}}' },
        healthcheck: CHECK,
        deploy: { replicas: 3, placement: { max_replicas_per_node: 1 } },
      }),
    )
    expect(exitCode).toBe(0)
  })

  it('exec reaches every replica from every manager, and hands its exit status back', async () => {
    for (const host of lab.hosts) {
      for (const slot of [1, 2, 3]) {
        const { stdout, exitCode } = await muster(
          ['exec', `web.${slot}`, 'sh', '-c', 'echo $NAME; exit 7'],
          '',
          host,
        )
        expect([stdout, exitCode]).toEqual([`web.${slot}`, 7])
      }
    }
    const piped = await muster(['exec', '-T', 'run_web.2', 'tr', 'a-z', 'A-Z'], 'through a pipe')
    expect(piped.stdout).toBe('THROUGH A PIPE')
    const nobody = await muster(['exec', 'web.9', 'true'], '')
    expect(nobody.exitCode, nobody.stdout + nobody.stderr).toBe(2)
    expect((await muster(['exec', 'wbe', 'true'], '')).stderr).toContain('Did you mean "web"?')
  })

  it('scale waits until the number is right', async () => {
    const { stdout, exitCode } = await muster(['scale', 'web=2'])
    expect(stdout).toContain('run_web 3 -> 2')
    expect(exitCode, stdout).toBe(0)
    expect(await taskIds('run_web')).toHaveLength(2)
    const drift = await muster(
      ['plan', '-f', '-'],
      web('run', {
        environment: { NAME: 'web.{{.Task.Slot}}' },
        healthcheck: CHECK,
        deploy: { replicas: 3, placement: { max_replicas_per_node: 1 } },
      }),
    )
    expect(drift.stdout).toMatch(/deploy\.replicas 2 -> 3 +no task restarts/)
    expect((await muster(['scale', 'web=3'])).exitCode).toBe(0)
  })

  it('status says how the cluster is', async () => {
    const { stdout, exitCode } = await muster(['status'])
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toMatch(
      /^3 hosts, 3 managers \(quorum survives the loss of 1\), leader host-\d\n/,
    )
    const answer = await json<{ hosts: { host: string; state: string }[] }>('status')
    expect(answer.hosts.map((row) => [row.host, row.state])).toEqual([
      ['host-1', 'ready'],
      ['host-2', 'ready'],
      ['host-3', 'ready'],
    ])
  })

  it('up and status name a host whose edge cannot have a port', async () => {
    const listen = 'IO::Socket::INET->new(LocalPort => 8222, Listen => 1) and sleep 300'
    const perl = `perl -MIO::Socket::INET -e '${listen}' >/dev/null 2>&1 & echo $!`
    const { stdout: squatter } = await lab.exec('host-2', ['sh', '-c', perl])
    const compose = JSON.stringify({
      name: 'taken',
      services: { web: { image: APP, ports: ['8222:8080'] } },
    })
    const reason = 'port 8222 of host-2 is taken by another process'
    const refused = await up(compose)
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(1)
    expect(refused.stderr).toContain(`Everything runs, but ${reason}.`)
    expect((await muster(['status'])).stdout).toContain(`edge: ${reason}`)
    await lab.exec('host-2', ['kill', squatter.trim()])
    await until(
      'the edge of host-2 to have it',
      async () => !(await muster(['status'])).stdout.includes('8222'),
      { timeoutMs: 60_000, intervalMs: 500 },
    )
    const served = await up(compose)
    expect(served.exitCode, served.stderr).toBe(0)
    expect(served.stdout).toContain('Serving on every host: tcp :8222.')
    expect(await (await fetch(`http://${lab.address('host-2')}:8222/hello/x`)).text()).toContain(
      'x',
    )
    await muster(['down', 'taken', '--yes'])
  })

  it('logs shows every replica, and a lost host costs only its own lines', async () => {
    const all = await muster(['logs', 'web'])
    expect(all.exitCode, all.stdout + all.stderr).toBe(0)
    const said = (text: string) => text.split('\n').filter((line) => /listens on 8080/.test(line))
    expect(new Set(said(`${all.stdout}\n${all.stderr}`).map((line) => line.split(' ')[0]))).toEqual(
      new Set(['web.1', 'web.2', 'web.3']),
    )
    const tail = await muster(['logs', '--tail', '1', 'web.2'])
    expect(said(`${tail.stdout}\n${tail.stderr}`)).toHaveLength(1)

    await lab.kill('host-3')
    const rest = await muster(['logs', 'web'])
    expect(rest.exitCode, rest.stdout + rest.stderr).toBe(0)
    expect(said(`${rest.stdout}\n${rest.stderr}`).length).toBeGreaterThanOrEqual(2)
    await lab.start('host-3')
  })
})
