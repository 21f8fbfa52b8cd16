/** Services behind a published `tcp` port see who connects, on real engines. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectAgent } from '../src/agent/index.ts'
import { AGENT_SOCKET, EDGE_DIR, until } from '../src/base/index.ts'
import { type Lab, ensureImages, formCluster, labUp } from '../src/lab/index.ts'

const HOSTS = 3
const PORT = 9000
/** Of a service whose containers have no route out of their network. */
const INSIDE_PORT = 9001

/** Each connection is answered with the peer's address and the host of the task. */
const SERVER = [
  'my $server = IO::Socket::INET->new(LocalPort => 7000, Listen => 64, ReuseAddr => 1) or die $!;',
  'while (my $client = $server->accept) {',
  'print $client $client->peerhost . " $ENV{HOST}\\n"; close $client }',
].join(' ')

const compose = (replicas: number): string =>
  JSON.stringify({
    name: 'addr',
    services: {
      server: {
        image: 'registry:5000/hello/app:1',
        command: ['perl', '-MIO::Socket::INET', '-e', SERVER.replaceAll('$', '$$$$')],
        environment: { HOST: '{{.Node.Hostname}}' },
        ports: [{ target: 7000, published: PORT }],
        stop_grace_period: '1s',
        deploy: { replicas },
      },
      inside: {
        image: 'registry:5000/hello/app:1',
        command: ['perl', '-MIO::Socket::INET', '-e', SERVER.replaceAll('$', '$$$$')],
        environment: { HOST: '{{.Node.Hostname}}' },
        ports: [{ target: 7000, published: INSIDE_PORT }],
        networks: ['inside'],
      },
    },
    networks: { inside: { internal: true } },
  })

describe('the address of a client of a tcp port', () => {
  let lab: Lab
  /** This machine's address in the lab's network. */
  let machine: string

  const run = async (host: string, argv: string[], input?: string) => {
    const options = { timeoutMs: 150_000, ...(input === undefined ? {} : { input }) }
    const result = await lab.exec(host, argv, options)
    if (result.exitCode !== 0) {
      throw new Error(`${argv.join(' ')} on ${host}: ${result.stdout}${result.stderr}`)
    }
    return result.stdout.trim()
  }
  const deploy = async (replicas: number) => {
    await run(
      'host-1',
      ['sh', '-c', 'mkdir -p /run/addr && cat > /run/addr/compose.yaml'],
      compose(replicas),
    )
    await run('host-1', ['muster', 'up', '-f', '/run/addr/compose.yaml'])
  }
  /** What the service says to a connection from this machine; null when it says nothing. */
  const ask = (host: string, port = PORT): Promise<string | null> =>
    new Promise((resolve) => {
      let said = ''
      const socket = connect({ host: lab.address(host), port })
      socket.setTimeout(10_000, () => socket.destroy())
      socket.on('data', (data) => (said += data.toString()))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(said === '' ? null : said.trim()))
    })
  /** The same from a host itself. */
  const askFrom = async (host: string, address: string) => {
    const script = `exec 3<>/dev/tcp/${address}/${PORT} && timeout 10 cat <&3`
    const { stdout } = await lab.exec(host, ['bash', '-c', script], { timeoutMs: 20_000 })
    return stdout.trim()
  }
  /** Every edge may speak for clients, as every agent sees it. */
  const known = () =>
    until(
      'all agents to know all edges',
      async () => {
        for (const host of lab.hosts) {
          try {
            const catalog = await connectAgent(lab.hostPath(host, AGENT_SOCKET)).catalog()
            const service = [...catalog.services.values()].find(
              ({ name }) => name === 'addr_server',
            )
            const network = service?.networks[0]
            const hosts = [...catalog.hosts.values()]
            if (network === undefined || hosts.length !== HOSTS) return false
            if (!hosts.every(({ edge, state }) => state === 'alive' && edge[network])) return false
          } catch {
            return false
          }
        }
        return true
      },
      // A host that has come back is in the overlay networks after a minute or two.
      { timeoutMs: 180_000, intervalMs: 200 },
    )
  const seenThrough = async (host: string) => (await ask(host))?.split(' ')[0]
  /** Every host's edge has switched over, and stays so for a number of connections. */
  const allReal = async () => {
    await known()
    for (const host of lab.hosts) {
      await until(
        `${host} to show the client's address`,
        async () => (await seenThrough(host)) === machine,
        { timeoutMs: 60_000, intervalMs: 200 },
      )
    }
    const tasks = new Set<string>()
    for (let n = 0; n < 10; n++) {
      for (const host of lab.hosts) {
        const answer = await ask(host)
        expect(answer).toMatch(new RegExp(`^${machine.replaceAll('.', '\\.')} host-\\d$`))
        tasks.add(answer?.split(' ')[1] ?? '')
      }
    }
    return tasks
  }

  beforeAll(async () => {
    lab = await labUp({ name: 'addr', hosts: HOSTS })
    machine = lab.address('host-1').replace(/\.\d+$/, '.1')
    const root = join(import.meta.dirname, '..')
    await ensureImages(lab, [
      { name: 'hello/app:1', context: join(root, 'examples/hello/app') },
      { name: 'muster/edge:1', context: join(root, 'images/edge') },
    ])
    await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
    await deploy(2)
  })
  afterAll(async () => {
    await lab?.down()
  })

  it('is what the service sees, through every host', async () => {
    expect((await allReal()).size).toBe(2)
  })

  it('is what a service sees that has no route to the client', async () => {
    for (const host of lab.hosts) {
      await until(
        `${host} to show the client's address`,
        async () => (await ask(host, INSIDE_PORT))?.split(' ')[0] === machine,
        { timeoutMs: 60_000, intervalMs: 200 },
      )
    }
    for (let n = 0; n < 10; n++) {
      for (const host of lab.hosts) {
        expect((await ask(host, INSIDE_PORT))?.split(' ')[0]).toBe(machine)
      }
    }
  })

  it('is what replicas see that were added at run time, and connections go on while they are', async () => {
    const answers: (string | undefined)[] = []
    const deployed = new AbortController()
    const asking = Promise.all(
      lab.hosts.map(async (host) => {
        while (!deployed.signal.aborted) answers.push(await seenThrough(host))
      }),
    )
    try {
      await deploy(5)
    } finally {
      deployed.abort()
      await asking
    }
    expect(answers.length).toBeGreaterThan(HOSTS)
    // An edge may close one connection without an answer (docs/plan.md), not two.
    const lost = answers.filter((answer) => answer === undefined)
    expect(lost.length).toBeLessThanOrEqual(HOSTS)
    expect(new Set(answers.filter((answer) => answer !== undefined))).toEqual(new Set([machine]))
    expect((await allReal()).size).toBe(3)
  })

  it('is a real one too for another host', async () => {
    expect(await askFrom('host-2', lab.address('host-1'))).toMatch(
      new RegExp(`^${lab.address('host-2')} `),
    )
  })

  it('gives way to the edge own address for a client on the host itself', async () => {
    for (const host of lab.hosts) {
      for (const address of ['127.0.0.1', lab.address(host)]) {
        for (let n = 0; n < 4; n++) {
          const answer = await askFrom(host, address)
          expect(answer).toMatch(/^10\.\d+\.\d+\.\d+ host-\d$/)
          expect(answer).not.toContain('10.90.')
        }
      }
    }
  })

  it('leaves no server in doubt: health checks come from the edge itself', async () => {
    for (const host of lab.hosts) {
      const stat = await run(host, [
        'perl',
        '-MIO::Socket::UNIX',
        '-e',
        `my $s = IO::Socket::UNIX->new(Peer => "${EDGE_DIR}/admin.sock") or die $!;
         print $s "show stat\\n"; print while <$s>`,
      ])
      const servers = stat.split('\n').filter((line) => line.includes('addr_server.7000.tcp,addr'))
      expect(servers.length).toBe(5)
      for (const server of servers) expect(server).toContain(',UP,')
    }
  })

  it('is seen again after a host was lost and has come back', async () => {
    await lab.kill('host-3')
    for (const host of ['host-1', 'host-2']) {
      await until(`${host} to serve`, async () => (await seenThrough(host)) === machine, {
        timeoutMs: 30_000,
      })
    }
    await lab.start('host-3')
    await allReal()
  }, 300_000)
})
