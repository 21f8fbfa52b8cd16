/**
 * What a stack wants to exist in the cluster, in two steps. `DesiredStack` is what the Compose file
 * says; some of it can only be known by looking (the digest of an image, a free port).
 * `SettledStack` has no open question left: it is planned, applied and stored as a revision.
 */
import type { Dependency } from '../leader/index.ts'
import type { HttpRoute, PortMode } from '../catalog/index.ts'
import type { NetworkCreateRequest, ServiceSpec, TaskSpec } from '../engine/index.ts'

type ApiContainerSpec = NonNullable<TaskSpec['ContainerSpec']>
type ApiResources = NonNullable<TaskSpec['Resources']>

/** Fields that the engine takes and the API description names otherwise or not at all. */
export interface SwarmContainerSpec extends Omit<ApiContainerSpec, 'HealthCheck' | 'Mounts'> {
  Healthcheck?: ApiContainerSpec['HealthCheck']
  Mounts?: SwarmMount[]
}

/** A mount of a task; the API description lacks the newer options. */
export interface SwarmMount {
  Type: string
  Source?: string
  Target?: string
  ReadOnly?: boolean
  Consistency?: string
  BindOptions?: {
    Propagation?: string
    NonRecursive?: boolean
    CreateMountpoint?: boolean
    ReadOnlyNonRecursive?: boolean
    ReadOnlyForceRecursive?: boolean
  }
  VolumeOptions?: {
    NoCopy?: boolean
    Labels?: Record<string, string>
    DriverConfig?: { Name?: string; Options?: Record<string, string> }
    Subpath?: string
  }
  TmpfsOptions?: { SizeBytes?: number; Mode?: number }
  ClusterOptions?: Record<string, never>
}

export interface SwarmTaskTemplate extends Omit<TaskSpec, 'ContainerSpec' | 'Resources'> {
  ContainerSpec: SwarmContainerSpec
  Resources?: ApiResources & { SwapBytes?: number; MemorySwappiness?: number }
}

/** A service as it is posted to the engine. Networks are by name, configs and secrets too. */
export interface SwarmServiceSpec extends Omit<ServiceSpec, 'TaskTemplate' | 'Name' | 'Labels'> {
  Name: string
  Labels: Record<string, string>
  TaskTemplate: SwarmTaskTemplate
}

export interface DesiredNetwork {
  /** Name in the engine. */
  name: string
  /** True: must be there already. */
  external: boolean
  request: NetworkCreateRequest
}

/** A config or a secret. Its name carries a hash of its content, so new content is a new object. */
export interface DesiredFile {
  kind: 'config' | 'secret'
  name: string
  /** True: must be there already. */
  external: boolean
  labels: Record<string, string>
  /** Base64. Absent in what a revision remembers, and for a secret that a driver provides. */
  data?: string
  templateDriver?: string
  driver?: { name: string; options: Record<string, string> }
}

/** A published TCP port that the edges serve; `published` may be open until it is settled. */
export interface PortRequest {
  /** A port, a range of which any will do, or nothing: any free one. */
  published: number | { from: number; to: number } | undefined
  target: number
  mode: PortMode
  proxyProtocol: boolean
  /** IPv4: only the edges of hosts that have it, and on it alone. */
  hostIp?: string
}

interface ServiceBasics {
  /** Name in the file. */
  key: string
  /** Name in Swarm: `STACK_KEY`. */
  name: string
  after: Dependency[]
  /** Full names of dependencies whose change restarts this service. */
  restartWith: string[]
}

export interface DesiredService extends ServiceBasics {
  /** Without digest; without the labels of ports and routes. */
  spec: SwarmServiceSpec
  /** As the user wrote it. */
  image: string
  /** False: the registry is not asked, the image stays as it is written. */
  pin: boolean
  ports: PortRequest[]
  http: HttpRoute[]
}

export interface DesiredStack {
  name: string
  networks: DesiredNetwork[]
  files: DesiredFile[]
  services: DesiredService[]
  /** What the user should know and that stops nothing. */
  notes: string[]
}

export interface SettledService extends ServiceBasics {
  /** Complete: image with its digest, labels of ports and routes. */
  spec: SwarmServiceSpec
}

export interface SettledStack {
  name: string
  networks: DesiredNetwork[]
  files: DesiredFile[]
  services: SettledService[]
}
