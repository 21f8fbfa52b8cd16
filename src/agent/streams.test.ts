/** Managers and agents over real TLS on the loopback: who is let in, and what flows. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../base/index.ts'
import {
  type Catalog,
  type Endpoint,
  type OwnKnowledge,
  PROTOCOL,
  type Refusal,
  TUNABLES,
  attentiveClock,
  encodeFrame,
  encodeMessage,
} from '../catalog/index.ts'
import { sampleEndpoint, sampleService } from '../catalog/samples.ts'
import { type Certificates, readCertificates } from './certificates.ts'
import { Links } from './links.ts'
import { Manager } from './manager.ts'
import { probe } from './probe.ts'
import { PeerServer } from './server.ts'
import { TestAuthority } from './test-certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'muster-streams-'))
const certificates = new Map<string, Certificates>()
let stranger: Certificates

beforeAll(async () => {
  const authority = new TestAuthority(join(folder, 'ours'))
  for (const [host, role] of [
    ['m1', 'swarm-manager'],
    ['m2', 'swarm-manager'],
    ['w1', 'swarm-worker'],
    ['w2', 'swarm-worker'],
  ] as const) {
    certificates.set(host, await readCertificates(authority.issue(host, role)))
  }
  const other = new TestAuthority(join(folder, 'theirs'))
  stranger = await readCertificates(other.issue('w1', 'swarm-manager'))
}, 30_000)
afterAll(() => rmSync(folder, { recursive: true }))

const certificatesOf = (host: string): Certificates => {
  const found = certificates.get(host)
  if (!found) throw new Error(host)
  return found
}

const until = async (what: () => boolean, limit = 5000): Promise<void> => {
  const end = Date.now() + limit
  while (!what()) {
    if (Date.now() > end) throw new Error(`never happened: ${what.toString()}`)
    await systemClock.sleep(5)
  }
}

/** A manager's agent without an engine: what Swarm says is set by hand. */
class TestManager implements AsyncDisposable {
  readonly refusals: Refusal[] = []
  readonly sockets = new Map<string, Socket>()
  readonly manager: Manager
  readonly server: PeerServer
  readonly #ticker: NodeJS.Timeout

  constructor(id: string, readHosts: readonly string[]) {
    const clock = attentiveClock(systemClock)
    const onRefusal = (reason: Refusal) => void this.refusals.push(reason)
    this.manager = new Manager({
      self: id,
      origin: `${id} ${Math.random()}`,
      now: () => clock.now(),
      probe: () => probe('127.0.0.1', this.server.port, () => clock.now()),
      events: {
        onPush: () => undefined,
        onResync: () => undefined,
        onRefusal,
        onHostState: () => undefined,
        onDoubt: () => undefined,
        onStreamEnd: () => undefined,
      },
    })
    this.server = new PeerServer({
      certificates: certificatesOf(id),
      port: 0,
      address: '127.0.0.1',
      version: 'test',
      admit: (identity, purpose) =>
        purpose === 'exec'
          ? identity.manager
            ? null
            : 'not-a-manager'
          : readHosts.includes(identity.host)
            ? null
            : 'unknown-host',
      onStream: (visitor) => {
        this.sockets.set(visitor.identity.host, visitor.socket)
        this.manager.accept(visitor)
      },
      onExec: ({ socket }) => socket.end(),
      onRefusal,
    })
    this.manager.sources.setHosts(
      readHosts.map((host) => ({
        id: host,
        name: host,
        address: '127.0.0.1',
        manager: host.startsWith('m'),
        leader: host === 'm1',
        down: false,
      })),
    )
    this.manager.sources.setServices([sampleService('s1')])
    this.manager.serving = true
    this.manager.leader = id === 'm1'
    this.manager.hostsChanged()
    this.#ticker = setInterval(() => {
      clock.tick()
      this.manager.tick()
    }, TUNABLES.tick)
  }

  get endpoints(): string[] {
    return [...this.manager.table.endpoints.keys()].sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticker)
    this.manager[Symbol.dispose]()
    await this.server[Symbol.asyncDispose]()
  }
}

const startManager = async (id: string, hosts: readonly string[]): Promise<TestManager> => {
  const manager = new TestManager(id, hosts)
  await manager.server.start()
  return manager
}

/** An agent without an engine: its endpoints are set by hand. */
class TestAgent implements AsyncDisposable {
  readonly links: Links
  readonly #clock = attentiveClock(systemClock)
  readonly #ticker: NodeJS.Timeout
  own: OwnKnowledge
  catalog: Catalog | undefined
  resyncs = 0
  followed: (string | null)[] = []

  constructor(host: string) {
    this.own = {
      host,
      name: host,
      address: '127.0.0.1',
      endpoints: new Map(),
      leaving: new Set(),
      members: new Map(),
      engineDown: false,
      edge: {},
    }
    this.links = new Links({
      certificates: () => certificatesOf(host),
      version: 'test',
      own: () => this.own,
      now: () => this.#clock.now(),
      clock: systemClock,
      random: () => 0.5,
      onCatalog: (catalog) => (this.catalog = catalog),
      onFollow: (manager) => this.followed.push(manager),
      onResync: () => this.resyncs++,
      onEnd: () => undefined,
    })
    this.#ticker = setInterval(() => {
      this.#clock.tick()
      this.links.tick()
    }, TUNABLES.tick)
  }

  set(...endpoints: Endpoint[]): void {
    this.own = { ...this.own, endpoints: new Map(endpoints.map((each) => [each.id, each])) }
    this.links.report()
  }

  async join(...managers: [string, TestManager][]): Promise<this> {
    await this.links.setManagers(
      managers.map(([id, { server }]) => ({ id, address: '127.0.0.1', port: server.port })),
    )
    return this
  }

  get endpoints(): string[] {
    return [...(this.catalog?.endpoints.keys() ?? [])].sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticker)
    await this.links[Symbol.asyncDispose]()
  }
}

const on = (host: string, id: string): Endpoint => sampleEndpoint(id, { host })

test('what one host reports, all others are told', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1', 'w2'])
  await using w1 = await new TestAgent('w1').join(['m1', m1])
  await using w2 = await new TestAgent('w2').join(['m1', m1])
  w1.set(on('w1', 'a'), on('w1', 'b'))
  await until(() => w2.endpoints.join() === 'a,b')
  w1.set(on('w1', 'b'))
  await until(() => w2.endpoints.join() === 'b')
  expect(w2.catalog?.services.get('s1')?.name).toBe('stack_s1')
  expect(w2.catalog?.hosts.get('w1')?.state).toBe('alive')
  expect(w2.resyncs).toBe(0)
})

test('followers go to another manager when theirs ends, and come back to the leader', async () => {
  const hosts = ['m1', 'm2', 'w1', 'w2']
  const m1 = await startManager('m1', hosts)
  await using m2 = await startManager('m2', hosts)
  await using w1 = await new TestAgent('w1').join(['m1', m1], ['m2', m2])
  w1.set(on('w1', 'a'))
  await until(() => w1.links.followed === 'm1' && w1.endpoints.join() === 'a')
  const { port } = m1.server
  await m1[Symbol.asyncDispose]()
  await until(() => w1.links.followed === 'm2')
  await until(() => w1.catalog?.origin.startsWith('m2') === true)
  expect(w1.endpoints).toEqual(['a'])
  expect(port).toBeGreaterThan(0)
})

test('a manager that leads and serves steadily is followed in the end', async () => {
  const hosts = ['m1', 'm2', 'w1']
  await using m1 = await startManager('m1', hosts)
  await using m2 = await startManager('m2', hosts)
  m1.manager.serving = false
  await using w1 = await new TestAgent('w1').join(['m1', m1], ['m2', m2])
  await until(() => w1.links.followed === 'm2')
  m1.manager.serving = true
  m1.manager.announce()
  await until(() => w1.links.followed === 'm1')
})

test('an agent that ends is not suspected while its host answers, and its endpoints stay', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1', 'w2'])
  await using w2 = await new TestAgent('w2').join(['m1', m1])
  const w1 = await new TestAgent('w1').join(['m1', m1])
  w1.set(on('w1', 'a'))
  await until(() => w2.endpoints.join() === 'a')
  await w1[Symbol.asyncDispose]()
  await until(() => w2.catalog?.hosts.get('w1')?.state === 'agentless')
  await systemClock.sleep(1500)
  expect(w2.catalog?.hosts.get('w1')?.state).toBe('agentless')
  expect(w2.endpoints).toEqual(['a'])
})

test('a report about another host is refused and changes nothing', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1', 'w2'])
  await using w1 = await new TestAgent('w1').join(['m1', m1])
  w1.set(on('w2', 'stolen'))
  await until(() => m1.refusals.includes('not-your-host'))
  expect(m1.endpoints).toEqual([])
})

const dial = async (port: number, identity?: Certificates): Promise<tls.TLSSocket> => {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(identity ? { cert: identity.cert, key: identity.key } : {}),
  })
  socket.on('error', () => undefined)
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')])
  return socket
}

const closed = async (socket: Socket): Promise<void> => {
  socket.resume()
  if (!socket.destroyed) await once(socket, 'close')
}

const hello = (over: object = {}): Buffer =>
  encodeMessage({
    type: 'hello',
    protocol: PROTOCOL,
    purpose: 'stream',
    version: 'test',
    ...over,
  })

test.each<[Refusal, string, () => Certificates | undefined, Buffer]>([
  ['no-certificate', 'a client without a certificate', () => undefined, hello()],
  ['untrusted-certificate', 'a certificate of another authority', () => stranger, hello()],
  ['unknown-host', 'a host that is not in the swarm', () => certificatesOf('w2'), hello()],
  [
    'not-a-manager',
    "a worker that asks for a manager's thing",
    () => certificatesOf('w1'),
    hello({ purpose: 'exec' }),
  ],
  [
    'protocol',
    'a version that is not spoken',
    () => certificatesOf('w1'),
    hello({ protocol: { min: 99, max: 100 } }),
  ],
  [
    'corrupt',
    'bytes that are no hello',
    () => certificatesOf('w1'),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ],
  [
    'corrupt',
    'a hello that is no message',
    () => certificatesOf('w1'),
    encodeFrame(0, '{"type":1}'),
  ],
])('refused as %s, and counted: %s', async (...[reason, , identity, words]) => {
  await using m1 = await startManager('m1', ['m1', 'w1'])
  const socket = await dial(m1.server.port, identity())
  socket.write(words)
  await closed(socket)
  await until(() => m1.refusals.length > 0)
  expect(m1.refusals).toEqual([reason])
})

test('nonsense on a stream ends that stream and nothing else', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1', 'w2'])
  await using w2 = await new TestAgent('w2').join(['m1', m1])
  w2.set(on('w2', 'a'))
  await until(() => w2.endpoints.join() === 'a')
  const socket = await dial(m1.server.port, certificatesOf('w1'))
  socket.write(hello())
  socket.write(encodeMessage({ type: 'report', seq: 1, full: true, endpoints: 'many' }))
  await closed(socket)
  expect(m1.refusals).toEqual(['corrupt'])
  expect(w2.endpoints).toEqual(['a'])
  expect(m1.manager.followers).toBe(1)
})

test('a probe that only connects is no refusal', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1'])
  expect(await probe('127.0.0.1', m1.server.port, () => performance.now())).toBe('answered')
  const socket = connect(m1.server.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.resetAndDestroy()
  await systemClock.sleep(50)
  expect(m1.refusals).toEqual([])
})

test('a closed port answers a probe', async () => {
  expect(await probe('127.0.0.1', 1, () => performance.now())).toBe('answered')
})

test('a follower that does not read is skipped, and holds nobody up', async () => {
  await using m1 = await startManager('m1', ['m1', 'w1', 'w2'])
  await using w2 = await new TestAgent('w2').join(['m1', m1])
  const lazy = await dial(m1.server.port, certificatesOf('w1'))
  lazy.write(hello())
  lazy.write(encodeMessage({ type: 'follow', origin: '', version: 0 }))
  lazy.pause()
  await until(() => m1.manager.followers === 2)
  let most = 0
  const addresses = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`net${i}`, '10.0.0.1']),
  )
  for (let round = 0; round < 40; round++) {
    w2.set(
      ...Array.from({ length: 500 }, (_, i) =>
        sampleEndpoint(`e${i}`, { host: 'w2', slot: round, addresses }),
      ),
    )
    await until(() => w2.catalog?.endpoints.get('e499')?.slot === round)
    most = Math.max(most, m1.sockets.get('w1')?.writableLength ?? Infinity)
  }
  // 40 rounds of 0.5 MB each: all but the first few were not even queued for it.
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThan(2 * 2 ** 20)
  lazy.destroy()
  await until(() => m1.manager.followers === 1)
}, 30_000)
