/**
 * `npm run bench:scale`: one manager and many simulated agents, over real TLS on the loopback, each
 * with a certificate of its own. Agents change endpoints at random moments; measured is the time
 * until the last of all followers has the change. The other side: pushing the whole catalog each
 * time, as a manager without increments would have to.
 *
 *     node bench/scale.ts [--hosts 1000] [--endpoints 50] [--rate 200] [--seconds 20] [--idle 60]
 *
 * Then what a real agent costs on an idle host of a lab, beside its engine.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readCertificates } from '../src/agent/certificates.ts'
import { Manager } from '../src/agent/manager.ts'
import { PeerServer } from '../src/agent/server.ts'
import { TestAuthority } from '../src/agent/test-certificates.ts'
import { systemClock } from '../src/base/index.ts'
import { TUNABLES, attentiveClock } from '../src/catalog/index.ts'
import { bytes, table } from '../src/cli/output.ts'
import { idleCosts } from './scale/idle.ts'
import type { AgentsAnswer, AgentsOrder, Latencies } from './scale/protocol.ts'

const MANAGER = 'manager'
const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1000' },
    endpoints: { type: 'string', default: '50' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    idle: { type: 'string', default: '60' },
  },
})
const hosts = Number(values.hosts)
const endpoints = Number(values.endpoints)
const rate = Number(values.rate)
const seconds = Number(values.seconds)
const say = (line: string) => process.stderr.write(`${line}\n`)

/** Far more than each step takes on an idle machine with two cores. */
const STEP_LIMIT_MS = 240_000

/** The other process, one question at a time. */
class Agents {
  readonly #child: ChildProcess

  constructor(folder: string) {
    this.#child = fork(new URL('scale/agents.ts', import.meta.url), [folder], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
  }

  ask<O extends AgentsOrder['order']>(
    order: Extract<AgentsOrder, { order: O }>,
  ): Promise<Extract<AgentsAnswer, { order: O }>> {
    return new Promise((resolve, reject) => {
      const ended = () =>
        reject(new Error(`the agents ended before they had done "${order.order}"`))
      const limit = setTimeout(() => {
        reject(new Error(`the agents did not "${order.order}" within ${STEP_LIMIT_MS / 1000} s`))
      }, STEP_LIMIT_MS)
      this.#child.once('exit', ended)
      this.#child.once('message', (answer) => {
        clearTimeout(limit)
        this.#child.off('exit', ended)
        resolve(answer as Extract<AgentsAnswer, { order: O }>)
      })
      this.#child.send(order)
    })
  }

  end(): void {
    this.#child.kill()
  }
}

const startManager = async (folder: string) => {
  const clock = attentiveClock(systemClock)
  const ids = Array.from({ length: hosts }, (_, i) => `host${i}`)
  let bytesPushed = 0
  let pushes = 0
  const manager = new Manager({
    self: MANAGER,
    origin: `${MANAGER} 1`,
    now: () => clock.now(),
    // Every simulated host's kernel is this machine's.
    probe: () => Promise.resolve('answered'),
    events: {
      onPush: ({ versions }) => {
        pushes++
        bytesPushed += versions
      },
      onResync: () => undefined,
      onRefusal: (reason, from) => say(`refused ${from}: ${reason}`),
      onHostState: () => undefined,
      onDoubt: () => undefined,
      onStreamEnd: (host, reason, error) => {
        if (reason !== 'closed') say(`stream of ${host} ended: ${reason} ${error?.message ?? ''}`)
      },
    },
  })
  const known = new Set(ids)
  const server = new PeerServer({
    certificates: await readCertificates(folder),
    port: 0,
    address: '127.0.0.1',
    version: 'bench',
    admit: ({ host }) => (known.has(host) ? null : 'unknown-host'),
    onStream: (visitor) => manager.accept(visitor),
    onExec: ({ socket }) => socket.destroy(),
    onRefusal: (reason, from) => say(`refused ${from}: ${reason}`),
  })
  manager.sources.setHosts(
    [MANAGER, ...ids].map((id) => ({
      id,
      name: id,
      address: '127.0.0.1',
      manager: id === MANAGER,
      leader: id === MANAGER,
      down: false,
    })),
  )
  manager.serving = true
  manager.leader = true
  manager.hostsChanged()
  await server.start()
  const ticker = setInterval(() => {
    clock.tick()
    manager.tick()
  }, TUNABLES.tick)
  return { manager, server, ticker, ids, pushes: () => pushes }
}

/** Highest resident memory and processor share of this process, from now until asked. */
const watchSelf = () => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  let most = process.memoryUsage.rss()
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 100)
  return () => {
    clearInterval(timer)
    const { user, system } = process.cpuUsage(cpu)
    return { rss: most, cores: (user + system) / 1000 / (performance.now() - start) }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'muster-scale-'))
const agents = new Agents(folder)
try {
  say(`making ${hosts} certificates`)
  const authority = new TestAuthority(folder)
  const own = authority.issue(MANAGER, 'swarm-manager')
  const { manager, server, ticker, ids, pushes } = await startManager(own)
  for (const id of ids) {
    authority.issue(id, 'swarm-worker', { keyOf: MANAGER })
  }

  say(`connecting ${hosts} agents with ${endpoints} endpoints each`)
  const whole = watchSelf()
  const joined = await agents.ask({ order: 'join', hosts: ids, endpoints, port: server.port })
  say(`connected and reported in ${(joined.ms / 1000).toFixed(1)} s`)
  while (manager.table.endpoints.size < hosts * endpoints) await systemClock.sleep(50)

  await agents.ask({ order: 'follow', from: manager.version, followers: hosts })
  const quiet = watchSelf()
  await systemClock.sleep(5000)
  const idle = quiet()
  say(`changing ${rate} endpoints a second for ${seconds} s`)
  const busy = watchSelf()
  const before = pushes()
  const changes = await agents.ask({ order: 'change', rate, seconds })
  const load = busy()
  const pushCount = pushes() - before

  // To all of them it would be gigabytes; a tenth shows enough.
  const some = Math.max(1, Math.floor(hosts / 10))
  say(`the whole catalog to ${some} followers, once`)
  const full = await agents.ask({
    order: 'follow',
    from: null,
    followers: some,
  })
  const memory = whole()
  clearInterval(ticker)

  const ms = (value: number) => `${value.toFixed(0)} ms`
  const row = (way: string, latencies: Latencies, sent: string) => ({
    way,
    p50: ms(latencies.p50),
    p99: ms(latencies.p99),
    longest: ms(latencies.longest),
    sent,
  })
  const perPush = changes.bytes / hosts / Math.max(1, pushCount)
  process.stdout.write(
    `\n${hosts} hosts, ${hosts * endpoints} endpoints, ${rate} changes/s, ${cpus()[0]?.model ?? 'unknown processor'} x ${availableParallelism()}\n\n`,
  )
  process.stdout.write(
    table(
      [
        row('changes only', changes.latencies, bytes(perPush)),
        row(`whole catalog, to ${some} only`, full.latencies, bytes(full.bytes / some)),
      ],
      [
        { head: 'CHANGE TO THE LAST FOLLOWER', cell: (each) => each.way },
        { head: 'P50', cell: (each) => each.p50 },
        { head: 'P99', cell: (each) => each.p99 },
        { head: 'LONGEST', cell: (each) => each.longest },
        { head: 'SENT TO EACH', cell: (each) => each.sent },
      ],
    ),
  )
  process.stdout.write(
    `\nmanager: at most ${bytes(memory.rss)} resident, ${idle.cores.toFixed(2)} cores with nothing to push, ${load.cores.toFixed(2)} under load (${(pushCount / seconds).toFixed(0)} pushes a second)\n`,
  )
  process.stdout.write(
    `changes made ${changes.made}, seen by all followers ${changes.seen}, not within 10 s ${changes.made - changes.seen}\n`,
  )
  const failed = changes.seen < changes.made || changes.latencies.p99 > 250 || memory.rss > 2 ** 30
  process.stdout.write(
    `goals (p99 at most 250 ms, at most 1 GiB): ${failed ? 'MISSED' : 'reached'}\n`,
  )
  manager[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
  process.exitCode = failed ? 1 : 0
} finally {
  agents.end()
  rmSync(folder, { recursive: true })
}

const idleSeconds = Number(values.idle)
say(`three idle hosts for ${idleSeconds} s`)
const costs = await idleCosts(idleSeconds)
process.stdout.write(`\nidle hosts, ${idleSeconds} s\n\n`)
process.stdout.write(
  table(costs, [
    { head: 'HOST', cell: (each) => each.host },
    { head: 'PROCESS', cell: (each) => each.process },
    { head: 'RESIDENT', cell: (each) => bytes(each.memory) },
    { head: 'OF A CORE', cell: (each) => `${(each.cores * 100).toFixed(1)} %` },
  ]),
)
const dear = costs.some(
  (each) => each.process === 'agent' && (each.memory > 100e6 || each.cores > 0.01),
)
process.stdout.write(
  `goals (an agent at most 100 MB and 1 % of a core): ${dear ? 'MISSED' : 'reached'}\n`,
)
if (dear) process.exitCode = 1
