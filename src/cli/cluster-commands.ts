import { realpathSync } from 'node:fs'
import { dirname, join as joinPath } from 'node:path'
import { LOG_DIR, MusterError, parseDuration, systemClock } from '../base/index.ts'
import {
  applyLabels,
  changeNode,
  type AgentService,
  ensureAgent,
  findNode,
  initCluster,
  joinCluster,
  joinTokens,
  leaveCluster,
  nodeRows,
  removeAgent,
  removeHost,
  supervise,
  waitDrained,
} from '../cluster/index.ts'
import { EdgeContainer } from '../edge/index.ts'
import { type Engine, type Node, connectEngine } from '../engine/index.ts'
import { handOver, writersOn } from '../members/index.ts'
import { dropAnchor } from '../volumes/index.ts'
import { whoAmI } from './members.ts'
import { bytes, parseFormat, plural, printRows } from './output.ts'

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

/** The `muster` that is running, as a service manager has to call it. */
const ownCommand = (): string =>
  joinPath(dirname(dirname(realpathSync(process.argv[1] ?? '/usr/bin/muster'))), 'bin', 'muster')

/**
 * The agent runs before this host is in a cluster: a host that joins tells Swarm its volume drivers,
 * and would tell of a later one only after 20 seconds.
 */
const startAgent = async (engine: Engine): Promise<AgentService> => {
  const agent = await ensureAgent(ownCommand(), systemClock)
  await dropAnchor(engine)
  return agent
}

export const init = async (options: Record<string, string>): Promise<void> => {
  await using engine = connectEngine()
  const agent = await startAgent(engine)
  const { created, changes } = await initCluster(engine, {
    ...(options.advertiseAddr === undefined ? {} : { advertiseAddr: options.advertiseAddr }),
    ...(options.heartbeat === undefined
      ? {}
      : { heartbeatMs: parseDuration(options.heartbeat, '--heartbeat') }),
    ...(options.restartDelay === undefined
      ? {}
      : { restartDelayMs: parseDuration(options.restartDelay, '--restart-delay') }),
    ...(options.edgeImage === undefined ? {} : { edgeImage: options.edgeImage }),
  })
  if (!created && changes.length === 0 && agent === 'running already') {
    say('This host is a manager of its cluster already; there is nothing to do.')
    return
  }
  say(created ? 'Cluster created; this host is its first manager.' : 'This cluster is set up.')
  for (const change of changes) say(`  ${change}`)
  say(`  agent: ${agent}`)
  const tokens = await joinTokens(engine)
  say('\nAdd servers by running one of these on them:')
  say(
    `  as a manager (have 3 to survive the loss of one):\n    ${joinCommand(tokens.address, tokens.manager)}`,
  )
  say(`  as a worker:\n    ${joinCommand(tokens.address, tokens.worker)}`)
}

const joinCommand = (address: string, token: string) => `muster join ${address} --token ${token}`

export const join = async (address: string, options: Record<string, string>): Promise<void> => {
  await using engine = connectEngine()
  const agent = await startAgent(engine)
  const { joined, role } = await joinCluster(engine, {
    address,
    token: options.token ?? '',
    ...(options.advertiseAddr === undefined ? {} : { advertiseAddr: options.advertiseAddr }),
  })
  say(
    joined
      ? `This host joined the cluster as a ${role}. Agent: ${agent}.`
      : `This host is a ${role} of a cluster already; there is nothing to do.`,
  )
}

export const leave = async (options: { force?: boolean }): Promise<void> => {
  await using engine = connectEngine()
  const { left } = await leaveCluster(engine, {
    force: options.force ?? false,
    clock: systemClock,
    onWait: (what) => say(`waiting for ${what}`),
  })
  if (await removeAgent(systemClock)) await new EdgeContainer(engine).remove()
  say(
    left
      ? 'This host left its cluster. On a manager, `muster node rm` forgets it.'
      : 'This host is in no cluster; there is nothing to do.',
  )
}

export const token = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const tokens = await joinTokens(engine)
  if (format === 'json') return say(JSON.stringify(tokens, null, 2))
  say(`manager:  ${joinCommand(tokens.address, tokens.manager)}`)
  say(`worker:   ${joinCommand(tokens.address, tokens.worker)}`)
}

export const nodeLs = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const [nodes, tasks] = await Promise.all([engine.listNodes(), engine.listTasks()])
  printRows(
    nodeRows(nodes, tasks),
    [
      { head: 'HOST', cell: (row) => row.name },
      { head: 'STATE', cell: (row) => row.state },
      {
        head: 'TAKES TASKS',
        cell: (row) => (row.availability === 'active' ? 'yes' : row.availability),
      },
      { head: 'ROLE', cell: (row) => row.role },
      { head: 'ADDRESS', cell: (row) => row.address },
      { head: 'TASKS', cell: (row) => String(row.tasks) },
      { head: 'CPU RESERVED', cell: (row) => `${row.reserved.cpus}/${row.capacity.cpus}` },
      {
        head: 'MEMORY RESERVED',
        cell: (row) => `${bytes(row.reserved.memory)}/${bytes(row.capacity.memory)}`,
      },
      { head: 'ENGINE', cell: (row) => row.engine },
    ],
    format,
  )
}

export const nodeDrain = async (
  host: string,
  options: { timeout: string; detach?: boolean },
): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  await moveWriters(engine, findNode(await engine.listNodes(), host))
  const node = await changeNode(engine, host, (spec) => ({ ...spec, Availability: 'drain' }))
  if (options.detach) return say(`${host} is being drained.`)
  await waitDrained(engine, node.ID, {
    timeoutMs,
    clock: systemClock,
    onProgress: (left) => {
      if (left > 0) say(`${host}: ${plural(left, 'task')} left`)
    },
  })
  say(`${host} is drained: nothing runs there. Back to work: muster node activate ${host}`)
}

/** Swarm stops what runs there at once: who takes writes is to have handed them over before. */
const moveWriters = async (engine: Engine, node: Node): Promise<void> => {
  for (const stored of await writersOn(engine, node.ID)) {
    try {
      const { from, to } = await handOver(engine, { stored, by: whoAmI(), now: Date.now() })
      say(`${to} takes the writes of ${stored.ledger.cluster} (before: ${from})`)
    } catch (error) {
      // There may be nobody else; draining was asked for all the same.
      if (!(error instanceof MusterError)) throw error
      say(`warning: ${error.message}`)
    }
  }
}

export const nodeActivate = async (host: string): Promise<void> => {
  await using engine = connectEngine()
  await changeNode(engine, host, (spec) => ({ ...spec, Availability: 'active' }))
  say(`${host} takes tasks again.`)
}

export const nodeRm = async (host: string, options: { force?: boolean }): Promise<void> => {
  await using engine = connectEngine()
  await removeHost(engine, host, { force: options.force ?? false })
  say(`${host} is removed from the cluster.`)
}

export const nodeLabel = async (host: string, changes: string[]): Promise<void> => {
  await using engine = connectEngine()
  const node =
    changes.length === 0
      ? findNode(await engine.listNodes(), host)
      : await changeNode(engine, host, (spec) => ({
          ...spec,
          Labels: applyLabels(spec.Labels ?? {}, changes),
        }))
  for (const [key, value] of Object.entries(node.Spec.Labels ?? {})) say(`${key}=${value}`)
}

/** Keeps `muster agent` running until told to stop; its own messages go to stdout. */
export const superviseAgent = async (): Promise<void> => {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  await supervise(
    [{ name: 'agent', command: ownCommand(), args: ['agent'], logFile: `${LOG_DIR}/agent.log` }],
    { signal: stop.signal, onEvent: (line) => say(`${new Date().toISOString()} ${line}`) },
  )
}
