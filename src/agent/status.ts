/** What `GET /v1/status` answers. */
import {
  type CatalogHost,
  type Decode,
  type HostId,
  type Usage,
  decodeUsage,
  decoders,
  schema,
} from '../catalog/index.ts'

const { anyText, bool, integer, list, nullable, object } = decoders

export interface HostStatus extends CatalogHost {
  /** Null while its agent is silent, and on workers for all hosts but their own. */
  usage: Usage | null
}

export interface AgentStatus {
  version: string
  /** Milliseconds. */
  uptime: number
  /** Why this agent does nothing yet (no Docker, no swarm); null while it is at work. */
  waitingFor: string | null
  /** This host's id; null while waiting. */
  host: HostId | null
  leader: HostId | null
  /** The manager whose catalog this host acts on; null while none answers. */
  followed: HostId | null
  catalog: { origin: string; version: number; endpoints: number; services: number }
  hosts: HostStatus[]
  /** Managers' agents as this one sees them. */
  managers: { id: HostId; connected: boolean; serving: boolean; leader: boolean; sees: number }[]
  /** Ports that this host's edge listens on; null without an edge. */
  edge: { serving: boolean; ports: number[]; conflicts: string[] } | null
  /** Agents that follow this one. */
  followers: number
}

const anything = anyText(4096)

export const decodeStatus: Decode<AgentStatus> = object({
  version: anything,
  uptime: integer(0),
  waitingFor: nullable(anything),
  host: nullable(schema.name),
  leader: nullable(schema.name),
  followed: nullable(schema.name),
  catalog: object({
    origin: anything,
    version: integer(0),
    endpoints: integer(0),
    services: integer(0),
  }),
  hosts: list((value, at) => ({
    ...schema.host(value, at),
    ...object({ usage: nullable(decodeUsage) })(value, at),
  })),
  managers: list(
    object({ id: schema.name, connected: bool, serving: bool, leader: bool, sees: integer(0) }),
  ),
  edge: nullable(
    object({ serving: bool, ports: list(integer(1, 65_535)), conflicts: list(anything) }),
  ),
  followers: integer(0),
})
