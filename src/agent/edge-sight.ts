/** What the inspection of the edge's container says about where it is. Pure. */
import { LABEL } from '../base/index.ts'
import type { EdgePlace, NetworkId } from '../catalog/index.ts'
import type { ContainerInspectResponse } from '../engine/index.ts'

/** This host's edge, while it runs. */
export interface EdgeSight {
  container: string
  /** Path of its network namespace. */
  netns: string
  places: Record<NetworkId, EdgePlace>
}

/** Whether this is the container of the edge, running or not. */
export const isEdge = (inspected: ContainerInspectResponse): boolean =>
  inspected.Config?.Labels?.[LABEL.edge] !== undefined

/** Null while it does not run. */
export const edgeSight = (
  { Id: container, State: state, NetworkSettings: settings }: ContainerInspectResponse,
  isOverlay: (network: NetworkId) => boolean,
): EdgeSight | null => {
  if (container === undefined || state?.Running !== true || !settings?.SandboxKey) return null
  const places: Record<NetworkId, EdgePlace> = {}
  for (const { NetworkID, IPAddress, IPPrefixLen, MacAddress } of Object.values(
    settings.Networks ?? {},
  )) {
    if (!NetworkID || !IPAddress || !IPPrefixLen || !MacAddress || !isOverlay(NetworkID)) continue
    places[NetworkID] = {
      address: IPAddress,
      mac: MacAddress.toLowerCase(),
      subnet: subnetOf(IPAddress, IPPrefixLen),
    }
  }
  return { container, netns: settings.SandboxKey, places }
}

/** `10.0.1.7` in a network of 24 bits is in `10.0.1.0/24`. */
export const subnetOf = (address: string, bits: number): string => {
  const bytes = address.split('.').map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * index))
    return Number(byte) & (0xff00 >> kept) & 0xff
  })
  return `${bytes.join('.')}/${bits}`
}
