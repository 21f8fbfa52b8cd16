/** Looking at the members of a clustered service in a catalog. */
import { type ClusterName, type MemberReport, reportId } from './clusters.ts'
import type { Catalog } from './model.ts'

/** All reports about a cluster's members, of hosts that are heard and of hosts that are not. */
export const reportsOf = (catalog: Catalog, cluster: ClusterName): MemberReport[] =>
  [...catalog.members.values()].filter((report) => report.cluster === cluster)

/** The report is a present observation: the agent that made it is heard. */
export const isHeard = (catalog: Catalog, { host }: Pick<MemberReport, 'host'>): boolean =>
  catalog.hosts.get(host)?.state === 'alive'

/** The last report of a member of the ledger from the host that it belongs to. */
export const memberReport = (
  catalog: Catalog,
  member: { host: string; id: string },
): MemberReport | undefined => catalog.members.get(reportId(member))
