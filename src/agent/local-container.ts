/** What the inspection of a container says about an endpoint. Pure. */
import { LABEL } from '../base/index.ts'
import type { Endpoint, EndpointState, HostId, NetworkId } from '../catalog/index.ts'
import type { ContainerInspectResponse } from '../engine/index.ts'

/** A container of this host that is on at least one overlay network. */
export interface LocalContainer {
  /** Docker's container id. */
  id: string
  /** Process id of its first process, as this host counts; 0 before it starts. */
  pid: number
  /** Path of its network namespace. */
  netns: string
  /** Overlay networks that it is on, sorted, without Swarm's ingress. */
  networks: NetworkId[]
  /** Full Swarm name of its service; empty if it is no task. */
  serviceName: string
  /** What others may send it; null if it is no task of a service, or does not run (yet). */
  endpoint: Endpoint | null
  /** How long Docker lets it take to stop after SIGTERM, milliseconds. */
  stopLimit: number
  /** Signal that asks it to stop: `15`, `SIGQUIT`, ... */
  stopSignal: string
}

/** Labels that Swarm gives the containers of its tasks. */
export const TASK_LABELS = {
  task: 'com.docker.swarm.task.id',
  taskName: 'com.docker.swarm.task.name',
  service: 'com.docker.swarm.service.id',
  serviceName: 'com.docker.swarm.service.name',
} as const

/** Docker's default when neither image nor service says otherwise. */
const STOP_LIMIT_S = 10

/** Everything the agent wants to know; null if the container is on no overlay network. */
export const localContainer = (
  inspected: ContainerInspectResponse,
  host: HostId,
  isOverlay: (network: NetworkId) => boolean,
): LocalContainer | null => {
  const { Id: id, State: state, Config: config, NetworkSettings: settings } = inspected
  const labels = config?.Labels ?? {}
  // The edge reaches endpoints by their addresses; nothing is to be rewritten under it.
  if (id === undefined || labels[LABEL.edge] !== undefined) return null
  const addresses: Record<NetworkId, string> = {}
  for (const { NetworkID: network, IPAddress: address } of Object.values(
    settings?.Networks ?? {},
  )) {
    if (network && address && isOverlay(network)) addresses[network] = address
  }
  const networks = Object.keys(addresses).sort()
  if (networks.length === 0 || !settings?.SandboxKey) return null
  return {
    id,
    pid: state?.Pid ?? 0,
    netns: settings.SandboxKey,
    networks,
    serviceName: labels[TASK_LABELS.serviceName] ?? '',
    endpoint: endpointOf(inspected, host, addresses),
    stopLimit: (config?.StopTimeout ?? STOP_LIMIT_S) * 1000,
    stopSignal: config?.StopSignal || 'SIGTERM',
  }
}

const endpointOf = (
  { Id: container = '', State: state, Config: config }: ContainerInspectResponse,
  host: HostId,
  addresses: Record<NetworkId, string>,
): Endpoint | null => {
  const labels = config?.Labels ?? {}
  const id = labels[TASK_LABELS.task]
  const service = labels[TASK_LABELS.service]
  if (!id || !service || !state?.Running) return null
  return {
    id,
    host,
    service,
    container,
    slot: slotOf(labels[TASK_LABELS.taskName] ?? '', labels[TASK_LABELS.serviceName] ?? ''),
    addresses,
    state: stateOf(state),
  }
}

const stateOf = (state: NonNullable<ContainerInspectResponse['State']>): EndpointState => {
  // A paused container accepts connections and answers nothing.
  if (state.Paused) return 'unhealthy'
  if (state.Health?.Status === 'starting') return 'starting'
  return state.Health?.Status === 'unhealthy' ? 'unhealthy' : 'ready'
}

/** From `shop_web.3.<task id>`, 3; from a global service's `shop_web.<host id>.<task id>`, 0. */
export const slotOf = (taskName: string, serviceName: string): number => {
  const slot = taskName.slice(serviceName.length + 1).split('.')[0] ?? ''
  return /^\d{1,9}$/.test(slot) ? Number(slot) : 0
}

const SIGNAL_NUMBERS: Record<string, string> = {
  SIGHUP: '1',
  SIGINT: '2',
  SIGQUIT: '3',
  SIGKILL: '9',
  SIGUSR1: '10',
  SIGUSR2: '12',
  SIGTERM: '15',
  SIGWINCH: '28',
}

/** A signal as Docker's events name it (a number), whichever way it was written. */
const signalNumber = (signal: string): string => {
  const name = signal.toUpperCase()
  return SIGNAL_NUMBERS[name.startsWith('SIG') ? name : `SIG${name}`] ?? signal
}

/** Whether a signal means that the container is to end. Others (a reload) leave it serving. */
export const isEnding = (signal: string, stopSignal: string): boolean =>
  ['9', '15', signalNumber(stopSignal)].includes(signalNumber(signal))
