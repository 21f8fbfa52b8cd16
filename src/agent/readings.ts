/** What the agent tells about itself: status and metrics. Pure but for reading its parts. */
import type { HostState } from '../catalog/index.ts'
import type { Edge } from '../edge/index.ts'
import type { Member } from './member.ts'
import type { Readings } from './metrics.ts'
import type { AgentStatus } from './status.ts'

/** For metrics. */
export const readings = (member: Member | undefined): Readings => {
  const endpoints: Record<string, number> = { starting: 0, ready: 0, unhealthy: 0 }
  const hosts: Record<HostState, number> = { alive: 0, agentless: 0, suspected: 0 }
  const catalog = member?.catalog
  for (const { state } of catalog?.endpoints.values() ?? []) {
    endpoints[state] = (endpoints[state] ?? 0) + 1
  }
  for (const { state } of catalog?.hosts.values() ?? []) hosts[state]++
  return {
    endpoints,
    hosts,
    leader: member?.role !== undefined && member.role.leader === member.host,
    followers: member?.role?.manager.followers ?? 0,
    version: catalog?.version ?? 0,
  }
}

/** For `GET /v1/status`. */
export const statusOf = (agent: {
  member: Member | undefined
  edge: Edge | null
  version: string
  uptime: number
  waitingFor: string | null
}): AgentStatus => {
  const { member, edge } = agent
  const catalog = member?.catalog
  const hosts = [...(catalog?.hosts.values() ?? [])]
  const edgeStatus = edge?.status
  return {
    version: agent.version,
    uptime: agent.uptime,
    waitingFor: agent.waitingFor,
    host: member?.host ?? null,
    leader: member?.role?.leader ?? hosts.find(({ leader }) => leader)?.id ?? null,
    followed: member?.links.followed ?? null,
    catalog: {
      origin: catalog?.origin ?? '',
      version: catalog?.version ?? 0,
      endpoints: catalog?.endpoints.size ?? 0,
      services: catalog?.services.size ?? 0,
    },
    hosts: hosts.map((host) => ({
      ...host,
      usage:
        (host.id === member?.host ? member.usage : member?.role?.manager.usage(host.id)) ?? null,
    })),
    managers: (member?.links.managers ?? []).map(({ id, connected, serving, leader, sees }) => ({
      id,
      connected,
      serving,
      leader,
      sees,
    })),
    edge: edgeStatus
      ? {
          serving: edgeStatus.serving,
          ports: edgeStatus.ports,
          conflicts: edgeStatus.conflicts.map(({ reason }) => reason),
        }
      : null,
    followers: member?.role?.manager.followers ?? 0,
  }
}
