/** The lab on the real thing: namespaces, engines, faults, and nothing left behind. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AGENT_SOCKET, until } from '../src/base/index.ts'
import {
  type Lab,
  REGISTRY,
  ensureImages,
  findLab,
  labDown,
  labUp,
  listLabs,
} from '../src/lab/index.ts'
import { killAll, labProcesses } from '../src/lab/processes.ts'

const NAME = 'test-lab'
const MUSTER = new URL('../bin/muster', import.meta.url).pathname

/** Whether somebody accepts connections there; false also when nothing answers within a second. */
const accepts = (address: { host: string; port: number } | { path: string }): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(address)
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })

const said = async (lab: Lab, host: string, ...argv: string[]): Promise<string> => {
  const result = await lab.exec(host, argv)
  expect(result, argv.join(' ')).toMatchObject({ exitCode: 0 })
  return result.stdout
}

const pidOf = async (lab: Lab, host: string, pattern: string): Promise<string> => {
  const script = `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q '^${pattern}' && basename $p; done; true`
  return said(lab, host, 'sh', '-c', script)
}

/** Whatever on this machine has to do with a lab. */
const traces = (lab: string): string[] => {
  const found: string[] = []
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    for (const file of ['environ', 'cmdline']) {
      try {
        const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
        const ours =
          text.includes(`MUSTER_LAB_PROCESS=${lab}/`) || text.includes(`muster-labs/${lab}/`)
        if (ours) found.push(`process ${pid}: ${text.replaceAll('\0', ' ').slice(0, 200)}`)
      } catch (error) {
        if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
          throw error
      }
    }
  }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (line.includes(`/${lab}/`)) found.push(`mount ${line}`)
    if (line.includes(' - cgroup')) {
      const root = line.split(' ')[4] ?? ''
      for (const group of readdirSync(root)) {
        if (group.startsWith(`muster-${lab}.`)) found.push(`control group ${root}/${group}`)
      }
    }
  }
  for (const folder of [lab, `.${lab}.removing`]) {
    if (existsSync(`/var/lib/muster-labs/${folder}`)) found.push(`folder ${folder}`)
  }
  return found
}

/** Network namespaces that some process is in, and network interfaces of the machine. */
const namespacesInUse = (): Set<string> =>
  new Set(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .flatMap((pid) => {
        try {
          return [readlinkSync(`/proc/${pid}/ns/net`)]
        } catch (error) {
          if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
            return []
          throw error
        }
      }),
  )
const interfaces = (): string[] => readdirSync('/sys/class/net').sort()

describe('a lab of three hosts', () => {
  let lab: Lab
  beforeAll(async () => {
    await labDown(NAME)
    lab = await labUp({ name: NAME, hosts: 3, agent: false })
  })
  afterAll(async () => {
    await labDown(NAME)
  })

  test('every host is itself: name, address, engine, processes and folders of its own', async () => {
    for (const host of lab.hosts) {
      expect(await said(lab, host, 'hostname')).toBe(host)
      expect(await said(lab, host, 'docker', 'info', '--format', '{{.Name}}')).toBe(host)
      expect(await said(lab, host, 'sh', '-c', 'ip -4 -o addr show eth0')).toContain(
        lab.address(host),
      )
      expect(await said(lab, host, 'cat', '/proc/1/comm')).toBe('tini')
      await said(lab, host, 'sh', '-c', `echo ${host} > /var/lib/muster/whoami; touch /run/${host}`)
    }
    for (const host of lab.hosts) {
      expect(await said(lab, host, 'cat', '/var/lib/muster/whoami')).toBe(host)
      expect((await lab.exec(host, ['sh', '-c', 'ls /run/host-*'])).stdout).toBe(`/run/${host}`)
    }
    expect(existsSync('/run/host-1')).toBe(false)
  })

  test('exec passes input, output, status and folder, and nothing that points elsewhere', async () => {
    const result = await lab.exec('host-1', ['sh', '-c', 'cat; pwd; echo problem >&2; exit 7'], {
      input: 'hello\n',
    })
    expect(result).toEqual({ stdout: `hello\n${process.cwd()}`, stderr: 'problem', exitCode: 7 })
    process.env.DOCKER_HOST = 'tcp://192.0.2.1:2375'
    try {
      expect(await said(lab, 'host-2', 'docker', 'info', '--format', '{{.Name}}')).toBe('host-2')
    } finally {
      delete process.env.DOCKER_HOST
    }
    expect((await lab.exec('host-1', ['no-such-program'])).exitCode).toBe(127)
    await expect(lab.exec('host-1', ['sleep', '60'], { timeoutMs: 200 })).rejects.toThrow(
      /longer than/,
    )
    await expect(lab.exec('host-9', ['true'])).rejects.toThrow(/no host-9/)
  })

  test('the command line gives the status of the command, and lists the hosts', async () => {
    const exec = spawn(MUSTER, [
      'lab',
      'exec',
      'host-2',
      '--name',
      NAME,
      '--',
      'sh',
      '-c',
      'exit 3',
    ])
    expect(await once(exec, 'exit')).toEqual([3, null])
    const mine = (await listLabs()).find((one) => one.name === NAME)
    expect(mine?.hosts.map(({ name, state, docker }) => ({ name, state, docker }))).toEqual(
      lab.hosts.map((name) => ({ name, state: 'running', docker: true })),
    )
  })

  test('plain docker commands make a swarm of them', async () => {
    await said(lab, 'host-1', 'docker', 'swarm', 'init')
    const token = await said(lab, 'host-1', 'docker', 'swarm', 'join-token', '-q', 'manager')
    for (const host of ['host-2', 'host-3']) {
      await said(lab, host, 'docker', 'swarm', 'join', '--token', token, 'host-1:2377')
    }
    const nodes = await said(
      lab,
      'host-2',
      'docker',
      'node',
      'ls',
      '--format',
      '{{.Hostname}} {{.Status}}',
    )
    expect(nodes.split('\n').sort()).toEqual(['host-1 Ready', 'host-2 Ready', 'host-3 Ready'])
  })

  test('cut takes a host off the network without its noticing, heal puts it back', async () => {
    const swarm = { host: lab.address('host-3'), port: 2377 }
    expect(await accepts(swarm)).toBe(true)
    await lab.cut('host-3')
    expect(await accepts(swarm)).toBe(false)
    expect((await lab.status()).hosts[2]).toMatchObject({ state: 'cut', docker: true })
    expect(await said(lab, 'host-3', 'cat', '/sys/class/net/eth0/operstate')).toBe('up')
    await lab.heal('host-3')
    await until('host-3 to answer', () => accepts(swarm), { timeoutMs: 10_000 })
  })

  test('kill is the power cord; start brings the host back with its disk', async () => {
    const before = lab.dockerHost('host-2')
    const startedAt = performance.now()
    await lab.kill('host-2')
    expect(performance.now() - startedAt).toBeLessThan(3000)
    expect((await lab.status()).hosts[1]).toMatchObject({ state: 'off', docker: false })
    expect(await accepts({ host: lab.address('host-2'), port: 2377 })).toBe(false)
    expect(existsSync(before.slice('unix://'.length))).toBe(false)
    expect(() => lab.dockerHost('host-2')).toThrow(/off/)
    await expect(lab.exec('host-2', ['true'])).rejects.toThrow(/off/)
    // Twice is no harm.
    await lab.kill('host-2')

    await lab.start('host-2')
    expect(await said(lab, 'host-2', 'cat', '/var/lib/muster/whoami')).toBe('host-2')
    expect((await lab.exec('host-2', ['ls', '/run/host-2'])).exitCode).not.toBe(0)
    await until(
      'host-2 to be ready again',
      async () => {
        const nodes = await lab.exec('host-1', [
          'docker',
          'node',
          'ls',
          '--format',
          '{{.Hostname}} {{.Status}}',
        ])
        return nodes.stdout.includes('host-2 Ready')
      },
      { timeoutMs: 60_000 },
    )
  })

  // Not the leader's: an election takes ten seconds.
  test('an engine that dies is started again', async () => {
    const before = await pidOf(lab, 'host-2', 'dockerd ')
    expect(before).toMatch(/^\d+$/)
    await said(lab, 'host-2', 'kill', '-9', before)
    await until(
      'another dockerd',
      async () => {
        const now = await pidOf(lab, 'host-2', 'dockerd ')
        return now !== '' && now !== before
      },
      { timeoutMs: 10_000 },
    )
    await until(
      'it to answer',
      async () => (await lab.exec('host-2', ['docker', 'info'])).exitCode === 0,
      { timeoutMs: 30_000 },
    )
  })

  test('up again changes nothing, heals what is broken, and adds hosts', async () => {
    const sockets = lab.hosts.map((host) => lab.dockerHost(host))
    const again = await labUp({ name: NAME, hosts: 3, agent: false })
    expect(again.hosts.map((host) => again.dockerHost(host))).toEqual(sockets)

    await lab.cut('host-2')
    await lab.kill('host-3')
    const grown = await labUp({ name: NAME, hosts: 4, agent: false })
    expect(grown.hosts).toHaveLength(4)
    expect((await grown.status()).hosts.map((host) => host.state)).toEqual(
      Array.from({ length: 4 }, () => 'running'),
    )
    // Those that ran were not restarted, and know the new one.
    for (const [i, host] of ['host-1', 'host-2'].entries()) {
      expect(grown.dockerHost(host)).toBe(sockets[i])
      expect(await said(grown, host, 'cat', '/etc/hosts')).toContain('host-4')
    }
    // It never shrinks.
    expect((await labUp({ name: NAME, hosts: 1, agent: false })).hosts).toHaveLength(4)
  })

  test('an image is built once from a folder, and every host can run it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'image-'))
    try {
      const image = `test/hello-${process.pid}:1`
      writeFileSync(join(folder, 'Dockerfile'), 'FROM debian:bookworm-slim\nCOPY word /word\n')
      const build = async (word: string): Promise<string[]> => {
        writeFileSync(join(folder, 'word'), word)
        const progress: string[] = []
        await ensureImages(lab, [{ name: image, context: folder }], (line) => progress.push(line))
        return progress
      }
      const look = async (host: string) => {
        await said(lab, host, 'docker', 'pull', '-q', `${REGISTRY}/${image}`)
        return said(lab, host, 'docker', 'run', '--rm', `${REGISTRY}/${image}`, 'cat', '/word')
      }
      expect(await build('one')).toContain(`building ${image}`)
      expect(await look('host-1')).toBe('one')
      expect(await build('one')).toEqual([])
      expect(await build('two')).toContain(`building ${image}`)
      expect(await look('host-2')).toBe('two')
      await expect(
        ensureImages(lab, [{ name: image, context: '/does/not/exist' }]),
      ).rejects.toThrow(/no Dockerfile/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a second lab lives beside it, and going down takes nothing of the other', async () => {
    await using other = await labUp({ name: `${NAME}-2`, hosts: 1, agent: false })
    expect(other.network.subnet).not.toBe(lab.network.subnet)
    expect(await said(other, 'host-1', 'hostname')).toBe('host-1')
    expect(await said(other, 'host-1', 'docker', 'ps', '-q')).toBe('')
    await other.down()
    expect(traces(`${NAME}-2`)).toEqual([])
    expect(await said(lab, 'host-1', 'docker', 'info', '--format', '{{.Name}}')).toBe('host-1')
  })

  test('down leaves nothing', async () => {
    await said(
      lab,
      'host-1',
      'docker',
      'run',
      '-d',
      `${REGISTRY}/debian:bookworm-slim`,
      'sleep',
      '600',
    )
    const whole = findLab(NAME)
    const namespaces = await Promise.all(
      whole.hosts.map((host) => said(whole, host, 'readlink', '/proc/1/ns/net')),
    )
    const link = lab.network.machineLink
    expect(interfaces()).toContain(link)
    expect(traces(NAME).length).toBeGreaterThan(0)

    await lab.down()
    expect(traces(NAME)).toEqual([])
    expect(interfaces()).not.toContain(link)
    const inUse = namespacesInUse()
    expect(namespaces.filter((namespace) => inUse.has(namespace))).toEqual([])
    expect(await labDown(NAME)).toBe(false)
    expect(() => findLab(NAME)).toThrow(/no lab named/)
  })
})

describe('a lab whose machine was restarted', () => {
  const name = `${NAME}-reboot`
  afterAll(async () => {
    await labDown(name)
  })

  test('comes up again with its disks', async () => {
    const lab = await labUp({ name, hosts: 2, agent: false })
    await said(lab, 'host-2', 'docker', 'volume', 'create', 'kept')
    // What a restart does: no process and no mount survives, the files do.
    await killAll(labProcesses(name))
    execFileSync('umount', [`/var/lib/muster-labs/${name}/switch`])
    await until('the network to be gone', () => !interfaces().includes(lab.network.machineLink), {
      timeoutMs: 5000,
    })

    const again = await labUp({ name, hosts: 2, agent: false })
    expect(again.hosts).toEqual(lab.hosts)
    expect(again.network.subnet).toBe(lab.network.subnet)
    expect(await said(again, 'host-2', 'docker', 'volume', 'ls', '-q')).toBe('kept')

    // And when its record is lost it is made anew.
    writeFileSync(`/var/lib/muster-labs/${name}/lab.json`, '{')
    const anew = await labUp({ name, hosts: 2, agent: false })
    expect(await said(anew, 'host-2', 'docker', 'volume', 'ls', '-q')).toBe('')
    await anew.down()
    expect(traces(name)).toEqual([])
  })
})

describe('a lab with agents', () => {
  const name = `${NAME}-agent`
  afterAll(async () => {
    await labDown(name)
  })

  test('an agent that dies is started again, and one that is asked to end is too', async () => {
    const lab = await labUp({ name, hosts: 1 })
    const agent = () => pidOf(lab, 'host-1', '[^ ]*/node .*muster.mjs agent')
    const answering = (not: string) =>
      until(
        'the agent to answer',
        async () => {
          const pid = await agent()
          if (!/^\d+$/.test(pid) || pid === not) return undefined
          const socket = lab.hostPath('host-1', AGENT_SOCKET)
          return (await accepts({ path: socket })) ? pid : undefined
        },
        { timeoutMs: 15_000 },
      )
    const first = await answering('')
    await said(lab, 'host-1', 'kill', '-9', first)
    const second = await answering(first)
    await said(lab, 'host-1', 'kill', second)
    await answering(second)
  })
})

describe('a lab whose `up` was killed half-way', () => {
  const name = `${NAME}-crash`
  afterAll(async () => {
    await labDown(name)
  })

  const crash = async (afterMs: number): Promise<void> => {
    const up = spawn(MUSTER, ['lab', 'up', '--name', name, '--hosts', '2', '--no-agent'], {
      stdio: 'ignore',
    })
    const ended = once(up, 'exit')
    await delay(afterMs)
    up.kill('SIGKILL')
    await ended
  }
  // From before it does anything to after everything stands.
  const moments = [100, 200, 250, 300, 350, 400, 500, 700, 1200]

  test.each(moments)('after %i ms: down leaves nothing', async (afterMs) => {
    await crash(afterMs)
    await labDown(name)
    expect(traces(name)).toEqual([])
  })

  test.each(moments)('after %i ms: up brings it up', async (afterMs) => {
    await crash(afterMs)
    const lab = await labUp({ name, hosts: 2, agent: false })
    for (const host of lab.hosts) {
      expect(await said(lab, host, 'docker', 'info', '--format', '{{.Name}}')).toBe(host)
    }
    await said(lab, 'host-1', 'sh', '-c', 'timeout 2 bash -c "</dev/tcp/registry/5000"')
    await lab.down()
    expect(traces(name)).toEqual([])
  })
})
