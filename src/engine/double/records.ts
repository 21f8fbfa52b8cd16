/** What the double's store holds: plain values that are replaced, never changed. */
import type {
  ConfigSpec,
  NetworkCreateRequest,
  NodeSpec,
  SecretSpec,
  ServiceSpec,
  SwarmSpec,
  TaskSpec,
  TaskState,
  UpdateStatus,
} from '../types.ts'

/** Times are milliseconds since 1970. */
export interface Meta {
  id: string
  version: number
  createdAt: number
  updatedAt: number
}

export type NamedServiceSpec = ServiceSpec & { Name: string }

/** `address` with prefix length, as in `10.0.1.2/24`. */
export interface Attachment {
  networkId: string
  address: string
}

export interface ServiceRecord extends Meta {
  spec: NamedServiceSpec
  /** Counts changes of the spec alone. */
  specVersion: number
  previous: { spec: NamedServiceSpec; specVersion: number } | undefined
  virtualIps: Attachment[]
  updateStatus: UpdateStatus | undefined
  /** Of a job: how often it was run, and since when. */
  job: { iteration: number; lastExecution: number } | undefined
}

/** What a host reports of a task. */
export interface TaskStatus {
  state: TaskState
  at: number
  message: string
  err: string
  container: { id: string; pid: number; exitCode: number } | undefined
}

export interface TaskRecord extends Meta {
  serviceId: string
  /** Labels of the service when the task was made: what a filter by label compares. */
  serviceName: string
  serviceLabels: Record<string, string>
  /** 0 in a global service. */
  slot: number
  nodeId: string | undefined
  spec: TaskSpec
  specVersion: number
  endpointSpec: ServiceSpec['EndpointSpec']
  desired: TaskState
  status: TaskStatus
  attachments: Attachment[]
  jobIteration: number | undefined
}

export interface NodeRecord extends Meta {
  spec: NodeSpec
  hostname: string
  address: string
  state: 'unknown' | 'down' | 'ready' | 'disconnected'
  message: string
  manager: { leader: boolean; reachable: boolean } | undefined
}

export interface NetworkRecord extends Meta {
  name: string
  request: NetworkCreateRequest
  /** `local` networks exist on one host only. */
  host: string | undefined
  /** Empty until the network is allocated. */
  subnet: string
  gateway: string
  /** Number of the last host address that was given out. */
  lastAddress: number
  /** Addresses in use. */
  taken: ReadonlySet<string>
}

export interface ConfigRecord extends Meta {
  spec: ConfigSpec & { Name: string }
}

export interface SecretRecord extends Meta {
  spec: SecretSpec & { Name: string }
}

export interface ClusterRecord extends Meta {
  spec: SwarmSpec
  tokens: { worker: string; manager: string }
}

export interface Tables {
  service: ServiceRecord
  task: TaskRecord
  node: NodeRecord
  network: NetworkRecord
  config: ConfigRecord
  secret: SecretRecord
  cluster: ClusterRecord
}

export type Kind = keyof Tables
