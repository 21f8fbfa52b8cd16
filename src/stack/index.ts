/** Compose stacks on Swarm: what they want, what that changes, how it is done, whether it serves. */
export * from './desired.ts'
export { toDesired, type SpecOptions, type SpecResult } from './specs.ts'
export { type Problem } from './check.ts'
export { prepare, type Prepared, type Refused } from './prepare.ts'
export { type Current, networkNames, ownServices, readCurrent, stackRevisions } from './current.ts'
export { settle, type ImageAnswer, imagesToPin } from './settle.ts'
export { plan, type Plan, shortName } from './plan.ts'
export * from './operations.ts'
export { describe, planText, summary, type PlanLine } from './words.ts'
export {
  deploy,
  type DeployEvents,
  type DeployOptions,
  type DeployResult,
  type Failure,
  type RollbackResult,
  stackFilter,
} from './deploy.ts'
export {
  deployedRevision,
  markRevision,
  previousRevision,
  type Revision,
  type RevisionState,
} from './revisions.ts'
export { converge, type ConvergeResult, type Readiness, type Target } from './converge.ts'
export { progressOf, type ReadyTasks, type ServiceProgress } from './progress.ts'
export { diagnose, type Diagnosis, type Scene } from './diagnose.ts'
export { collectEvidence, HealthProbe, runCheck, type RunInTask } from './evidence.ts'
export {
  findService,
  findStack,
  keyOf,
  nameOfTask,
  notFound,
  type ServiceRef,
  stackOf,
  taskServices,
} from './names.ts'
export { ledgersIn, readLedgers } from './ledgers.ts'
export {
  clusterProgress,
  type ClusterSight,
  diagnoseCluster,
  memberRows,
  type MemberScene,
  memberServices,
} from './members.ts'
export type { MemberRow } from './member-row.ts'
export { labelledPorts, labelledRoutes } from './published.ts'
export { removeStack, stackObjects, type StackObjects } from './down.ts'
export { parseScale, scaleService, type ScaleChange } from './scale.ts'
export * from './tasks.ts'
export { waitsOf } from './dependencies.ts'
export { isJob } from './deploy-spec.ts'
export { readRegistryAuth } from './registry-auth.ts'
