/** How the reports of one host become the list of its endpoints. Pure. */
import type { MemberId, MemberReport } from './clusters.ts'
import type { Report } from './messages.ts'
import type { EdgePlace, Endpoint, EndpointId, HostId, NetworkId } from './model.ts'
import { same } from './same.ts'

/** What a host has said on its present connection. */
export interface Reported {
  /** Sequence number of the last report; 0 before the first. */
  seq: number
  /** False until a full report has come, and after a hole. */
  complete: boolean
  endpoints: ReadonlyMap<EndpointId, Endpoint>
  leaving: ReadonlySet<EndpointId>
  engineDown: boolean
  /** Where the host's edge is. */
  edge: Record<NetworkId, EdgePlace>
  /** Its members of clustered services. */
  members: ReadonlyMap<MemberId, MemberReport>
}

export const nothingReported: Reported = {
  seq: 0,
  complete: false,
  endpoints: new Map(),
  leaving: new Set(),
  engineDown: false,
  edge: {},
  members: new Map(),
}

/** - `applied`: the state is new. - `ignored`: seen before. - `resend`: ask for a full report. */
export type ReportOutcome = 'applied' | 'ignored' | 'resend' | 'not-your-host'

/**
 * Takes one report of `host`, which is who the certificate says it is. A report that was seen
 * before changes nothing; after a hole only a full report counts.
 */
export const receive = (
  state: Reported,
  host: HostId,
  report: Report,
): { outcome: ReportOutcome; state: Reported } => {
  const foreign = (part: { host: HostId }) => part.host !== host
  if (report.endpoints.some(foreign) || report.members.some(foreign)) {
    return { outcome: 'not-your-host', state }
  }
  if (report.seq <= state.seq) return { outcome: 'ignored', state }
  if (!report.full && (!state.complete || report.seq !== state.seq + 1)) {
    return { outcome: 'resend', state: { ...state, complete: false } }
  }
  const endpoints = new Map(report.full ? [] : state.endpoints)
  for (const id of report.gone) endpoints.delete(id)
  for (const endpoint of report.endpoints) endpoints.set(endpoint.id, endpoint)
  return {
    outcome: 'applied',
    state: {
      seq: report.seq,
      complete: true,
      endpoints,
      leaving: new Set(report.leaving.filter((id) => endpoints.has(id))),
      engineDown: report.engineDown,
      edge: report.edge,
      members: new Map(report.members.map((member) => [member.id, member])),
    },
  }
}

/**
 * The sender's side: from what a manager was last told and what is true now, the next report, or
 * null when there is nothing to say.
 */
export const nextReport = (
  told: Reported | null,
  now: Pick<Reported, 'endpoints' | 'leaving' | 'engineDown' | 'edge' | 'members'>,
  seq: number,
): Report | null => {
  const old = told?.endpoints
  const endpoints = [...now.endpoints.values()].filter(
    (endpoint) => old?.get(endpoint.id) !== endpoint,
  )
  const gone = old ? [...old.keys()].filter((id) => !now.endpoints.has(id)) : []
  const changed =
    told === null ||
    endpoints.length > 0 ||
    gone.length > 0 ||
    told.engineDown !== now.engineDown ||
    !same(told.edge, now.edge) ||
    told.members.size !== now.members.size ||
    [...now.members].some(([id, member]) => !same(told.members.get(id), member)) ||
    told.leaving.size !== now.leaving.size ||
    [...now.leaving].some((id) => !told.leaving.has(id))
  if (!changed) return null
  return {
    type: 'report',
    seq,
    full: told === null,
    endpoints,
    gone,
    leaving: [...now.leaving],
    engineDown: now.engineDown,
    edge: now.edge,
    members: [...now.members.values()],
  }
}
