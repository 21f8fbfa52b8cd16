/** A member's report from what its keeper has seen. Pure. */
import type {
  DataState,
  HostId,
  Ledger,
  MemberReport,
  MemberStatus,
  NetworkId,
  Position,
  ProcessState,
  DataSnapshot,
} from '../../catalog/index.ts'
import type { VolumeRecord } from '../../volumes/index.ts'

/** Data at rest, as they were looked at. Holds until a process is let at them. */
export interface Look {
  data: DataState
  position: Position | null
  /** The software itself has told the position, or there is none to tell. */
  recovered: boolean
  /** The data say that the last process ended in an orderly way. */
  clean: boolean
  /** What is wrong with them; for people. */
  problem: string | null
}

export interface Sight {
  id: string
  cluster: string
  host: HostId
  /** Undefined: there is no folder. */
  record: VolumeRecord | undefined
  /** Why its folder cannot be used; null if it can. */
  broken: string | null
  ledger: Ledger | null
  process: ProcessState
  look: Look | null
  snapshot: DataSnapshot | null
  /** Of the running process: the last that it said, and the newest position known. */
  status: MemberStatus | null
  position: Position | null
  ready: boolean
  container: string | null
  addresses: Record<NetworkId, string>
  problem: string | null
}

export const reportOf = (sight: Sight): MemberReport => {
  const { id, cluster, host, record, ledger, look, container, addresses } = sight
  const running = sight.process === 'running'
  return {
    id,
    cluster,
    host,
    volume: record?.uid ?? null,
    data: dataOf(sight),
    process: sight.process,
    // Without a folder nothing can be acted upon, in any epoch.
    epoch: record?.marker.epoch ?? ledger?.epoch ?? 0,
    position: running ? sight.position : (look?.position ?? null),
    recovered: !running && (look?.recovered ?? false),
    clean: record?.marker.clean ?? false,
    founded: record?.marker.founded ?? 0,
    snapshot: sight.snapshot,
    restored: record?.marker.restored ?? null,
    status: running ? sight.status : null,
    ready: running && sight.ready,
    container: running ? container : null,
    addresses: running ? addresses : {},
    problem: sight.broken ?? sight.problem ?? (running ? null : (look?.problem ?? null)),
  }
}

const dataOf = ({ record, broken, process, look, ledger }: Sight): DataState => {
  if (record === undefined) return broken === null ? 'none' : 'unknown'
  if (process !== 'running') return look?.data ?? 'unknown'
  const { joined } = record.marker
  return joined !== null && (ledger === null || joined === ledger.uid) ? 'good' : 'unknown'
}
