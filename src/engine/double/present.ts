/** The store's records as the engine's API shows them. */
import type {
  Config,
  ContainerInspectResponse,
  ContainerSummary,
  Network,
  Node,
  Secret,
  Service,
  Swarm,
  Task,
} from '../types.ts'
import { HOST_RESOURCES } from './control/scheduler.ts'
import type { Container } from './container.ts'
import type {
  ClusterRecord,
  ConfigRecord,
  Meta,
  NetworkRecord,
  NodeRecord,
  SecretRecord,
  ServiceRecord,
  TaskRecord,
} from './records.ts'

export const ENGINE_VERSION = '20.10.24'
export const API_VERSION = '1.41'

const time = (ms: number) => new Date(ms).toISOString()
/** Answers are copies: what a caller does to one must not reach the store. */
const copy = <T>(value: T): T => structuredClone(value)

const meta = ({ id, version, createdAt, updatedAt }: Meta) => ({
  ID: id,
  Version: { Index: version },
  CreatedAt: time(createdAt),
  UpdatedAt: time(updatedAt),
})

/** The engine leaves out zeros. */
const showIteration = (iteration: number) => (iteration === 0 ? {} : { Index: iteration })

export const showService = (service: ServiceRecord): Service => ({
  ...meta(service),
  Spec: copy(service.spec),
  Endpoint: {
    Spec: copy(service.spec.EndpointSpec ?? {}),
    ...(service.virtualIps.length > 0 && {
      VirtualIPs: service.virtualIps.map(({ networkId, address }) => ({
        NetworkID: networkId,
        Addr: address,
      })),
    }),
  },
  ...(service.updateStatus !== undefined && { UpdateStatus: copy(service.updateStatus) }),
  ...(service.job !== undefined && {
    JobStatus: {
      JobIteration: showIteration(service.job.iteration),
      LastExecution: time(service.job.lastExecution),
    },
  }),
})

export const showTask = (
  task: TaskRecord,
  network: (id: string) => NetworkRecord | undefined,
): Task => {
  const { Runtime: _inSpecOnly, ...spec } = task.spec
  const { container } = task.status
  return {
    ...meta(task),
    Labels: {},
    Spec: copy(spec),
    ServiceID: task.serviceId,
    ...(task.slot !== 0 && { Slot: task.slot }),
    ...(task.nodeId !== undefined && { NodeID: task.nodeId }),
    Status: {
      Timestamp: time(task.status.at),
      State: task.status.state,
      Message: task.status.message,
      ...(task.status.err !== '' && { Err: task.status.err }),
      ...(container !== undefined && {
        ContainerStatus: {
          ContainerID: container.id,
          PID: container.pid,
          ExitCode: container.exitCode,
        },
      }),
      PortStatus: {},
    },
    DesiredState: task.desired,
    ...(task.jobIteration !== undefined && {
      JobIteration: showIteration(task.jobIteration),
    }),
    ...(task.attachments.length > 0 && {
      NetworksAttachments: task.attachments.map(({ networkId, address }) => ({
        Network: { ID: networkId, Spec: { Name: network(networkId)?.name ?? '' } },
        Addresses: [address],
      })),
    }),
  }
}

export const showNode = (node: NodeRecord): Node => ({
  ...meta(node),
  Spec: copy(node.spec),
  Description: {
    Hostname: node.hostname,
    Platform: { Architecture: 'x86_64', OS: 'linux' },
    Resources: { ...HOST_RESOURCES },
    Engine: { EngineVersion: ENGINE_VERSION, Plugins: [{ Type: 'Volume', Name: 'local' }] },
  },
  Status: {
    State: node.state,
    ...(node.message !== '' && { Message: node.message }),
    Addr: node.address,
  },
  ...(node.manager !== undefined && {
    ManagerStatus: {
      ...(node.manager.leader && { Leader: true }),
      Reachability: node.manager.reachable ? ('reachable' as const) : ('unreachable' as const),
      Addr: `${node.address}:2377`,
    },
  }),
})

export const showConfig = (config: ConfigRecord): Config => ({
  ...meta(config),
  Spec: copy(config.spec),
})

/** The engine never gives a secret's data back. */
export const showSecret = (secret: SecretRecord): Secret => {
  const { Data: _secret, ...spec } = secret.spec
  return { ...meta(secret), Spec: copy(spec) }
}

export const showCluster = (cluster: ClusterRecord): Swarm => ({
  ...meta(cluster),
  Spec: copy(cluster.spec),
  RootRotationInProgress: false,
  DataPathPort: 4789,
  SubnetSize: 24,
  JoinTokens: { Worker: cluster.tokens.worker, Manager: cluster.tokens.manager },
})

export const showNetwork = (network: NetworkRecord): Network => ({
  Id: network.id,
  Name: network.name,
  Created: time(network.createdAt),
  Scope: network.host === undefined ? 'swarm' : 'local',
  Driver: network.subnet === '' ? '' : (network.request.Driver ?? 'bridge'),
  EnableIPv6: false,
  IPAM: {
    Driver: 'default',
    Config: network.subnet === '' ? [] : [{ Subnet: network.subnet, Gateway: network.gateway }],
  },
  Internal: network.request.Internal === true,
  Attachable: network.request.Attachable === true,
  Ingress: false,
  ConfigOnly: false,
  Options: copy(network.request.Options ?? {}),
  Labels: copy(network.request.Labels ?? {}),
})

type NameOf = (networkId: string) => string

const networksIn = (container: Container, nameOf: NameOf) =>
  Object.fromEntries(
    [...container.attachments.values()].map((attachment) => [
      nameOf(attachment.networkId),
      {
        NetworkID: attachment.networkId,
        IPAddress: attachment.address,
        IPPrefixLen: attachment.prefixLength,
        Aliases: [...attachment.aliases, container.id.slice(0, 12)],
        Gateway: '',
      },
    ]),
  )

const statusText = (container: Container): string => {
  if (container.status === 'created') return 'Created'
  if (container.status === 'exited') return `Exited (${container.exitCode}) some time ago`
  if (container.health === undefined) return 'Up some time'
  return `Up some time (${container.health === 'starting' ? 'health: ' : ''}${container.health})`
}

export const showContainer = (container: Container, nameOf: NameOf): ContainerSummary => {
  const { options } = container
  return {
    Id: container.id,
    Names: [`/${options.name}`],
    Image: options.image,
    ImageID: options.imageId,
    Command: options.command.join(' '),
    Created: Math.floor(container.createdAt / 1000),
    Ports: [],
    Labels: copy(options.labels),
    State: container.status,
    Status: statusText(container),
    NetworkSettings: { Networks: networksIn(container, nameOf) },
    Mounts: [],
  }
}

const NEVER = '0001-01-01T00:00:00Z'

export const inspectContainer = (
  container: Container,
  nameOf: NameOf,
): ContainerInspectResponse => {
  const { options } = container
  const running = container.status === 'running'
  return {
    Id: container.id,
    Created: time(container.createdAt),
    Name: `/${options.name}`,
    Image: options.imageId,
    State: {
      Status: container.status,
      Running: running,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: container.pid,
      ExitCode: container.exitCode,
      Error: '',
      StartedAt: container.startedAt === undefined ? NEVER : time(container.startedAt),
      FinishedAt: container.finishedAt === undefined ? NEVER : time(container.finishedAt),
      ...(container.health !== undefined && {
        Health: {
          Status: container.health,
          FailingStreak: container.failingStreak,
          Log: container.healthLog.map(({ at, exitCode, output }) => ({
            // The API description says Date; what engines write is text, in both.
            Start: time(at) as unknown as Date,
            End: time(at),
            ExitCode: exitCode,
            Output: output,
          })),
        },
      }),
    },
    Config: {
      Hostname: options.hostname,
      Image: options.image,
      Env: [...options.env],
      Labels: copy(options.labels),
      Tty: false,
      ...(options.healthCheck !== undefined && { Healthcheck: copy(options.healthCheck) }),
    },
    HostConfig: copy((options.body['HostConfig'] as object | undefined) ?? {}),
    NetworkSettings: {
      SandboxKey: running ? `/var/run/docker/netns/${container.id.slice(0, 12)}` : '',
      Networks: networksIn(container, nameOf),
    },
    Mounts: [],
  }
}
