/** Where this host is: in which swarm, as what, beside which managers. Pure. */
import { join } from 'node:path'
import type { HostId } from '../catalog/index.ts'
import type { SystemInfo } from '../engine/index.ts'
import { withoutPort } from './swarm-objects.ts'

export interface Membership {
  host: HostId
  name: string
  /** Address that other hosts reach this one at. */
  address: string
  /** Its engine answers for the cluster. */
  manager: boolean
  managers: { id: HostId; address: string }[]
  /** Folder of Swarm's certificates. */
  certificates: string
}

/** - `gone`: in no swarm. - `unsettled`: the engine is joining, starting or in trouble: wait. */
export type Standing = Membership | 'gone' | 'unsettled'

export const standingOf = (info: SystemInfo): Standing => {
  const swarm = info.Swarm
  const state = swarm?.LocalNodeState
  if (!swarm || state === 'inactive' || state === '') return 'gone'
  const { NodeID: host, NodeAddr: address = '' } = swarm
  if (state !== 'active' || !host) return 'unsettled'
  const managers = new Map<HostId, string>()
  for (const { NodeID, Addr } of swarm.RemoteManagers ?? []) {
    if (NodeID && Addr) managers.set(NodeID, withoutPort(Addr))
  }
  const manager = swarm.ControlAvailable === true
  if (manager) managers.set(host, address)
  return {
    host,
    name: info.Name ?? host,
    address,
    manager,
    managers: [...managers].map(([id, each]) => ({ id, address: each })).sort(byId),
    certificates: join(info.DockerRootDir ?? '/var/lib/docker', 'swarm', 'certificates'),
  }
}

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1)
