/**
 * What becomes of every key of a Compose file: one row a key, nothing is ignored in silence. The
 * types demand a row for each key of the model, so a new key cannot be forgotten.
 */
import { isIPv4 } from 'node:net'
import type {
  Build,
  Config,
  CredentialSpec,
  Deploy,
  FileReference,
  Healthcheck,
  Ipam,
  Logging,
  Mount,
  Network,
  Placement,
  Port,
  PreStartHook,
  Resource,
  RestartPolicy,
  Secret,
  Service,
  ServiceDependency,
  ServiceNetwork,
  UpdateConfig,
  Volume,
} from '../compose/index.ts'
import { isEdgePort } from './ports.ts'

/**
 * - `swarm`: carried by Swarm's own objects
 * - `muster`: done by Muster
 * - `client`: already resolved when the file was loaded
 * - `none`: says nothing about how the service runs in a cluster
 * - `refused`: cannot be done; `why` and `instead` say so
 */
export type Fate = 'swarm' | 'muster' | 'client' | 'none' | 'refused'

export interface Row {
  fate: Fate
  /** How it is done, or why it is refused or means nothing. One sentence without subject. */
  why?: string
  /** What to write instead. */
  instead?: string
  /** Refused, and leaving it out would make something else of the service: cannot be tolerated. */
  firm?: true
  /** Refused only when this says so; absent: always. */
  when?: (value: unknown, at: { service: Service; owner: object }) => boolean
  /** Lowest API version of the engine that takes it. */
  api?: string
  /** Keys below: of the value itself, or of each of its items or entries. */
  keys?: Record<string, Row>
  each?: Record<string, Row>
}

type Keys<T> = { [K in keyof T as K extends `x-${string}` ? never : K]-?: Row }

const swarm: Row = { fate: 'swarm' }
const client: Row = { fate: 'client' }
const muster = (why: string): Row => ({ fate: 'muster', why })
const none = (why: string): Row => ({ fate: 'none', why })
const refused = (why: string, instead?: string): Row => ({
  fate: 'refused',
  why,
  ...(instead === undefined ? {} : { instead }),
})
const firm = (why: string, instead?: string): Row => ({ ...refused(why, instead), firm: true })
const notInSwarm = (instead?: string): Row =>
  refused('Swarm has no such setting for the containers of a service', instead)
const since = (api: string, row: Row = swarm): Row => ({ ...row, api })

const noDevices = refused(
  'Swarm cannot pass devices to a service',
  'declare them as generic resources of the hosts and reserve generic_resources',
)

const credentialSpec: Keys<CredentialSpec> = { config: swarm, file: swarm, registry: swarm }

const fileReference: Keys<FileReference> = {
  source: swarm,
  target: swarm,
  uid: swarm,
  gid: swarm,
  mode: swarm,
}

const dependency: Keys<ServiceDependency> = {
  condition: muster('the dependent starts when it holds'),
  restart: muster('a change of the dependency restarts the dependent'),
  required: muster('false: an absent or failed dependency does not stop the dependent'),
}

const healthcheck: Keys<Healthcheck> = {
  test: swarm,
  timeout: swarm,
  interval: swarm,
  retries: swarm,
  start_period: swarm,
  start_interval: since('1.44'),
  disable: swarm,
}

const logging: Keys<Logging> = { driver: swarm, options: swarm }

const serviceNetwork: Keys<ServiceNetwork> = {
  aliases: swarm,
  driver_opts: swarm,
  gw_priority: notInSwarm(),
  interface_name: notInSwarm(),
  ipv4_address: refused(
    'addresses in a cluster are given by Swarm and differ from replica to replica',
    'use the name of the service, its address never changes',
  ),
  ipv6_address: refused(
    'addresses in a cluster are given by Swarm and differ from replica to replica',
    'use the name of the service, its address never changes',
  ),
  link_local_ips: notInSwarm(),
  mac_address: notInSwarm(),
  priority: notInSwarm(),
}

const anyAddress = new Set(['0.0.0.0', '::', '[::]', '*', ''])

const preStart: Keys<PreStartHook> = {
  command: swarm,
  environment: swarm,
  image: swarm,
  per_replica: {
    ...firm(
      'Swarm runs nothing before each replica',
      'per_replica: false, which runs it once before the first one',
    ),
    when: (value) => value === true,
  },
  privileged: {
    ...refused('Swarm gives no service all rights over its host', 'cap_add what it needs'),
    when: (value) => value === true,
  },
  user: swarm,
  working_dir: swarm,
}

const port: Keys<Port> = {
  name: none('a name for people'),
  mode: swarm,
  host_ip: {
    ...refused(
      'Swarm publishes UDP ports and mode: host on every address, and edges have no IPv6: this would open it wider than asked',
      'a TCP port on an IPv4 address, which the edges of hosts that have it listen on; or leave the address out',
    ),
    when: (value, { owner }) =>
      !anyAddress.has(String(value)) && !(isIPv4(String(value)) && isEdgePort(owner)),
  },
  target: swarm,
  published: muster('TCP ports are served by the edge of every host'),
  protocol: swarm,
  app_protocol: muster('http: requests are balanced one by one'),
}

const mount: Keys<Mount> = {
  type: {
    ...firm('Swarm cannot mount an image into a service', 'copy the files into a volume or image'),
    when: (value) => value === 'image',
  },
  source: swarm,
  target: swarm,
  read_only: swarm,
  consistency: swarm,
  bind: {
    fate: 'swarm',
    keys: {
      selinux: notInSwarm('label the folder on the hosts'),
      propagation: swarm,
      create_host_path: muster('the folder is made where the engine can (API 1.42)'),
      recursive: {
        ...since('1.44'),
        when: (value) => value === 'writable' || value === 'readonly',
      },
    } satisfies Keys<NonNullable<Mount['bind']>>,
  },
  volume: {
    fate: 'swarm',
    keys: {
      labels: swarm,
      nocopy: swarm,
      subpath: since('1.45'),
    } satisfies Keys<NonNullable<Mount['volume']>>,
  },
  tmpfs: {
    fate: 'swarm',
    keys: { size: swarm, mode: swarm } satisfies Keys<NonNullable<Mount['tmpfs']>>,
  },
  image: none('belongs to type image, which is refused'),
}

const resource: Keys<Resource> = {
  cpus: swarm,
  memory: swarm,
  pids: swarm,
  devices: noDevices,
  generic_resources: swarm,
}

const updateConfig: Keys<UpdateConfig> = {
  parallelism: swarm,
  delay: swarm,
  failure_action: swarm,
  monitor: swarm,
  max_failure_ratio: swarm,
  order: swarm,
}

const deploy: Keys<Deploy> = {
  mode: swarm,
  replicas: swarm,
  labels: swarm,
  update_config: { fate: 'swarm', keys: updateConfig },
  rollback_config: { fate: 'swarm', keys: updateConfig },
  resources: {
    fate: 'swarm',
    keys: {
      limits: { fate: 'swarm', keys: resource },
      reservations: { fate: 'swarm', keys: resource },
    } satisfies Keys<NonNullable<Deploy['resources']>>,
  },
  restart_policy: {
    fate: 'swarm',
    keys: {
      condition: swarm,
      delay: swarm,
      max_attempts: swarm,
      window: swarm,
    } satisfies Keys<RestartPolicy>,
  },
  placement: {
    fate: 'swarm',
    keys: {
      constraints: swarm,
      preferences: swarm,
      max_replicas_per_node: swarm,
    } satisfies Keys<Placement>,
  },
  endpoint_mode: swarm,
}

const recipe = none('says how the image is built; up deploys the image that is named beside it')

const build: Keys<Build> = {
  context: recipe,
  dockerfile: recipe,
  dockerfile_inline: recipe,
  entitlements: recipe,
  args: recipe,
  provenance: recipe,
  sbom: recipe,
  ssh: recipe,
  labels: recipe,
  cache_from: recipe,
  cache_to: recipe,
  no_cache: recipe,
  no_cache_filter: recipe,
  additional_contexts: recipe,
  pull: recipe,
  extra_hosts: recipe,
  isolation: recipe,
  network: recipe,
  target: recipe,
  secrets: recipe,
  shm_size: recipe,
  tags: recipe,
  ulimits: recipe,
  platforms: recipe,
  privileged: recipe,
}

const limits = 'use deploy.resources'

export const SERVICE_KEYS: Keys<Service> = {
  annotations: notInSwarm('use labels'),
  attach: none('about the output of `docker compose up`'),
  blkio_config: notInSwarm(),
  build: {
    ...firm(
      'there is no image to run: Muster deploys images, it does not build this one',
      'build it, push it to a registry that every host can reach, and set image',
    ),
    when: (_, { service }) => service.image === undefined,
    keys: build,
  },
  cap_add: swarm,
  cap_drop: swarm,
  cgroup: notInSwarm(),
  cgroup_parent: notInSwarm(),
  command: {
    ...firm('Swarm cannot clear the command of an image', 'set entrypoint, which clears it too'),
    when: (value, { service }) =>
      Array.isArray(value) && value.length === 0 && !((service.entrypoint?.length ?? 0) > 0),
  },
  configs: { fate: 'swarm', each: fileReference },
  container_name: muster(
    'one more name of the service on its networks; containers are called STACK_SERVICE.SLOT.ID',
  ),
  cpu_count: notInSwarm(limits),
  cpu_percent: notInSwarm(limits),
  cpu_period: muster('with cpu_quota: a limit of quota / period cores'),
  cpu_quota: muster('a limit of quota / period cores'),
  cpu_rt_period: notInSwarm(),
  cpu_rt_runtime: notInSwarm(),
  cpu_shares: notInSwarm('use deploy.resources.reservations.cpus'),
  cpus: swarm,
  cpuset: notInSwarm(limits),
  credential_spec: { fate: 'swarm', keys: credentialSpec },
  depends_on: {
    fate: 'muster',
    why: 'dependents start when the conditions hold',
    each: dependency,
  },
  deploy: { fate: 'swarm', keys: deploy },
  develop: none('about `docker compose watch`'),
  device_cgroup_rules: notInSwarm(),
  devices: noDevices,
  dns: swarm,
  dns_opt: swarm,
  dns_search: swarm,
  domainname: muster('joined to hostname'),
  entrypoint: {
    ...firm('Swarm cannot clear the entrypoint of an image', 'set command too, or entrypoint'),
    when: (value, { service }) =>
      Array.isArray(value) && value.length === 0 && !((service.command?.length ?? 0) > 0),
  },
  env_file: client,
  environment: swarm,
  expose: none('every port is open to the services on the same network'),
  extends: client,
  external_links: refused(
    'containers outside the cluster cannot be linked',
    'put both on one external network',
  ),
  extra_hosts: swarm,
  gpus: noDevices,
  group_add: swarm,
  healthcheck: { fate: 'swarm', keys: healthcheck },
  hostname: swarm,
  image: swarm,
  init: swarm,
  ipc: { ...notInSwarm(), when: (value) => value !== 'private' },
  isolation: swarm,
  label_file: client,
  labels: swarm,
  links: muster(
    'services on one network reach each other by name; an alias is added to the target',
  ),
  logging: { fate: 'swarm', keys: logging },
  mac_address: notInSwarm(),
  mem_limit: swarm,
  mem_reservation: swarm,
  mem_swappiness: since('1.52'),
  memswap_limit: since('1.52'),
  models: refused('there is no model runner in the cluster'),
  network_mode: {
    ...refused(
      'replicas run on different hosts and cannot share the network of a container',
      'put both on one network of the file; host and none are possible',
    ),
    when: (value) => !['host', 'none', 'bridge', 'default'].includes(String(value)),
  },
  networks: { fate: 'swarm', each: serviceNetwork },
  oom_kill_disable: notInSwarm(),
  oom_score_adj: since('1.46'),
  pid: notInSwarm(),
  pids_limit: swarm,
  platform: swarm,
  ports: { fate: 'muster', why: 'TCP by the edges, UDP and mode host by Swarm', each: port },
  post_start: muster(
    'run by the agent in every new container, which gets traffic once they end well',
  ),
  pre_start: {
    fate: 'muster',
    why: 'jobs that run one after the other before the service starts, and when they change',
    each: preStart,
  },
  pre_stop: refused(
    'Swarm asks nobody before it stops a container',
    'do it in the container itself, when stop_signal (SIGTERM) comes',
  ),
  privileged: {
    ...refused('Swarm gives no service all rights over its host', 'cap_add what it needs'),
    when: (value) => value === true,
  },
  profiles: client,
  provider: firm('there is no program on the hosts that provides it'),
  pull_policy: muster('the newest image of the tag is looked up at every deployment'),
  pull_refresh_after: none('the newest image of the tag is looked up at every deployment'),
  read_only: swarm,
  restart: muster('becomes the restart policy'),
  runtime: notInSwarm('make it the default runtime of the hosts'),
  scale: swarm,
  secrets: { fate: 'swarm', each: fileReference },
  security_opt: muster(
    'no-new-privileges, seccomp, apparmor and SELinux labels where the engine can',
  ),
  shm_size: muster('a tmpfs at /dev/shm'),
  stdin_open: swarm,
  stop_grace_period: swarm,
  stop_signal: swarm,
  storage_opt: notInSwarm(),
  sysctls: swarm,
  tmpfs: swarm,
  tty: swarm,
  ulimits: swarm,
  use_api_socket: refused('it would be the engine of whatever host it runs on', 'mount the socket'),
  user: swarm,
  userns_mode: notInSwarm(),
  uts: notInSwarm(),
  volumes: { fate: 'swarm', each: mount },
  volumes_from: refused('replicas run on different hosts', 'name the volume in both services'),
  working_dir: swarm,
}

const ipam: Keys<Ipam> = {
  driver: swarm,
  config: {
    fate: 'swarm',
    each: {
      subnet: swarm,
      gateway: swarm,
      ip_range: swarm,
      aux_addresses: swarm,
    } satisfies Keys<NonNullable<Ipam['config']>[number]>,
  },
  options: swarm,
}

const SPANNING = new Set(['overlay', 'default', 'bridge', ''])

const NETWORK_KEYS: Keys<Network> = {
  name: swarm,
  driver: {
    ...refused(
      'a network of this driver ends at its host',
      'use overlay (the default) or external',
    ),
    when: (value) => !SPANNING.has(String(value)),
  },
  driver_opts: swarm,
  ipam: { fate: 'swarm', keys: ipam },
  external: swarm,
  internal: swarm,
  attachable: muster('always true: the edges join it'),
  labels: swarm,
  enable_ipv4: { ...since('1.48'), when: (value) => value === false },
  enable_ipv6: swarm,
}

const VOLUME_KEYS: Keys<Volume> = {
  name: swarm,
  driver: swarm,
  driver_opts: swarm,
  external: swarm,
  labels: swarm,
}

const CONFIG_KEYS: Keys<Config> = {
  name: muster('a hash of the content is added, so that new content is a new object'),
  file: client,
  environment: client,
  content: client,
  external: swarm,
  labels: swarm,
  template_driver: swarm,
}

const SECRET_KEYS: Keys<Secret> = { ...CONFIG_KEYS, driver: swarm, driver_opts: swarm }

/** The rows of everything beside services, by section. */
export const SECTION_KEYS = [
  ['networks', NETWORK_KEYS],
  ['volumes', VOLUME_KEYS],
  ['configs', CONFIG_KEYS],
  ['secrets', SECRET_KEYS],
] as const
