/** What a recipe is told when it renders the files of a member that starts. Pure. */
import {
  type Catalog,
  type Cluster,
  type MemberId,
  type NetworkId,
  isHeard,
  memberReport,
} from '../../catalog/index.ts'
import type { Peer, Situation, Start } from '../../recipes/index.ts'

/** The network on which the members of a cluster meet: the first of those that they have in common. */
export const meetingNetwork = (catalog: Catalog, self: MemberId): NetworkId | null =>
  serviceNamed(catalog, self)?.networks[0] ?? null

/** The service of a full name. */
export const serviceNamed = (catalog: Catalog, name: string) =>
  [...catalog.services.values()].find((service) => service.name === name)

/** Swarm's name for the containers of one service, whether they are ready or not: never a virtual IP. */
const nameOf = (member: MemberId): string => `tasks.${member}`

export const situationOf = (
  catalog: Catalog,
  { ledger, head }: Cluster,
  place: { self: MemberId; network: NetworkId; subnet: string; start: Start },
): Situation => {
  const { self, network, subnet, start } = place
  const peers = Object.entries(ledger.members)
    .filter(([id]) => id !== self)
    .map(([id, { host }]): Peer => {
      const report = memberReport(catalog, { host, id })
      const heard = report !== undefined && isHeard(catalog, report)
      return {
        id,
        name: nameOf(id),
        address: (heard && report.addresses[network]) || null,
        ready: heard && report.ready,
      }
    })
  // One that is not ready this very moment may be so when it is asked; the software knows.
  const running = peers
    .filter((peer) => peer.address !== null)
    .toSorted((a, b) => Number(b.ready) - Number(a.ready))
    .map(({ id }) => id)
  return {
    cluster: ledger.cluster,
    uid: ledger.uid,
    epoch: ledger.epoch,
    self,
    name: nameOf(self),
    subnet,
    hostAddress: catalog.hosts.get(ledger.members[self]?.host ?? '')?.address ?? null,
    peers,
    // To give state is work: the member that takes the writes does it last.
    donors: [
      ...running.filter((id) => id !== ledger.writer),
      ...running.filter((id) => id === ledger.writer),
    ],
    writer: ledger.writer,
    options: head?.choice.options ?? {},
    start,
  }
}
