/** Agents on real engines: who they let in, what they notice, what they survive. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AgentClient,
  type AgentStatus,
  type EventLine,
  connectAgent,
} from '../src/agent/index.ts'
import { withoutHeaders } from '../src/agent/certificates.ts'
import { AGENT_PORT, AGENT_SOCKET, METRICS_PORT, until } from '../src/base/index.ts'
import { PROTOCOL, encodeMessage, serving } from '../src/catalog/index.ts'
import { type Lab, ensureImages, labUp } from '../src/lab/index.ts'

const MANAGERS = ['host-1', 'host-2', 'host-3']
const WORKER = 'host-4'
const HOSTS = [...MANAGERS, WORKER]
/** From the loss of a host until nothing is sent to it any more. */
const SUSPECT_LIMIT_MS = 2000

describe('agents on real engines', () => {
  let lab: Lab

  const agent = (host: string): AgentClient => connectAgent(lab.hostPath(host, AGENT_SOCKET))
  const muster = async (host: string, ...args: string[]) => {
    const result = await lab.exec(host, ['muster', ...args], { timeoutMs: 90_000 })
    if (result.exitCode !== 0) throw new Error(`muster ${args.join(' ')}: ${result.stderr}`)
    return result.stdout
  }
  const docker = async (host: string, command: string) => {
    const argv = ['docker', ...command.split(' ')]
    const result = await lab.exec(host, argv, { timeoutMs: 90_000 })
    if (result.exitCode !== 0) throw new Error(`docker ${command}: ${result.stderr}`)
    return result.stdout.trim()
  }
  /** Docker's command line does not try again when the host has reported in between. */
  const changeRole = (command: string) =>
    until(
      command,
      async () => {
        try {
          await docker('host-1', command)
          return true
        } catch (error) {
          if (String(error).includes('update out of sequence')) return false
          throw error
        }
      },
      { timeoutMs: 10_000 },
    )
  /** Undefined while the host is off or its agent away. */
  const status = async (host: string): Promise<AgentStatus | undefined> => {
    try {
      return await agent(host).status()
    } catch {
      return undefined
    }
  }
  const stateOf = async (on: string, host: string) =>
    (await status(on))?.hosts.find(({ name }) => name === host)?.state
  /** `1 host-2` for each endpoint that gets traffic of a service, as a host sees it. */
  const served = async (on: string, name: string): Promise<string[]> => {
    const catalog = await agent(on).catalog()
    const service = [...catalog.services.values()].find((each) => each.name === name)
    if (!service) return []
    return serving(catalog, service.id).map(
      ({ slot, host }) => `${slot} ${catalog.hosts.get(host)?.name}`,
    )
  }
  const metric = async (host: string, name: string): Promise<number> => {
    const answer = await fetch(`http://${lab.address(host)}:${METRICS_PORT}/metrics`)
    const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.split(' ')[1] ?? Number.NaN)
  }
  const agentPid = async (host: string): Promise<string> => {
    const { stdout } = await lab.exec(host, ['ps', 'ax', '-o', 'pid=,args='])
    const line = stdout.split('\n').find((each) => each.includes('muster.mjs agent'))
    return line?.trim().split(' ')[0] ?? ''
  }
  const allAlive = (on: readonly string[] = HOSTS) =>
    until(
      'all agents to see all hosts alive',
      async () => {
        for (const host of on) {
          const seen = await status(host)
          if (seen?.hosts.length !== HOSTS.length || seen.followed === null) return false
          if (!seen.hosts.every(({ state, engineDown }) => state === 'alive' && !engineDown)) {
            return false
          }
        }
        return true
      },
      { timeoutMs: 60_000 },
    )
  const leader = async (): Promise<string> => {
    const found = await until(
      'a leader',
      async () => {
        for (const host of MANAGERS) {
          const seen = await status(host)
          const name = seen?.hosts.find(({ id }) => id === seen.leader)?.name
          if (name !== undefined && seen?.host === seen?.leader) return name
        }
        return undefined
      },
      { timeoutMs: 60_000 },
    )
    return found
  }

  beforeAll(async () => {
    lab = await labUp({ name: 'agents', hosts: HOSTS.length })
    const root = join(import.meta.dirname, '..')
    await ensureImages(lab, [{ name: 'hello/app:1', context: join(root, 'examples/hello/app') }])
    await muster('host-1', 'init', '--advertise-addr', lab.address('host-1'))
    const tokens = JSON.parse(await muster('host-1', 'token', '--format', 'json')) as {
      manager: string
      worker: string
      address: string
    }
    for (const host of HOSTS.slice(1)) {
      const token = host === WORKER ? tokens.worker : tokens.manager
      await muster(host, 'join', tokens.address, '--token', token)
    }
    await docker('host-1', 'network create -d overlay --attachable net')
    await docker(
      'host-1',
      'service create -d --name all --mode global --network net --restart-delay 1s registry:5000/hello/app:1',
    )
    await allAlive()
    await until(
      'an endpoint on every host',
      async () => (await served(WORKER, 'all')).length === HOSTS.length,
      { timeoutMs: 90_000 },
    )
  })
  afterAll(async () => {
    await lab?.down()
  })

  /** The port of a host's agent, with the certificate of another, or with none. */
  const dial = async (to: string, as: string | null): Promise<tls.TLSSocket> => {
    const file = (name: string) =>
      readFile(lab.hostPath(as ?? to, `/var/lib/docker/swarm/certificates/${name}`), 'utf8')
    const socket = tls.connect({
      host: lab.address(to),
      port: AGENT_PORT,
      rejectUnauthorized: false,
      ...(as !== null && {
        cert: await file('swarm-node.crt'),
        key: withoutHeaders(await file('swarm-node.key')),
      }),
    })
    socket.on('error', () => undefined)
    socket.resume()
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')])
    return socket
  }
  const hello = (purpose: 'stream' | 'exec') =>
    encodeMessage({ type: 'hello', protocol: PROTOCOL, purpose, version: 'test' })

  it.each([
    ['a client without a certificate', 'host-1', null, 'stream', 'no-certificate'],
    ['a worker that wants to run a command', 'host-1', WORKER, 'exec', 'not-a-manager'],
    ['anybody who asks a worker for the catalog', WORKER, 'host-1', 'stream', 'not-a-manager'],
  ] as const)('refuses and counts %s', async (...[, to, as, purpose, reason]) => {
    const counter = `muster_refused_connections_total{reason="${reason}"}`
    const before = await metric(to, counter)
    const socket = await dial(to, as)
    socket.write(hello(purpose))
    if (!socket.destroyed) await once(socket, 'close')
    expect(await metric(to, counter)).toBe(before + 1)
  })

  it('drops a stream that brings nonsense, counts it, and nothing else happens', async () => {
    const before = await metric('host-1', 'muster_corrupt_messages_total')
    const socket = await dial('host-1', WORKER)
    socket.write(hello('stream'))
    socket.write(Buffer.from('no frame at all, but bytes of some other protocol'))
    if (!socket.destroyed) await once(socket, 'close')
    expect(await metric('host-1', 'muster_corrupt_messages_total')).toBe(before + 1)
    await allAlive()
    expect(await served('host-2', 'all')).toHaveLength(HOSTS.length)
  })

  it('runs commands on any host from a manager; not on others from a worker', async () => {
    const catalog = await agent('host-1').catalog()
    const run = async (from: string, on: string) => {
      const endpoint = [...catalog.endpoints.values()].find(
        ({ host }) => catalog.hosts.get(host)?.name === on,
      )
      const session = await agent(from).exec({
        host: endpoint?.host ?? '',
        container: endpoint?.container ?? '',
        command: ['sh', '-c', 'read line; echo "got $line"; echo oops >&2; exit 4'],
        tty: false,
        stdin: true,
        env: [],
        user: null,
        workingDir: null,
      })
      session.stdin.end('typed\n')
      const [out, err] = await Promise.all([session.stdout.toArray(), session.stderr.toArray()])
      return [Buffer.concat(out).toString(), Buffer.concat(err).toString(), await session.exited]
    }
    for (const on of HOSTS) expect(await run('host-1', on)).toEqual(['got typed\n', 'oops\n', 4])
    await expect(run(WORKER, 'host-1')).rejects.toMatchObject({ code: 'AGENT_REFUSED' })
  })

  it('takes endpoints out of the routes well before Swarm tells them to stop', async () => {
    await docker(
      'host-1',
      'service create -d --name web --replicas 6 --network net registry:5000/hello/app:1',
    )
    const ready = async () => (await served(WORKER, 'web')).length === 6
    await until('six endpoints', ready, { timeoutMs: 60_000 })
    const stop = new AbortController()
    const seen: EventLine[] = []
    const reading = (async () => {
      for await (const event of agent(WORKER).events(stop.signal)) seen.push(event)
    })()
    await docker('host-1', 'service scale -d web=2')
    const times = (change: string) =>
      new Map(
        seen.flatMap((event) =>
          event.type === 'endpoint' && event.change === change
            ? [[event.task, Date.parse(event.time)] as const]
            : [],
        ),
      )
    await until('four to be gone', () => times('gone').size === 4, { timeoutMs: 30_000 })
    stop.abort()
    await reading
    for (const [task, gone] of times('gone')) {
      expect(gone - (times('leaving').get(task) ?? Infinity)).toBeGreaterThan(1000)
    }
    await docker('host-1', 'service rm web')
  })

  it('an agent that is killed takes nothing out of the routes, and is back by itself', async () => {
    let least = HOSTS.length
    for (const victim of [WORKER, await leader()]) {
      const observer = HOSTS.find((host) => host !== victim) ?? ''
      const pid = await agentPid(victim)
      await lab.exec(victim, ['kill', '-9', pid])
      await until(
        'the agent to be missed',
        async () => {
          least = Math.min(least, (await served(observer, 'all')).length)
          return (await stateOf(observer, victim)) === 'agentless'
        },
        { timeoutMs: 10_000, intervalMs: 5 },
      )
      await until(
        'all to be as before',
        async () => {
          least = Math.min(least, (await served(observer, 'all')).length)
          return (await stateOf(observer, victim)) === 'alive'
        },
        { timeoutMs: 30_000, intervalMs: 20 },
      )
      expect(await agentPid(victim)).not.toBe(pid)
      await allAlive()
    }
    expect(least).toBe(HOSTS.length)
  })

  it('a host without power is out of all routes within 2 s, and back when it is on again', async () => {
    await lab.kill(WORKER)
    const from = performance.now()
    for (const observer of MANAGERS) {
      await until(
        `${observer} to suspect ${WORKER}`,
        async () => (await stateOf(observer, WORKER)) === 'suspected',
        { timeoutMs: SUSPECT_LIMIT_MS, intervalMs: 10 },
      )
      expect(await served(observer, 'all')).toHaveLength(3)
    }
    expect(performance.now() - from).toBeLessThan(SUSPECT_LIMIT_MS)
    await lab.start(WORKER)
    await allAlive()
    await until(
      'its endpoint to be back',
      async () => (await served('host-1', 'all')).length === HOSTS.length,
      { timeoutMs: 60_000 },
    )
  })

  it("the leader's host without power: out within 2.5 s, another leads, nothing else is lost", async () => {
    const victim = await leader()
    await lab.kill(victim)
    const from = performance.now()
    for (const observer of HOSTS.filter((host) => host !== victim)) {
      await until(
        `${observer} to suspect ${victim}`,
        async () => (await stateOf(observer, victim)) === 'suspected',
        { timeoutMs: SUSPECT_LIMIT_MS + 500, intervalMs: 10 },
      )
      expect(await served(observer, 'all')).toHaveLength(3)
    }
    expect(performance.now() - from).toBeLessThan(SUSPECT_LIMIT_MS + 500)
    expect(await leader()).not.toBe(victim)
    await lab.start(victim)
    await allAlive()
  })

  it('a manager that is cut off empties nobody’s routes, not even its own', async () => {
    const lonely = MANAGERS.find((host) => host !== 'host-1') ?? ''
    await until(
      'all endpoints',
      async () => (await served(lonely, 'all')).length === HOSTS.length,
      {
        timeoutMs: 60_000,
      },
    )
    await lab.cut(lonely)
    try {
      await until(
        'the others to suspect it',
        async () => (await stateOf('host-1', lonely)) === 'suspected',
        { timeoutMs: 5000, intervalMs: 10 },
      )
      expect(await served('host-1', 'all')).toHaveLength(3)
      // Long after it has stopped hearing them, and before Swarm's leader could have told it anything.
      await new Promise((resolve) => setTimeout(resolve, 4000))
      expect(await served(lonely, 'all')).toHaveLength(HOSTS.length)
      expect((await status(lonely))?.hosts.some(({ state }) => state === 'suspected')).toBe(false)
    } finally {
      await lab.heal(lonely)
    }
    await allAlive()
  })

  it('Docker killed: its endpoints are the last choice meanwhile, and in again afterwards', async () => {
    const { stdout } = await lab.exec(WORKER, ['cat', '/var/run/docker.pid'])
    await lab.exec(WORKER, ['kill', '-9', stdout.trim()])
    await until(
      'its engine to be missed',
      async () =>
        (await status('host-1'))?.hosts.find(({ name }) => name === WORKER)?.engineDown === true,
      { timeoutMs: 5000, intervalMs: 10 },
    )
    await allAlive()
    await until(
      'its endpoint to be back',
      async () => (await served('host-1', 'all')).length === HOSTS.length,
      { timeoutMs: 60_000 },
    )
    expect(await metric(WORKER, 'muster_engine_reconnects_total')).toBeGreaterThan(0)
  })

  it('a worker that becomes a manager serves the catalog, and no more when it is one no longer', async () => {
    await changeRole(`node promote ${WORKER}`)
    const sees = async (host: string) =>
      (await status(host))?.managers.filter(({ serving }) => serving).length
    await until('four managers', async () => (await sees('host-1')) === 4, { timeoutMs: 60_000 })
    await changeRole(`node demote ${WORKER}`)
    await until('three managers', async () => (await status('host-1'))?.managers.length === 3, {
      timeoutMs: 60_000,
    })
    await allAlive()
  })

  it('a host that leaves is waited for without a word, and forgotten', async () => {
    // It has just been a manager, and its engine may still be changing its role.
    await muster(WORKER, 'leave')
    await until(
      'its endpoint to be gone',
      async () => (await served('host-1', 'all')).every((each) => !each.includes(WORKER)),
      { timeoutMs: 30_000 },
    )
    await until(
      'the host to be suspected, as there is nothing of it',
      async () => (await stateOf('host-1', WORKER)) !== 'alive',
      { timeoutMs: 30_000 },
    )
  })
})
