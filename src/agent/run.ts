import { pino } from 'pino'
import {
  AGENT_PORT,
  AGENT_SOCKET,
  HOOKS_DIR,
  MEMBERS_RUN_DIR,
  METRICS_PORT,
  PLUGIN_SOCKET,
  RECIPES_DIR,
  VOLUMES_DIR,
  messageOf,
  systemClock,
} from '../base/index.ts'
import { Edge, EdgeContainer, type EdgeEvent } from '../edge/index.ts'
import { connectEngine } from '../engine/index.ts'
import { OverlayRepair } from '../overlay/index.ts'
import { RECIPES, type Recipe } from '../recipes/index.ts'
import { VipProgrammer } from '../vip/index.ts'
import { Agent } from './agent.ts'
import { HostVolumes } from './host-volumes.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { onceInAWhile } from './once-in-a-while.ts'

export interface RunOptions {
  version: string
  logLevel: string
  /** Address that metrics are served on. */
  metricsAddress: string
  /** This host's credentials for the registry of an image, as the engine takes them; default none. */
  registryAuth?: (image: string) => Promise<string | undefined>
  /** Clustered software that members can be made of; default all that comes with Muster. */
  recipes?: readonly Recipe[]
}

/** Lines that a full disk or a reader that is stuck may keep from us before they are dropped. */
const LOG_BACKLOG_BYTES = 2 ** 20
const STOP_LIMIT_MS = 8000

/** The whole life of `muster agent`: until SIGTERM or SIGINT. */
export const runAgent = async (options: RunOptions): Promise<void> => {
  const output = pino.destination({ fd: 1, sync: true, maxLength: LOG_BACKLOG_BYTES })
  // No place to write to is no reason to stop working.
  output.on('error', () => undefined)
  const log = pino(
    { level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    output,
  )
  const signal = untilTold()
  await using engine = connectEngine()
  const edge = new Edge({
    process: new EdgeContainer(engine),
    onEvent: (event) => onEdgeEvent(event, log, agent.metrics),
  })
  const vip = new VipProgrammer({
    onEvent: (event) => {
      if (event.type === 'applied') {
        agent.metrics.vipApplies.inc()
        agent.rulesApplied()
      } else if (event.type === 'failed') {
        agent.metrics.vipErrors.inc()
        log.warn({ container: event.container, reason: messageOf(event.error) }, 'virtual IPs')
      }
    },
  })
  const overlayTrouble = onceInAWhile(systemClock, (reason) =>
    log.warn({ reason }, 'overlay networks'),
  )
  const overlay = new OverlayRepair({
    engine,
    onRepaired: (network, addresses) => {
      agent.metrics.overlayRepairs.inc(addresses.length)
      log.warn({ network, addresses }, 'overlay network: the engine knew no way there')
    },
    onProblem: (error) => {
      agent.metrics.overlayErrors.inc()
      overlayTrouble(messageOf(error))
    },
  })
  const agent = new Agent({
    engine,
    edge,
    vip,
    overlay,
    volumes: new HostVolumes({
      engine,
      folder: VOLUMES_DIR,
      runFolder: MEMBERS_RUN_DIR,
      socket: PLUGIN_SOCKET,
    }),
    recipes: options.recipes ?? RECIPES,
    recipesFolder: RECIPES_DIR,
    registryAuth: options.registryAuth ?? (async () => undefined),
    socket: AGENT_SOCKET,
    port: AGENT_PORT,
    metrics: { port: METRICS_PORT, address: options.metricsAddress },
    version: options.version,
    hooksFolder: HOOKS_DIR,
    clock: systemClock,
    log,
  })
  await agent.start()
  log.info({ version: options.version, pid: process.pid }, 'agent started')
  await signal
  log.info('agent stops; routes and virtual IPs stay as they are')
  // Whatever hangs, hangs without us.
  setTimeout(() => process.exit(0), STOP_LIMIT_MS).unref()
  await agent[Symbol.asyncDispose]()
}

const untilTold = (): Promise<void> =>
  new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })

const onEdgeEvent = (event: EdgeEvent, log: Log, metrics: Metrics): void => {
  switch (event.type) {
    case 'applied':
      break
    case 'reloaded':
      metrics.edgeReloads.inc()
      break
    case 'connected':
      log.info({ pid: event.pid }, 'edge: HAProxy serves')
      break
    case 'conflicts':
      for (const { reason, service } of event.conflicts)
        log.warn({ service, reason }, 'edge: not published')
      break
    case 'disconnected':
      log.warn({ reason: messageOf(event.error ?? '') }, 'edge: HAProxy went away')
      break
    case 'reload-failed':
      metrics.edgeErrors.inc()
      log.error({ reason: event.reason }, 'edge: configuration refused')
      break
    case 'command-failed':
      metrics.edgeErrors.inc()
      log.warn({ command: event.command, answer: event.answer }, 'edge: command refused')
      break
    case 'network-failed':
      metrics.edgeErrors.inc()
      log.warn({ network: event.network, reason: messageOf(event.error) }, 'edge: network')
      break
    case 'write-failed':
    case 'process-failed':
    case 'failed':
      metrics.edgeErrors.inc()
      log.warn({ reason: messageOf(event.error) }, `edge: ${event.type}`)
      break
  }
}
