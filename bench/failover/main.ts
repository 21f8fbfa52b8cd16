/**
 * What clients notice of each fault: 200 requests a second through the edge of a host that stays up
 * and, at the same time, through a virtual IP by a client in a container that never retries. Beside
 * it the same service on plain Swarm (`dnsrr`), through nginx with `resolver valid=1s` and a 1 s
 * connect timeout, and by a client that picks one DNS address. Both sides in one run on one lab.
 *
 *   npm run bench:failover [-- --faults "host powered off,agent killed"] [--keep]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MusterError, until } from '../../src/base/index.ts'
import type { Engine } from '../../src/engine/index.ts'
import { type Lab, type LoadSummary, summarize } from '../../src/lab/index.ts'
import {
  benchLab,
  engineOf,
  loadFromContainer,
  loadFromMachine,
  machine,
  markdownTable,
  on,
  untilRunning,
} from '../support.ts'
import { FAULTS, type Fault, type Scene } from './faults.ts'
import { MUSTER_STACK, PLAIN_STACK, type Side } from './stacks.ts'

const RATE = 200
const BEFORE_MS = 3_000
const REPLICAS = 6

/** One line of the table. */
interface Outcome {
  fault: string
  path: string
  summary: LoadSummary
  /** Milliseconds from the loss of a host until all replicas ran elsewhere. */
  replacedMs?: number
}

const { values: flags } = parseArgs({
  options: { faults: { type: 'string' }, side: { type: 'string' }, keep: { type: 'boolean' } },
})
const chosen = flags.faults === undefined ? FAULTS : pick(flags.faults)

const lab = await benchLab({
  name: 'bench',
  hosts: 3,
  images: { 'bench/web:1': 'web', 'bench/web:2': 'web', 'bench/resolver:1': 'resolver' },
})
try {
  await labelHosts(lab)
  const outcomes: Outcome[] = []
  for (const side of [PLAIN_STACK, MUSTER_STACK]) {
    if (flags.side !== undefined && flags.side !== side.name) continue
    await side.deploy(lab)
    for (const fault of chosen) {
      if (fault.musterOnly && side !== MUSTER_STACK) continue
      process.stderr.write(`${side.name}: ${fault.name}\n`)
      const results = await measure(lab, side, fault)
      for (const result of results) process.stderr.write(`  ${JSON.stringify(result)}\n`)
      outcomes.push(...results)
    }
    await side.remove(lab)
  }
  process.stdout.write(`${report(outcomes)}\n`)
} finally {
  if (!flags.keep) await lab[Symbol.asyncDispose]()
}

async function measure(lab: Lab, side: Side, fault: Fault): Promise<Outcome[]> {
  const leader = await leaderOf(lab)
  const followers = lab.hosts.filter((host) => host !== leader)
  const victim = (fault.victim === 'leader' ? leader : followers[0]) ?? ''
  const observer = followers.find((host) => host !== victim) ?? ''
  await using engine = engineOf(lab, observer)
  const scene: Scene = {
    lab,
    observer,
    victim,
    engine,
    service: side.service,
    scale: (count) => side.scale(lab, observer, count),
    update: () => side.update(lab, observer),
  }
  await spread(scene)
  await side.settle(lab, engine)
  const lost = (await engine.listNodes()).find((n) => n.Description?.Hostname === victim)?.ID
  const durationMs = BEFORE_MS + fault.watchMs
  const paths = await side.paths(lab, engine, observer)
  const loads = Promise.all([
    loadFromMachine({ ...paths.edge, rate: RATE, durationMs }),
    loadFromContainer(lab, paths.client, { ...paths.inside, rate: RATE, durationMs }),
  ])
  await delay(BEFORE_MS)
  const faultAt = Date.now()
  const [, replacedMs] = await Promise.all([
    fault.strike(scene),
    fault.losesHost ? replacement(scene, { lost, faultAt }) : undefined,
  ])
  const [edge, inside] = await loads
  await sameClient(lab, paths.client)
  await fault.mend(scene)
  await untilHealthy(lab, engine)
  const extra = replacedMs === undefined ? {} : { replacedMs }
  return [
    { fault: fault.name, path: side.edgeName, summary: summarize(edge, faultAt), ...extra },
    { fault: fault.name, path: side.insideName, summary: summarize(inside, faultAt), ...extra },
  ]
}

/**
 * A label of its own for each host, to spread by: Swarm otherwise avoids a host for five minutes after
 * several tasks of a service have failed there, and then a fault there would meet nothing.
 */
async function labelHosts(lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    await on(lab, lab.hosts[0] ?? '', [
      'docker',
      'node',
      'update',
      '--label-add',
      `spread=${host}`,
      host,
    ])
  }
}

/** The client is no part of what is measured: without its container there is nothing to compare. */
async function sameClient(lab: Lab, client: { host: string; id: string }): Promise<void> {
  await using engine = engineOf(lab, client.host)
  const { State: state } = await engine.inspectContainer(client.id)
  if (state?.Running) return
  throw new Error(
    `the client's container on ${client.host} ended at ${state?.FinishedAt} with ${state?.ExitCode} ${state?.Error}`,
  )
}

/** The same number of replicas on every host: a fault that meets none of them measures nothing. */
async function spread(scene: Scene): Promise<void> {
  const { engine, service, lab } = scene
  const perHost = async () => {
    const tasks = await engine.listTasks({ service: [service], 'desired-state': ['running'] })
    return Map.groupBy(tasks, (task) => task.NodeID ?? '')
  }
  const even = REPLICAS / lab.hosts.length
  if ([...(await perHost()).values()].some((tasks) => tasks.length !== even)) {
    await scene.scale(1)
    await untilRunning(engine, service, 1)
    await scene.scale(REPLICAS)
  }
  await untilRunning(engine, service, REPLICAS)
  const victim = (await engine.listNodes()).find((n) => n.Description?.Hostname === scene.victim)
  if (!(await perHost()).has(victim?.ID ?? '')) {
    throw new Error(`No replica of ${service} is on ${scene.victim}: the fault would meet nothing.`)
  }
}

/** Waits until all replicas run on other hosts than the lost one; milliseconds since the fault. */
function replacement(
  { engine, service }: Scene,
  { lost, faultAt }: { lost: string | undefined; faultAt: number },
): Promise<number> {
  return until(
    `${REPLICAS} tasks of ${service} on other hosts`,
    async () => {
      try {
        const tasks = await engine.listTasks({ service: [service], 'desired-state': ['running'] })
        const elsewhere = tasks.filter((t) => t.NodeID !== lost && t.Status?.State === 'running')
        return elsewhere.length >= REPLICAS && Date.now() - faultAt
      } catch (error) {
        // Without a leader there is no answer: that is part of what is measured.
        if (error instanceof MusterError) return false
        throw error
      }
    },
    { timeoutMs: 120_000, intervalMs: 100 },
  )
}

async function leaderOf(lab: Lab): Promise<string> {
  await using engine = engineOf(lab, lab.hosts[0] ?? '')
  return until(
    'a leader',
    async () => {
      try {
        const nodes = await engine.listNodes({ role: ['manager'] })
        return nodes.find((node) => node.ManagerStatus?.Leader)?.Description?.Hostname
      } catch (error) {
        // A host that has just come back may need an election before it can answer.
        if (error instanceof MusterError) return undefined
        throw error
      }
    },
    { timeoutMs: 120_000, intervalMs: 200 },
  )
}

async function untilHealthy(lab: Lab, engine: Engine): Promise<void> {
  await until(
    'all hosts to be ready managers',
    async () => {
      try {
        const nodes = await engine.listNodes()
        return (
          nodes.length === lab.hosts.length &&
          nodes.every(
            (n) => n.Status?.State === 'ready' && n.ManagerStatus?.Reachability === 'reachable',
          )
        )
      } catch (error) {
        if (error instanceof MusterError) return false
        throw error
      }
    },
    { timeoutMs: 120_000, intervalMs: 200 },
  )
}

function report(outcomes: Outcome[]): string {
  const rows = outcomes.map(({ fault, path, summary, replacedMs }) => [
    fault,
    path,
    String(summary.requests),
    String(summary.failed),
    String(summary.slow),
    summary.failed === 0 ? '-' : `${(summary.lastFailureMs / 1000).toFixed(1)} s`,
    `${(summary.longestMs / 1000).toFixed(2)} s`,
    replacedMs === undefined ? '-' : `${(replacedMs / 1000).toFixed(1)} s`,
  ])
  const order = (row: string[]) => FAULTS.findIndex((fault) => fault.name === row[0])
  rows.sort((a, b) => order(a) - order(b))
  return [
    `Failover, ${RATE} requests/s on each path, a new connection each. ${machine()}.`,
    '',
    markdownTable(
      [
        'fault',
        'path',
        'requests',
        'failed',
        'over 500 ms',
        'last failure',
        'longest wait',
        'replaced after',
      ],
      rows,
    ),
  ].join('\n')
}

function pick(list: string): Fault[] {
  return list.split(',').map((name) => {
    const fault = FAULTS.find((one) => one.name === name.trim())
    if (!fault)
      throw new Error(`No fault "${name}". There are: ${FAULTS.map((f) => f.name).join(', ')}`)
    return fault
  })
}
