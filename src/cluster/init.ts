import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import {
  type ClusterSettings,
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_SETTINGS,
  MusterError,
  parseSettings,
  settingsLabels,
} from '../base/index.ts'
import type { Engine, SwarmSpec } from '../engine/index.ts'
import { chooseAdvertiseAddress, defaultRouteInterface } from './address.ts'

export interface InitOptions {
  advertiseAddr?: string
  heartbeatMs?: number
  restartDelayMs?: number
  edgeImage?: string
}

export interface InitResult {
  /** False when this host already led or belonged to a cluster. */
  created: boolean
  /** What was set, in words; empty when there was nothing to do. */
  changes: string[]
}

/**
 * Makes this host the first manager of a cluster, or brings the cluster it belongs to up to the
 * asked settings. Doing it twice changes nothing the second time.
 */
export const initCluster = async (engine: Engine, options: InitOptions): Promise<InitResult> => {
  const swarm = (await engine.info()).Swarm
  let created = false
  switch (swarm?.LocalNodeState) {
    case 'active':
      if (!swarm.ControlAvailable) {
        throw new MusterError('NOT_A_MANAGER', 'This host is already a worker of a cluster.', {
          hint: 'To start a cluster of its own, take it out first: muster leave.',
        })
      }
      break
    case 'pending':
    case 'locked':
    case 'error':
      throw new MusterError(
        'ENGINE_REFUSED',
        `Swarm on this host is ${swarm.LocalNodeState}: ${swarm.Error || 'no reason given'}.`,
        { hint: 'A locked one needs `docker swarm unlock`; a failed one `muster leave --force`.' },
      )
    case 'inactive':
    case '':
    case undefined: {
      const advertiseAddr = options.advertiseAddr ?? (await ownAddress())
      await engine.initSwarm({ advertiseAddr })
      created = true
    }
  }
  const { Spec: spec, Version: version } = await engine.inspectSwarm()
  const wanted = withOptions(spec, options, created)
  const changes = describeChanges(spec, wanted)
  if (changes.length > 0) await engine.updateSwarm(version.Index, wanted)
  return { created, changes }
}

/**
 * The cluster's spec with the options in it. What the user did not name is left as it is, except on
 * a cluster that Muster has never seen (no settings in its labels): that one gets the defaults.
 */
export const withOptions = (spec: SwarmSpec, options: InitOptions, created: boolean): SwarmSpec => {
  const current: ClusterSettings = parseSettings(spec.Labels)
  const settings: ClusterSettings = {
    edgeImage: options.edgeImage ?? current.edgeImage,
    restartDelayMs: options.restartDelayMs ?? current.restartDelayMs,
  }
  const known = Object.keys(settingsLabels(DEFAULT_SETTINGS)).some((k) => k in (spec.Labels ?? {}))
  const heartbeatMs = options.heartbeatMs ?? (created || !known ? DEFAULT_HEARTBEAT_MS : undefined)
  return {
    ...spec,
    Labels: { ...spec.Labels, ...settingsLabels(settings) },
    ...(heartbeatMs === undefined
      ? {}
      : { Dispatcher: { ...spec.Dispatcher, HeartbeatPeriod: heartbeatMs * 1_000_000 } }),
  }
}

const describeChanges = (before: SwarmSpec, after: SwarmSpec): string[] => {
  const changes: string[] = []
  const beat = (spec: SwarmSpec) => (spec.Dispatcher?.HeartbeatPeriod ?? 0) / 1e6
  if (beat(before) !== beat(after)) {
    changes.push(
      `hosts report every ${beat(after)} ms (was ${beat(before)}), down after three misses`,
    )
  }
  const [old, now] = [before.Labels ?? {}, after.Labels ?? {}]
  for (const [key, value] of Object.entries(now)) {
    if (old[key] !== value) changes.push(`${key} = ${value}`)
  }
  return changes
}

const ownAddress = async (): Promise<string> => {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? [])
      .filter((a) => a.family === 'IPv4' && !a.internal)
      .map((a) => ({ interface: name, address: a.address })),
  )
  const routes = await readFile('/proc/net/route', 'utf8')
  return chooseAdvertiseAddress(addresses, defaultRouteInterface(routes))
}
