/** Applications as people describe them, on real engines: deployed as they are, and asked what they got. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { ensureImages, type ExecResult, formCluster, type Lab, labUp } from '../src/lab/index.ts'

const root = new URL('..', import.meta.url).pathname
const apps = `${root}test/compose-apps`

let lab: Lab

const muster = (args: string[], env: Record<string, string> = {}): Promise<ExecResult> =>
  lab.exec(
    'host-1',
    ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), 'muster', ...args],
    { timeoutMs: 170_000 },
  )

/** Deploys files of test/compose-apps; what was said, when all of it serves. */
const up = async (
  files: string | string[],
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<string> => {
  const named = [files].flat().flatMap((file) => ['-f', `${apps}/${file}`])
  const { stdout, stderr, exitCode } = await muster(['up', ...named, ...args], env)
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0)
  return stdout
}

/** What a command prints in a container of a service. */
const inside = async (service: string, ...command: string[]): Promise<string> => {
  const { stdout, stderr, exitCode } = await muster(['exec', '-T', service, ...command])
  expect(exitCode, `${service}: ${command.join(' ')}: ${stderr}`).toBe(0)
  return stdout.trim()
}

const variables = async (service: string): Promise<string[]> =>
  (await inside(service, 'env')).split('\n')

/** Whether one service can open a connection to port 8080 of a name. */
const reaches = async (service: string, name: string): Promise<boolean> => {
  const connect = 'exit(IO::Socket::INET->new(PeerAddr => "$ARGV[0]:8080", Timeout => 2) ? 0 : 1)'
  const command = ['perl', '-MIO::Socket::INET', '-e', connect, name]
  return (await muster(['exec', '-T', service, ...command])).exitCode === 0
}

const docker = async (host: string, ...args: string[]): Promise<string> => {
  const { stdout, stderr, exitCode } = await lab.exec(host, ['docker', ...args])
  expect(exitCode, stderr).toBe(0)
  return stdout.trim()
}

interface Container {
  State: { Pid: number }
  HostConfig: Record<string, unknown>
  Config: Record<string, unknown> & { Labels: Record<string, string> }
}

/** The containers of a service, wherever they are. */
const containers = async (service: string): Promise<Container[]> => {
  const found = await Promise.all(
    lab.hosts.map(async (host) => {
      const filter = `label=com.docker.swarm.service.name=${service}`
      const ids = await docker(host, 'ps', '--quiet', '--filter', filter)
      return ids === ''
        ? []
        : (JSON.parse(await docker(host, 'inspect', ...ids.split('\n'))) as Container[])
    }),
  )
  return found.flat()
}

const answers = async (host: string, port: number): Promise<string> =>
  (await fetch(`http://${lab.address(host)}:${port}/hello/test`)).text()

beforeAll(async () => {
  lab = await labUp({ name: 'compose-apps', hosts: 3 })
  await ensureImages(lab, [
    { name: 'muster/edge:1', context: `${root}images/edge` },
    { name: 'hello/app:1', context: `${root}examples/hello/app` },
  ])
  await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
})

afterAll(async () => {
  await lab?.down()
})

describe.concurrent('an application', { timeout: 240_000 }, () => {
  it('with a config and secrets, which are replaced when they change', async () => {
    const env = { LEVEL: 'info', API_TOKEN: 't0k en$' }
    expect(await up('site/compose.yaml', { env })).toContain(
      'Serving on every host: tcp :8300. On hosts with the address: tcp 127.0.0.1:8301.',
    )
    expect(await answers('host-3', 8300)).toMatch(/I'm site\.[12] !/)
    // The other port is there for the host itself, and for nobody else.
    const ask = 'print IO::Socket::INET->new(PeerAddr => "127.0.0.1:8301") ? "yes" : "no"'
    const own = await lab.exec('host-2', ['perl', '-MIO::Socket::INET', '-e', ask])
    expect(own.stdout).toBe('yes')
    await expect(answers('host-2', 8301)).rejects.toThrow('fetch failed')

    expect(await inside('site_web.1', 'cat', '/etc/site.conf')).toBe('level info')
    expect(await inside('site_web.1', 'stat', '-c', '%a %u', '/etc/site.conf')).toBe('440 65534')
    expect(await inside('site_web.1', 'cat', '/run/secrets/password')).toBe('correct horse')
    expect(await inside('site_web.1', 'cat', '/run/secrets/api-token')).toBe('t0k en$')

    const changed = await up('site/compose.yaml', { env: { ...env, LEVEL: 'debug' } })
    expect(changed).toContain('~ config settings')
    expect(await inside('site_web.2', 'cat', '/etc/site.conf')).toBe('level debug')
    const configs = await docker('host-1', 'config', 'ls', '--format', '{{.Name}}')
    const settings = configs.split('\n').filter((name) => name.startsWith('site_settings_'))
    expect(new Set(settings).size).toBe(2)
    expect(await up('site/compose.yaml', { env: { ...env, LEVEL: 'debug' } })).toContain(
      'nothing to do',
    )
  })

  it('whose migration runs once, after its database and before it', async () => {
    await up('shop.yaml')
    const { stdout } = await muster(['ps', 'shop', '--format', 'json'])
    const rows = JSON.parse(stdout) as { name: string; serving: number; note: string }[]
    expect(Object.fromEntries(rows.map((row) => [row.name, [row.serving, row.note]]))).toEqual({
      app: [1, ''],
      db: [1, ''],
      migrate: [1, 'completed'],
    })
    await inside('shop_db', 'sh', '-c', 'echo kept > /data/file')
    expect(await up('shop.yaml')).toContain('nothing to do')
  })

  it('with services that only a profile brings', async () => {
    await up('shop.yaml', { args: ['-n', 'observed', '--profile', 'observed'] })
    expect(await reaches('observed_app', 'metrics')).toBe(true)
  })

  it('that extends services of another file', async () => {
    await up('extends/compose.yaml')
    expect(await variables('kinds_small')).toEqual(
      expect.arrayContaining(['LEVEL=info', 'GREETING=hello world']),
    )
    expect(await variables('kinds_large.2')).toEqual(
      expect.arrayContaining(['LEVEL=debug', 'GREETING=hello world', 'SIZE=large']),
    )
    const [small] = await containers('kinds_small')
    expect(small?.Config.Labels.team).toBe('web')
  })

  it('that waits until what it needs is healthy', async () => {
    const said = await up('gate.yaml')
    expect(said).toMatch(/\+ front +new, 1 replica +starts after back/)
    const taskOf = async (name: string) => {
      const id = await docker('host-1', 'service', 'ps', '--quiet', '--no-trunc', name)
      const text = await docker('host-1', 'inspect', '--type', 'task', '--format', '{{json .}}', id)
      return JSON.parse(text) as { CreatedAt: string; Status: { Timestamp: string } }
    }
    const [front, back] = [await taskOf('gate_front'), await taskOf('gate_back')]
    expect(Date.parse(front.CreatedAt)).toBeGreaterThanOrEqual(Date.parse(back.Status.Timestamp))
    expect(await inside('gate_back', 'ls', '/tmp/ready')).toBe('/tmp/ready')
  })

  it('that is closed as far as it goes', async () => {
    await up('hardened.yaml')
    const [container] = await containers('hardened_web')
    expect(container?.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      Init: true,
      CapDrop: ['ALL'],
      GroupAdd: ['4242'],
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
      Ulimits: [
        { Name: 'nofile', Soft: 512, Hard: 1024 },
        { Name: 'nproc', Soft: 200, Hard: 200 },
      ],
    })
    expect(container?.Config).toMatchObject({ StopSignal: 'SIGINT', User: '65534:65534' })
    expect(container?.Config.Labels.kind).toBe('container')
    expect(await inside('hardened_web', 'cat', '/proc/1/comm')).toMatch(/init|tini/)
    expect(await inside('hardened_web', 'hostname')).toBe('keep.example.org')
    expect(await inside('hardened_web', 'pwd')).toBe('/srv')
    expect(await inside('hardened_web', 'getent', 'hosts', 'upstream')).toMatch(/^10\.1\.2\.3/)
    expect(await inside('hardened_web', 'sh', '-c', 'touch /etc/x || echo refused')).toBe('refused')
    const sizes = await inside('hardened_web', 'df', '-k', '--output=size', '/tmp', '/dev/shm')
    expect(sizes.split('\n').map((line) => line.trim())).toEqual(['1K-blocks', '8192', '16384'])
  })

  it('with limits, written either way', async () => {
    await up('limits.yaml')
    const [[old], [now]] = await Promise.all([containers('limits_old'), containers('limits_new')])
    expect(old?.HostConfig).toMatchObject({ NanoCpus: 5e8, Memory: 96 * 2 ** 20, PidsLimit: 50 })
    expect(now?.HostConfig).toMatchObject({ NanoCpus: 25e7, Memory: 64 * 2 ** 20, PidsLimit: 40 })
  })

  it('whose networks keep its parts from each other', async () => {
    await up('tiers.yaml')
    expect(await reaches('tiers_client', 'proxy')).toBe(true)
    expect(await reaches('tiers_client', 'store')).toBe(false)
    for (const name of ['store', 'database', 'tiers-store']) {
      expect(await reaches('tiers_proxy', name), name).toBe(true)
    }
    expect(await reaches('tiers_store', 'gateway')).toBe(true)
    expect(await inside('tiers_store', 'hostname', '-i')).toMatch(/^10\.83\.0\./)
  })

  it('of several files, with one for production on top', async () => {
    await up(['layers/base.yaml', 'layers/production.yaml'])
    const env = await variables('layers_web.2')
    expect(env).toContain('LEVEL=warn')
    expect(env.some((each) => each.startsWith('DEBUG='))).toBe(false)
    expect(await answers('host-1', 8311)).toContain('Hello test')
    await expect(answers('host-1', 8310)).rejects.toThrow('fetch failed')
    expect(await reaches('layers_web', 'cache')).toBe(true)
  })

  it('with steps before it starts and after', async () => {
    await up('hooks.yaml')
    for (const slot of [1, 2]) {
      expect(await inside(`hooks_web.${slot}`, 'cat', '/tmp/started')).toBe(
        'after web as nobody\nsecond 1',
      )
    }
    const { stdout, stderr } = await muster(['logs', 'hooks_web-pre-start-1'])
    expect(stdout + stderr).toContain('before web')
  })

  it('that is on every host', async () => {
    await up('everywhere.yaml')
    const all = await containers('everywhere_probe')
    expect(new Set(all.map((each) => each.Config.Hostname))).toEqual(
      new Set(lab.hosts.map((host) => `probe-${host}`)),
    )
  })

  it('that is a job in three parts', async () => {
    const said = await up('batch.yaml')
    expect(said).toContain('a job of 3 tasks')
    const { stdout, stderr } = await muster(['logs', 'batch_work'])
    // A job's first slot is 0, for which Swarm's template gives the host.
    expect((stdout + stderr).match(/part \w+ done/g)).toHaveLength(3)
  })

  it('of the time of version 2', async () => {
    await up('legacy.yaml', { args: ['-n', 'legacy'] })
    expect(await reaches('legacy_web.2', 'mysql')).toBe(true)
    expect(await variables('legacy_web')).toEqual(expect.arrayContaining(['MODE=old', 'EMPTY=']))
    const [web] = await containers('legacy_web')
    expect(web?.HostConfig).toMatchObject({ NanoCpus: 5e8, Memory: 128 * 2 ** 20 })
  })

  it('of five services on two networks', async () => {
    expect(await up('voting.yaml')).toContain('Serving on every host: tcp :8320, http :8321.')
    expect(await answers('host-2', 8320)).toContain("I'm vote")
    expect(await answers('host-3', 8321)).toContain("I'm result")
    expect(await reaches('voting_worker', 'redis')).toBe(true)
    expect(await reaches('voting_worker', 'db')).toBe(true)
    expect(await reaches('voting_vote', 'db')).toBe(false)
  })

  it('on the network of its host', async () => {
    const said = await up('hostnet.yaml')
    expect(said).toContain('note: agent: pid has no effect (tolerated).')
    const [agent] = await containers('hostnet_agent')
    expect(agent?.HostConfig).toMatchObject({ NetworkMode: 'host', PidMode: '' })
  })

  it('whose step after the start fails: with what it said', async () => {
    const { stdout, exitCode } = await muster(['up', '-f', `${apps}/broken-hook.yaml`])
    expect(exitCode, stdout).toBe(1)
    expect(stdout).toMatch(/web\.1 on host-\d was killed .* one of its post_start commands failed/)
    expect(stdout).toContain('| the schema is missing')
    await muster(['down', 'broken', '--yes'])
  })
})

describe('afterwards', () => {
  it('nothing is left but volumes', async () => {
    const { stdout } = await muster(['ls', '--format', 'json'])
    const stacks = (JSON.parse(stdout) as { stack: string }[]).map((each) => each.stack)
    expect(stacks.length).toBeGreaterThanOrEqual(14)
    await Promise.all(
      stacks.map(async (stack) => {
        const { exitCode, stderr } = await muster(['down', stack, '--yes'])
        expect(exitCode, stderr).toBe(0)
      }),
    )
    await until(
      'all services and networks are gone',
      async () =>
        (await docker('host-1', 'service', 'ls', '--quiet')) === '' &&
        !(await docker('host-1', 'network', 'ls', '--format', '{{.Name}}')).includes('_'.repeat(2)),
      { timeoutMs: 30_000, intervalMs: 500 },
    )
  })
})
