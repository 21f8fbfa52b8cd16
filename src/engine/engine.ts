/**
 * What Muster asks of a Docker Engine. Two implementations: the real one (client.ts) and an
 * in-memory double (double/), held to each other by one contract suite.
 *
 * Every method rejects with a MusterError: NOT_FOUND, CONFLICT (name taken, or "update out of
 * sequence"), ENGINE_UNREACHABLE, NOT_A_MANAGER, NO_QUORUM, TIMEOUT or ENGINE_REFUSED.
 * Every call has a time limit; streams end when their signal is aborted.
 */
import type { Duplex, Readable } from 'node:stream'
import type {
  Config,
  ConfigSpec,
  ContainerInspectResponse,
  ContainerSummary,
  EngineEvent,
  Filters,
  Network,
  NetworkCreateRequest,
  Node,
  NodeSpec,
  Secret,
  SecretSpec,
  Service,
  ServiceSpec,
  Swarm,
  SwarmSpec,
  SystemInfo,
  Task,
} from './types.ts'

/** The cluster: what only a manager answers. Versions are `Version.Index` of the object as read. */
export interface SwarmApi {
  inspectSwarm(): Promise<Swarm>
  updateSwarm(version: number, spec: SwarmSpec): Promise<void>
  listNodes(filters?: Filters): Promise<Node[]>
  inspectNode(id: string): Promise<Node>
  updateNode(id: string, version: number, spec: NodeSpec): Promise<void>
  removeNode(id: string, options?: { force?: boolean }): Promise<void>
  listServices(filters?: Filters): Promise<Service[]>
  inspectService(id: string): Promise<Service>
  createService(
    spec: ServiceSpec,
    options?: { registryAuth?: string },
  ): Promise<{ ID: string; Warnings: string[] }>
  updateService(
    id: string,
    version: number,
    spec: ServiceSpec,
    options?: { registryAuth?: string },
  ): Promise<{ Warnings: string[] }>
  removeService(id: string): Promise<void>
  listTasks(filters?: Filters): Promise<Task[]>
  /** stdout and stderr of one task, wherever it ran. With `follow` it goes on until aborted. */
  taskLogs(id: string, options: LogOptions): AsyncIterable<LogLine>
  listConfigs(filters?: Filters): Promise<Config[]>
  createConfig(spec: ConfigSpec): Promise<{ ID: string }>
  /** Only labels may differ. */
  updateConfig(id: string, version: number, spec: ConfigSpec): Promise<void>
  removeConfig(id: string): Promise<void>
  listSecrets(filters?: Filters): Promise<Secret[]>
  createSecret(spec: SecretSpec): Promise<{ ID: string }>
  removeSecret(id: string): Promise<void>
}

/** Joining and leaving. */
export interface MembershipApi {
  initSwarm(options: {
    advertiseAddr: string
    listenAddr?: string
    defaultAddrPool?: string[]
  }): Promise<{ nodeId: string }>
  joinSwarm(options: {
    remoteAddrs: string[]
    token: string
    advertiseAddr?: string
  }): Promise<void>
  leaveSwarm(options?: { force?: boolean }): Promise<void>
}

export interface NetworkApi {
  listNetworks(filters?: Filters): Promise<Network[]>
  inspectNetwork(id: string): Promise<Network>
  createNetwork(request: NetworkCreateRequest): Promise<{ Id: string }>
  removeNetwork(id: string): Promise<void>
  connectNetwork(id: string, container: string, options?: { aliases?: string[] }): Promise<void>
  disconnectNetwork(id: string, container: string, options?: { force?: boolean }): Promise<void>
}

/** This host's containers and images. */
export interface HostApi {
  info(): Promise<SystemInfo>
  /** Engine and API version, and the lowest API version that the engine still answers. */
  version(): Promise<{ engine: string; api: string; minApi: string }>
  /**
   * Events from now on (a few of the last second may come, too), or from `since` (seconds since
   * 1970, fractions allowed). The iterator
   * throws ENGINE_UNREACHABLE when the engine goes away, and returns when the signal is aborted.
   * `onOpen` is called once the engine has accepted the subscription: nothing is missed from then.
   */
  events(options: {
    since?: number
    filters?: Filters
    signal: AbortSignal
    onOpen?: () => void
  }): AsyncIterable<EngineEvent>
  listContainers(options?: { all?: boolean; filters?: Filters }): Promise<ContainerSummary[]>
  inspectContainer(id: string): Promise<ContainerInspectResponse>
  createContainer(name: string, body: Record<string, unknown>): Promise<{ Id: string }>
  startContainer(id: string): Promise<void>
  stopContainer(id: string, options?: { timeoutSeconds?: number }): Promise<void>
  killContainer(id: string, signal?: string): Promise<void>
  removeContainer(id: string, options?: { force?: boolean }): Promise<void>
  containerLogs(id: string, options: LogOptions): AsyncIterable<LogLine>
  /** Makes a volume. One of that name and driver that is there already is left as it is. */
  createVolume(volume: {
    name: string
    driver: string
    options?: Record<string, string>
    labels?: Record<string, string>
  }): Promise<void>
  /** CONFLICT while a container has it, running or not. */
  removeVolume(name: string): Promise<void>
  /** Runs a command in a container. `stream` carries stdin, and stdout and stderr apart unless `tty`. */
  exec(container: string, options: ExecOptions): Promise<ExecSession>
  pullImage(
    image: string,
    options?: { registryAuth?: string; onProgress?: (line: string) => void },
  ): Promise<void>
  inspectImage(
    image: string,
  ): Promise<{ Id: string; RepoDigests: string[]; Labels: Record<string, string> }>
  /** Digest (`sha256:...`) that the registry has for a reference. */
  imageDigest(
    image: string,
    options?: { registryAuth?: string; timeoutMs?: number },
  ): Promise<string>
}

export interface Engine extends SwarmApi, MembershipApi, NetworkApi, HostApi, AsyncDisposable {}

export interface LogOptions {
  follow?: boolean
  tail?: number
  /** Seconds since 1970. */
  since?: number
  timestamps?: boolean
  signal?: AbortSignal
}

export interface LogLine {
  stream: 'stdout' | 'stderr'
  text: string
}

export interface ExecOptions {
  command: string[]
  tty?: boolean
  stdin?: boolean
  env?: string[]
  user?: string
  workingDir?: string
  /** With all rights over the host that the container itself lacks. */
  privileged?: boolean
}

export interface ExecSession {
  /** What the caller writes goes to stdin. */
  stdin: Duplex
  stdout: Readable
  /** Empty with a tty: the terminal mixes both. */
  stderr: Readable
  resize(size: { columns: number; rows: number }): Promise<void>
  /** Exit status, once the command has ended. */
  exited: Promise<number>
}
