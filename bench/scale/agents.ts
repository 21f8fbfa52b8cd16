/** The simulated agents of bench/scale.ts: real connections, certificates, frames and messages. */
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { type Certificates, readCertificates } from '../../src/agent/certificates.ts'
import { connectPeer } from '../../src/agent/tls.ts'
import {
  type Changes,
  type Endpoint,
  FRAME,
  PROTOCOL,
  TUNABLES,
  decodeDownward,
  encodeMessage,
  frameDecoder,
} from '../../src/catalog/index.ts'
import { type AgentsAnswer, type AgentsOrder, latenciesOf } from './protocol.ts'

const ORIGIN = 'manager 1'
const folder = process.argv[2] ?? '.'
const BEAT = encodeMessage({ type: 'beat' })
const CONNECTING_AT_ONCE = 20

/** A change that has been made: its endpoint carries its number as slot. */
interface Pending {
  madeAt: number
  missing: number
}
const pending = new Map<number, Pending>()
const times: number[] = []

const end = (why: string): never => {
  process.stderr.write(`${why}\n`)
  process.exit(1)
}

/** Every follower gets the same bytes; a real one decodes them for itself, here it is done once. */
let lastPayload: Buffer = Buffer.alloc(0)
let lastChanges: Changes | undefined
const decodeChanges = (payload: Buffer) => {
  if (!lastChanges || !lastPayload.equals(payload)) {
    const message = decodeDownward(payload)
    lastPayload = Buffer.from(payload)
    lastChanges = message.type === 'delta' ? message.changes : undefined
  }
  return lastChanges
}

class SimulatedAgent {
  readonly host: string
  readonly endpoints: Endpoint[]
  #socket: TLSSocket | undefined
  #seq = 0
  #changed = 0
  bytes = 0
  onComplete: () => void = () => undefined

  constructor(host: string, count: number) {
    this.host = host
    this.endpoints = Array.from({ length: count }, (_, i) => ({
      id: `${host}task${String(i).padStart(12, '0')}`,
      host,
      service: `service${i}`,
      container: `${host}container${String(i).padStart(40, '0')}`,
      slot: 0,
      addresses: { network0000000000000000000: `10.0.${i}.1` },
      state: 'ready',
    }))
  }

  async connect(port: number, certificates: Certificates): Promise<void> {
    const peer = { host: 'manager', address: '127.0.0.1', port, manager: true }
    const socket = await connectPeer(peer, certificates, new AbortController().signal)
    this.#socket = socket
    const push = frameDecoder()
    const welcomed = Promise.withResolvers<void>()
    socket.on('error', () => undefined)
    // A real agent would connect again; here it would only spoil the numbers.
    socket.once('close', () => end(`the manager closed the connection of ${this.host}`))
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      for (const { type, payload } of push(chunk)) {
        if (type !== FRAME.json) continue
        const kind = payload.toString('latin1', 9, 14)
        if (kind === 'delta') this.#onDelta(payload)
        else if (kind === 'compl') this.onComplete()
        else if (kind === 'welco') welcomed.resolve()
        // Parts of snapshots are counted, beats are heard; neither is worth simulating a thousand times.
      }
    })
    const hello = { type: 'hello', protocol: PROTOCOL, purpose: 'stream' }
    this.#send({ ...hello, version: 'bench' })
    await welcomed.promise
    this.#report(this.endpoints, true)
  }

  beat(): void {
    this.#socket?.write(BEAT)
  }

  follow(version: number | null): void {
    this.#send({ type: 'follow', origin: version === null ? '' : ORIGIN, version: version ?? 0 })
  }

  change(number: number): void {
    const index = this.#changed++ % this.endpoints.length
    const old = this.endpoints[index]
    if (!old) return
    const endpoint = { ...old, slot: number }
    this.endpoints[index] = endpoint
    this.#report([endpoint], false)
  }

  #report(endpoints: Endpoint[], full: boolean): void {
    const rest = { gone: [], leaving: [], engineDown: false }
    this.#send({ type: 'report', seq: ++this.#seq, full, endpoints, ...rest })
  }

  #onDelta(payload: Buffer): void {
    for (const { slot } of decodeChanges(payload)?.endpoints ?? []) {
      const change = pending.get(slot)
      if (!change || --change.missing > 0) continue
      pending.delete(slot)
      times.push(performance.now() - change.madeAt)
    }
  }

  #send(message: object): void {
    this.#socket?.write(encodeMessage(message))
  }
}

let agents: SimulatedAgent[] = []
const received = () => agents.reduce((sum, agent) => sum + agent.bytes, 0)

/** As a real agent would. */
const retried = async (attempt: () => Promise<void>): Promise<void> => {
  for (let left = 20; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
      await delay(TUNABLES.reconnectMost)
    }
  }
}

const joinAll = async (order: Extract<AgentsOrder, { order: 'join' }>): Promise<AgentsAnswer> => {
  const start = performance.now()
  agents = order.hosts.map((host) => new SimulatedAgent(host, order.endpoints))
  const waiting = [...agents]
  const connectSome = async () => {
    for (let agent = waiting.pop(); agent; agent = waiting.pop()) {
      const certificates = await readCertificates(join(folder, agent.host))
      await retried(() => agent.connect(order.port, certificates))
    }
  }
  // As many as a real manager would have to shake hands with at once; beats go on meanwhile.
  setInterval(() => {
    for (const agent of agents) agent.beat()
  }, TUNABLES.heartbeat)
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectSome))
  return { order: 'join', ms: performance.now() - start }
}

const followAll = async (
  order: Extract<AgentsOrder, { order: 'follow' }>,
): Promise<AgentsAnswer> => {
  const start = performance.now()
  const before = received()
  const done: number[] = []
  const wait = agents.slice(0, order.followers).map(async (agent) => {
    const complete = new Promise<void>((resolve) => (agent.onComplete = resolve))
    agent.follow(order.from)
    // Who resumes gets nothing but what changes from now on.
    if (order.from === null) await complete
    done.push(performance.now() - start)
  })
  await Promise.all(wait)
  return {
    order: 'follow',
    latencies: latenciesOf([Math.max(...done)]),
    bytes: received() - before,
  }
}

const changeAll = async (
  order: Extract<AgentsOrder, { order: 'change' }>,
): Promise<AgentsAnswer> => {
  const before = received()
  const start = performance.now()
  const total = order.rate * order.seconds
  for (let number = 1; number <= total; number++) {
    // Each is due at its own time, whether or not the last has arrived.
    const wait = start + (number * 1000) / order.rate - performance.now()
    if (wait > 0) await delay(wait)
    // All take turns, so that no endpoint changes twice in one push.
    const agent = agents[number % agents.length]
    pending.set(number, { madeAt: performance.now(), missing: agents.length })
    agent?.change(number)
  }
  const limit = performance.now() + 10_000
  while (pending.size > 0 && performance.now() < limit) await delay(20)
  const bytes = received() - before
  return { order: 'change', latencies: latenciesOf(times), made: total, seen: times.length, bytes }
}

const obey = (order: AgentsOrder): Promise<AgentsAnswer> => {
  if (order.order === 'join') return joinAll(order)
  return order.order === 'follow' ? followAll(order) : changeAll(order)
}

process.on('message', (order) => {
  obey(order as AgentsOrder).then(
    (answer) => process.send?.(answer),
    (error: unknown) => end(String(error)),
  )
})
