/**
 * The engine's own objects, as its API names them (PascalCase, from moby's API description), with
 * the fields that are always there made required.
 */
import type {
  Config as ApiConfig,
  EventMessage as ApiEvent,
  Network as ApiNetwork,
  Node as ApiNode,
  Secret as ApiSecret,
  Service as ApiService,
  Swarm as ApiSwarm,
  Task as ApiTask,
} from '@docker/node-sdk'

export type {
  ConfigSpec,
  ContainerInspectResponse,
  ContainerSummary,
  HealthConfig,
  Mount,
  NetworkAttachmentConfig,
  NetworkCreateRequest,
  NodeSpec,
  SecretSpec,
  ServiceSpec,
  SwarmSpec,
  SystemInfo,
  TaskSpec,
  TaskState,
} from '@docker/node-sdk'

type Identified<T> = T & { ID: string; Version: { Index: number } }
type WithSpec<T extends { Spec?: unknown }> = T & { Spec: NonNullable<T['Spec']> }

/** The API description knows of no rollbacks; every engine reports them. */
export type UpdateStatus = Omit<NonNullable<ApiService['UpdateStatus']>, 'State'> & {
  State?:
    | 'updating'
    | 'paused'
    | 'completed'
    | 'rollback_started'
    | 'rollback_paused'
    | 'rollback_completed'
}
export type Service = Omit<Identified<WithSpec<ApiService>>, 'UpdateStatus'> & {
  Spec: { Name: string }
  UpdateStatus?: UpdateStatus
}
/** `NetworksAttachments` is in every engine's answer and missing from the API description. */
export type Task = Identified<ApiTask> & {
  ServiceID: string
  NetworksAttachments?: { Network: { ID: string; Spec: { Name: string } }; Addresses?: string[] }[]
}
export type Node = Identified<WithSpec<ApiNode>>
export type Config = Identified<WithSpec<ApiConfig>> & { Spec: { Name: string } }
export type Secret = Identified<WithSpec<ApiSecret>> & { Spec: { Name: string } }
export type Network = ApiNetwork & { Id: string; Name: string }
export type Swarm = Identified<WithSpec<ApiSwarm>>
export type EngineEvent = ApiEvent

/** Filters as the API takes them: `{ label: ['a=b'], service: ['id'] }`. */
export type Filters = Record<string, string[]>
