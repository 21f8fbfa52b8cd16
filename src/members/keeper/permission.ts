/** The question that is put at the gate. The answer is a pure function of what is known. */
import type { Catalog, Cluster, MemberReport } from '../../catalog/index.ts'
import type { Start, Topology } from '../../recipes/index.ts'

export type Permission =
  | { kind: 'start'; start: Start }
  | { kind: 'wait'; reason: string }
  | { kind: 'refuse'; reason: string }

export interface PermitFacts {
  cluster: Cluster
  /** This member, as its own agent sees it. */
  own: MemberReport
  catalog: Catalog
  topology: Topology
}

export type Permit = (facts: PermitFacts) => Permission
