/** Swarm's objects as the catalog needs them. Pure; what is invalid is named, never passed on. */
import { LABEL, parseSettings } from '../base/index.ts'
import {
  type CatalogService,
  type ClusterSettings,
  CorruptMessage,
  type Decode,
  type Endpoint,
  type NetworkId,
  type SwarmHost,
  type SwarmTask,
  fromJson,
  schema,
} from '../catalog/index.ts'
import type { Node, Service, Task } from '../engine/index.ts'

/** A value, and what had to be left out of it. */
export interface Read<T> {
  value: T
  problems: string[]
}

/** The value if it is valid, or what stands in for it. */
const valid = <T>(decode: Decode<T>, value: unknown, absent: T): T => {
  try {
    return decode(value, '')
  } catch (error) {
    if (!(error instanceof CorruptMessage)) throw error
    return absent
  }
}

/** `address:port` or an address alone, without the port. */
export const withoutPort = (address: string): string =>
  /^\[(.*)\]:\d+$/.exec(address)?.[1] ?? /^([^:]*):\d+$/.exec(address)?.[1] ?? address

export const hostOf = (node: Node): SwarmHost => {
  const manager = node.ManagerStatus
  // A leader's own status address can be 0.0.0.0.
  const address = withoutPort(manager?.Addr || node.Status?.Addr || '')
  return {
    id: node.ID,
    name: valid(schema.hostName, node.Description?.Hostname, '') || node.ID,
    address: valid(schema.hostAddress, address, ''),
    manager: node.Spec.Role === 'manager',
    leader: manager?.Leader === true,
    down: node.Status?.State === 'down',
  }
}

export const serviceOf = (
  service: Service,
  isIngress: (network: NetworkId) => boolean,
): Read<CatalogService> => {
  const problems: string[] = []
  const { Name: name, Labels: labels = {} } = service.Spec
  const label = <T>(key: string, decode: Decode<T>): T[] => {
    const json = labels[key]
    if (json === undefined || json === '') return []
    try {
      return fromJson(json, (value, at) => listOf(decode, value, at), `label ${key}`)
    } catch (error) {
      if (!(error instanceof CorruptMessage)) throw error
      problems.push(`service ${name}: ${error.message}`)
      return []
    }
  }
  const virtualIps: Record<NetworkId, string> = {}
  const networks = new Set<NetworkId>()
  for (const { NetworkID: id, Addr: address } of service.Endpoint?.VirtualIPs ?? []) {
    if (!id || isIngress(id)) continue
    networks.add(id)
    const ip = valid(schema.ipv4, (address ?? '').split('/')[0], '')
    if (ip !== '') virtualIps[id] = ip
  }
  for (const { Target: id } of service.Spec.TaskTemplate?.Networks ?? []) {
    if (id && !isIngress(id)) networks.add(id)
  }
  const value: CatalogService = {
    id: service.ID,
    name,
    stack: valid(schema.name, labels[LABEL.stack], '') || null,
    virtualIps,
    networks: [...networks].sort(),
    ports: label(LABEL.ports, schema.publishedPort),
    http: label(LABEL.http, schema.httpRoute),
  }
  return { value, problems }
}

const listOf = <T>(decode: Decode<T>, value: unknown, at: string): T[] => {
  if (!Array.isArray(value)) throw new CorruptMessage(`${at}: expected a list`)
  return value.map((entry: unknown, i) => decode(entry, `${at}[${i}]`))
}

/** Null for a task that nobody can reach: it has no host or no address yet. */
export const taskOf = (
  task: Task,
  isIngress: (network: NetworkId) => boolean,
): SwarmTask | null => {
  const addresses: Record<NetworkId, string> = {}
  for (const { Network, Addresses } of task.NetworksAttachments ?? []) {
    const ip = valid(schema.ipv4, Addresses?.[0]?.split('/')[0], '')
    if (ip !== '' && !isIngress(Network.ID)) addresses[Network.ID] = ip
  }
  if (!task.NodeID || !task.ServiceID || Object.keys(addresses).length === 0) return null
  const endpoint: Endpoint = {
    id: task.ID,
    host: task.NodeID,
    service: task.ServiceID,
    container: task.Status?.ContainerStatus?.ContainerID || task.ID,
    slot: task.Slot ?? 0,
    addresses,
    // Swarm calls a task running only after its health check has passed.
    state: 'ready',
  }
  return {
    id: task.ID,
    desired: task.DesiredState ?? '',
    state: task.Status?.State ?? '',
    endpoint,
  }
}

export const settingsOf = (labels: Record<string, string> | undefined): Read<ClusterSettings> => {
  const settings = parseSettings(labels)
  const value = valid(schema.settings, settings, parseSettings(undefined))
  return {
    value,
    problems:
      value.edgeImage === settings.edgeImage
        ? []
        : [`label ${LABEL.edgeImage}: "${settings.edgeImage}" is no image reference`],
  }
}
