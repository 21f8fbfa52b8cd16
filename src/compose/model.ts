/**
 * The canonical form of a Compose project: every short syntax expanded, every variable substituted,
 * every file merged, every path absolute. Keys are the specification's own. A key that is absent,
 * empty, zero or false means the default unless its comment says otherwise.
 */

/** A length of time in nanoseconds, as the Engine API counts them. 90s is 90_000_000_000. */
export type Nanoseconds = number

/** A size in bytes. 64M is 67_108_864. */
export type Bytes = number

/** Permission bits as a number: 0o440 is 288. */
export type FileMode = number

/** `x-*` keys, kept wherever the specification allows them. Values are plain YAML data. */
export interface Extensible {
  [extension: `x-${string}`]: unknown
}

/** Keys of a map, indexes of a list: `['services', 'web', 'ports', 0, 'published']`. */
export type ModelPath = readonly (string | number)[]

/** A place in a file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Location {
  /** The path as the user gave it (or as an `include` or `extends` named it), `-` for stdin. */
  file: string
  line: number
  column: number
  /** The whole source line. */
  text: string
  /** What to underline: column and length on `text`. */
  caret: { column: number; length: number }
}

/** A Compose project, ready to be deployed. Made by `loadStack`. */
export interface Stack {
  name: string
  /** Services of active profiles only. */
  services: Record<string, Service>
  /** All that are declared, and `default` if a service is on it. */
  networks: Record<string, Network>
  volumes: Record<string, Volume>
  configs: Record<string, Config>
  secrets: Record<string, Secret>
  models: Record<string, Model>
  /** Top-level `x-*` keys. */
  extensions: Record<string, unknown>
  /** Services whose profiles are not active: valid, not to be deployed. */
  disabledServices: Record<string, Service>
  /** The variables that interpolation saw: environment, then `.env` or --env-file. */
  environment: Record<string, string>
  /** Absolute; relative paths were resolved against it. */
  projectDirectory: string
  /** What is worth telling but stops nothing: unset variables, the obsolete `version`. */
  warnings: ComposeError[]
  /**
   * Where a value was written. A path that the user did not write (a default) is placed at its
   * nearest written ancestor. Undefined only if no part of the path came from a file.
   */
  locate(path: ModelPath): Location | undefined
}

/** One thing that is wrong in what the user wrote. */
export interface ComposeError {
  /** `services.web.ports[0].published`; empty for a file as a whole. */
  path: string
  /** In words, without the path: `expected a port or a range of ports, got "eighty"`. */
  message: string
  location?: Location
  /** What to do: `Did you mean "environment"?` */
  hint?: string
}

/** `services.*`. */
export interface Service extends Extensible {
  annotations?: Record<string, string>
  attach?: boolean
  blkio_config?: BlkioConfig
  build?: Build
  cap_add?: string[]
  cap_drop?: string[]
  cgroup?: string
  cgroup_parent?: string
  /** Absent: the image's own. Empty list: cleared. */
  command?: string[]
  configs?: FileReference[]
  container_name?: string
  cpu_count?: number
  cpu_percent?: number
  cpu_period?: number
  cpu_quota?: number
  cpu_rt_period?: number
  cpu_rt_runtime?: number
  cpu_shares?: number
  cpus?: number
  cpuset?: string
  credential_spec?: CredentialSpec
  depends_on?: Record<string, ServiceDependency>
  deploy?: Deploy
  develop?: Develop
  device_cgroup_rules?: string[]
  devices?: DeviceMapping[]
  dns?: string[]
  dns_opt?: string[]
  dns_search?: string[]
  domainname?: string
  /** Absent: the image's own. Empty list: cleared. */
  entrypoint?: string[]
  /** Only with `resolveEnvFiles: false`; else it is in `environment`. */
  env_file?: EnvFile[]
  /** `env_file` included. Null: named without a value, and the environment has none. */
  environment?: Record<string, string | null>
  expose?: string[]
  /** Never set: what a service extends has been merged into it. */
  extends?: { service: string; file?: string }
  external_links?: string[]
  /** `name=address` each. */
  extra_hosts?: string[]
  gpus?: DeviceRequest[]
  group_add?: string[]
  healthcheck?: Healthcheck
  hostname?: string
  image?: string
  /** False is not the same as absent: the engine may have a default. */
  init?: boolean
  ipc?: string
  isolation?: string
  /** Only with `resolveEnvFiles: false`; else it is in `labels`. */
  label_file?: string[]
  /** `label_file` included. */
  labels?: Record<string, string>
  links?: string[]
  logging?: Logging
  mac_address?: string
  mem_limit?: Bytes
  mem_reservation?: Bytes
  mem_swappiness?: number
  /** -1: unlimited. */
  memswap_limit?: Bytes
  models?: Record<string, ServiceModel>
  network_mode?: string
  networks?: Record<string, ServiceNetwork>
  oom_kill_disable?: boolean
  oom_score_adj?: number
  pid?: string
  pids_limit?: number
  platform?: string
  ports?: Port[]
  post_start?: Hook[]
  pre_start?: PreStartHook[]
  pre_stop?: Hook[]
  privileged?: boolean
  profiles?: string[]
  provider?: Provider
  pull_policy?: string
  pull_refresh_after?: string
  read_only?: boolean
  /** `no`, `always`, `on-failure`, `on-failure:N`, `unless-stopped`. */
  restart?: string
  runtime?: string
  /** Zero is not the same as absent. */
  scale?: number
  secrets?: FileReference[]
  security_opt?: string[]
  shm_size?: Bytes
  stdin_open?: boolean
  stop_grace_period?: Nanoseconds
  stop_signal?: string
  storage_opt?: Record<string, string>
  sysctls?: Record<string, string>
  tmpfs?: string[]
  tty?: boolean
  ulimits?: Record<string, Ulimit>
  use_api_socket?: boolean
  user?: string
  userns_mode?: string
  uts?: string
  volumes?: Mount[]
  volumes_from?: string[]
  working_dir?: string
}

export interface BlkioConfig extends Extensible {
  weight?: number
  weight_device?: { path: string; weight: number }[]
  device_read_bps?: ThrottleDevice[]
  device_read_iops?: ThrottleDevice[]
  device_write_bps?: ThrottleDevice[]
  device_write_iops?: ThrottleDevice[]
}

/** `rate` is bytes or operations per second. */
export interface ThrottleDevice {
  path: string
  rate: number
}

export interface Build extends Extensible {
  /** Absolute path, or a URL as it was written. */
  context?: string
  dockerfile?: string
  dockerfile_inline?: string
  entitlements?: string[]
  args?: Record<string, string | null>
  provenance?: string
  sbom?: string
  /** `id` or `id=path` each. */
  ssh?: string[]
  labels?: Record<string, string>
  cache_from?: string[]
  cache_to?: string[]
  no_cache?: boolean
  no_cache_filter?: string[]
  additional_contexts?: Record<string, string>
  pull?: boolean
  extra_hosts?: string[]
  isolation?: string
  network?: string
  target?: string
  secrets?: FileReference[]
  shm_size?: Bytes
  tags?: string[]
  ulimits?: Record<string, Ulimit>
  platforms?: string[]
  privileged?: boolean
}

/** A config or secret that a service mounts. */
export interface FileReference extends Extensible {
  source: string
  /** Secrets: always set, `/run/secrets/SOURCE` by default. Configs: absent means `/SOURCE`. */
  target?: string
  uid?: string
  gid?: string
  mode?: FileMode
}

export interface CredentialSpec extends Extensible {
  config?: string
  file?: string
  registry?: string
}

export type DependencyCondition =
  | 'service_started'
  | 'service_healthy'
  | 'service_completed_successfully'

export interface ServiceDependency extends Extensible {
  condition: DependencyCondition
  /** True: the dependent restarts when its dependency was updated. */
  restart?: boolean
  /** False: no error if the dependency is not there. */
  required: boolean
}

export type DeployMode = 'replicated' | 'global' | 'replicated-job' | 'global-job'

export interface Deploy extends Extensible {
  mode?: DeployMode
  /** Zero is not the same as absent. */
  replicas?: number
  /** Labels of the service, not of its containers. */
  labels?: Record<string, string>
  update_config?: UpdateConfig
  rollback_config?: UpdateConfig
  resources?: { limits?: Resource; reservations?: Resource } & Extensible
  restart_policy?: RestartPolicy
  placement?: Placement
  endpoint_mode?: string
}

export interface UpdateConfig extends Extensible {
  /** Zero (all at once) is not the same as absent (one). */
  parallelism?: number
  delay?: Nanoseconds
  failure_action?: string
  monitor?: Nanoseconds
  max_failure_ratio?: number
  order?: string
}

export interface Resource extends Extensible {
  /** Cores: 0.5 is half of one. */
  cpus?: number
  memory?: Bytes
  pids?: number
  devices?: DeviceRequest[]
  generic_resources?: ({
    discrete_resource_spec?: { kind: string; value: number } & Extensible
  } & Extensible)[]
}

export interface RestartPolicy extends Extensible {
  condition?: string
  delay?: Nanoseconds
  max_attempts?: number
  window?: Nanoseconds
}

export interface Placement extends Extensible {
  constraints?: string[]
  preferences?: ({ spread?: string } & Extensible)[]
  max_replicas_per_node?: number
}

/** `count` -1 means all. */
export interface DeviceRequest extends Extensible {
  capabilities?: string[]
  driver?: string
  count?: number
  device_ids?: string[]
  options?: Record<string, string>
}

export interface Develop extends Extensible {
  watch?: ({
    path: string
    action: string
    target?: string
    exec?: Hook
    include?: string[]
    ignore?: string[]
    initial_sync?: boolean
  } & Extensible)[]
}

export interface DeviceMapping extends Extensible {
  source?: string
  target?: string
  permissions?: string
}

export interface EnvFile {
  path: string
  required: boolean
  format?: string
}

export interface Healthcheck extends Extensible {
  /** First item `CMD`, `CMD-SHELL` or `NONE`. */
  test?: string[]
  timeout?: Nanoseconds
  interval?: Nanoseconds
  /** Zero is not the same as absent. */
  retries?: number
  start_period?: Nanoseconds
  start_interval?: Nanoseconds
  disable?: boolean
}

export interface Logging extends Extensible {
  driver?: string
  options?: Record<string, string>
}

export interface ServiceModel extends Extensible {
  endpoint_var?: string
  model_var?: string
}

export interface ServiceNetwork extends Extensible {
  aliases?: string[]
  driver_opts?: Record<string, string>
  gw_priority?: number
  interface_name?: string
  ipv4_address?: string
  ipv6_address?: string
  link_local_ips?: string[]
  mac_address?: string
  priority?: number
}

/** One port; ranges of equal length were expanded into one entry each. */
export interface Port extends Extensible {
  name?: string
  mode?: 'ingress' | 'host'
  host_ip?: string
  /** In the container. */
  target: number
  /** On the host: a port, or a range `8000-8010` of which any will do. Absent: any free port. */
  published?: string
  protocol?: string
  app_protocol?: string
}

export interface Hook extends Extensible {
  command?: string[]
  user?: string
  privileged?: boolean
  working_dir?: string
  environment?: Record<string, string | null>
}

export interface PreStartHook extends Hook {
  image?: string
  per_replica?: boolean
}

export interface Provider extends Extensible {
  type?: string
  options?: Record<string, string[]>
}

/** A number for both, or the two apart. */
export type Ulimit = number | ({ soft?: number; hard?: number } & Extensible)

export type MountType = 'bind' | 'volume' | 'tmpfs' | 'npipe' | 'cluster' | 'image'

export interface Mount extends Extensible {
  type: MountType
  /** Absolute path, key of `volumes`, or image, by `type`. Absent: anonymous. */
  source?: string
  target?: string
  read_only?: boolean
  consistency?: string
  bind?: {
    selinux?: string
    propagation?: string
    /** Always set where `bind` is. */
    create_host_path?: boolean
    recursive?: string
  } & Extensible
  volume?: { labels?: Record<string, string>; nocopy?: boolean; subpath?: string } & Extensible
  tmpfs?: { size?: Bytes; mode?: FileMode } & Extensible
  image?: { subpath?: string } & Extensible
}

export interface Network extends Extensible {
  /** The name in the engine: `PROJECT_KEY` unless given. */
  name: string
  driver?: string
  driver_opts?: Record<string, string>
  ipam?: Ipam
  /** True: not created, must exist under `name`. */
  external?: boolean
  internal?: boolean
  attachable?: boolean
  labels?: Record<string, string>
  /** False is not the same as absent. */
  enable_ipv4?: boolean
  enable_ipv6?: boolean
}

export interface Ipam extends Extensible {
  driver?: string
  config?: ({
    subnet?: string
    gateway?: string
    ip_range?: string
    aux_addresses?: Record<string, string>
  } & Extensible)[]
  options?: Record<string, string>
}

export interface Volume extends Extensible {
  /** The name in the engine: `PROJECT_KEY` unless given. */
  name: string
  driver?: string
  driver_opts?: Record<string, string>
  external?: boolean
  labels?: Record<string, string>
}

/** `configs.*`. Exactly one of file, content, environment or external says what is in it. */
export interface Config extends Extensible {
  /** The name in the engine: `PROJECT_KEY` unless given. */
  name: string
  /** Absolute path; read when it is deployed. */
  file?: string
  /** A variable; its value is in `content`. */
  environment?: string
  content?: string
  external?: boolean
  labels?: Record<string, string>
  template_driver?: string
}

/** `secrets.*`. `content` is set for `environment`, and never printed. */
export interface Secret extends Config {
  driver?: string
  driver_opts?: Record<string, string>
}

export interface Model extends Extensible {
  name?: string
  model?: string
  context_size?: number
  runtime_flags?: string[]
}
