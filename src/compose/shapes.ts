import {
  bytes,
  duration,
  flag,
  integer,
  keep,
  listOf,
  mapOf,
  number,
  object,
  required,
  text,
  textMap,
  textMapWithNulls,
  texts,
  type Field,
  type Shape,
} from './shape.ts'

const command: Field = { shape: texts, keep: true }

const ulimits = mapOf({
  is: 'either',
  scalar: integer,
  map: object({ soft: integer, hard: integer }),
})

const fileReferences = listOf(
  object({
    source: required(text),
    target: text,
    uid: text,
    gid: text,
    mode: keep({ is: 'mode' }),
  }),
)

const hookFields = {
  command,
  user: text,
  privileged: flag,
  working_dir: text,
  environment: textMapWithNulls,
}

const deviceRequests = listOf(
  object({
    capabilities: texts,
    driver: text,
    count: { is: 'count' },
    device_ids: texts,
    options: textMap,
  }),
)

const updateConfig = object({
  parallelism: keep(integer),
  delay: duration,
  failure_action: text,
  monitor: duration,
  max_failure_ratio: number,
  order: text,
})

const resource = object({
  cpus: number,
  memory: bytes,
  pids: integer,
  devices: deviceRequests,
  generic_resources: listOf(
    object({ discrete_resource_spec: object({ kind: keep(text), value: keep(integer) }) }),
  ),
})

const throttle = listOf(
  object({ path: { shape: text, json: 'Path' }, rate: { shape: bytes, keep: true, json: 'Rate' } }),
)

const build = object({
  context: text,
  dockerfile: text,
  dockerfile_inline: text,
  entitlements: texts,
  args: textMapWithNulls,
  provenance: text,
  sbom: text,
  ssh: texts,
  labels: textMap,
  cache_from: texts,
  cache_to: texts,
  no_cache: flag,
  no_cache_filter: texts,
  additional_contexts: textMap,
  pull: flag,
  extra_hosts: texts,
  isolation: text,
  network: text,
  target: text,
  secrets: fileReferences,
  shm_size: bytes,
  tags: texts,
  ulimits,
  platforms: texts,
  privileged: flag,
})

const deploy = object({
  mode: text,
  replicas: keep(integer),
  labels: textMap,
  update_config: updateConfig,
  rollback_config: updateConfig,
  resources: { shape: object({ limits: resource, reservations: resource }), always: 'object' },
  restart_policy: object({
    condition: text,
    delay: keep(duration),
    max_attempts: keep(integer),
    window: keep(duration),
  }),
  placement: {
    shape: object({
      constraints: texts,
      preferences: listOf(object({ spread: text })),
      max_replicas_per_node: integer,
    }),
    always: 'object',
  },
  endpoint_mode: text,
})

const ports = listOf(
  object({
    name: text,
    mode: text,
    host_ip: text,
    target: required(integer),
    published: text,
    protocol: text,
    app_protocol: text,
  }),
)

const mounts = listOf(
  object({
    type: required(text),
    source: text,
    target: text,
    read_only: flag,
    consistency: text,
    bind: object({
      selinux: text,
      propagation: text,
      create_host_path: keep(flag),
      recursive: text,
    }),
    volume: object({ labels: textMap, nocopy: flag, subpath: text }),
    tmpfs: object({ size: bytes, mode: integer }),
    image: object({ subpath: text }),
  }),
)

export const serviceShape: Shape = object({
  annotations: textMap,
  attach: keep(flag),
  blkio_config: object({
    weight: integer,
    weight_device: listOf(
      object({
        path: { shape: text, json: 'Path' },
        weight: { shape: integer, keep: true, json: 'Weight' },
      }),
    ),
    device_read_bps: throttle,
    device_read_iops: throttle,
    device_write_bps: throttle,
    device_write_iops: throttle,
  }),
  build,
  cap_add: texts,
  cap_drop: texts,
  cgroup: text,
  cgroup_parent: text,
  command: { ...command, always: null },
  configs: fileReferences,
  container_name: text,
  cpu_count: integer,
  cpu_percent: number,
  cpu_period: integer,
  cpu_quota: integer,
  cpu_rt_period: integer,
  cpu_rt_runtime: integer,
  cpu_shares: integer,
  cpus: number,
  cpuset: text,
  credential_spec: object({ config: text, file: text, registry: text }),
  depends_on: mapOf(object({ condition: required(text), restart: flag, required: keep(flag) })),
  deploy,
  develop: object({
    watch: listOf(
      object({
        path: required(text),
        action: required(text),
        target: text,
        exec: { shape: object(hookFields), always: 'object' },
        include: texts,
        ignore: texts,
        initial_sync: flag,
      }),
    ),
  }),
  device_cgroup_rules: texts,
  devices: listOf(object({ source: text, target: text, permissions: text })),
  dns: texts,
  dns_opt: texts,
  dns_search: texts,
  domainname: text,
  entrypoint: { ...command, always: null },
  env_file: listOf(object({ path: required(text), required: keep(flag), format: text })),
  environment: textMapWithNulls,
  expose: texts,
  extends: object({ file: text, service: required(text) }),
  external_links: texts,
  extra_hosts: texts,
  gpus: deviceRequests,
  group_add: texts,
  healthcheck: object({
    test: texts,
    timeout: keep(duration),
    interval: keep(duration),
    retries: keep(integer),
    start_period: keep(duration),
    start_interval: keep(duration),
    disable: flag,
  }),
  hostname: text,
  image: text,
  init: keep(flag),
  ipc: text,
  isolation: text,
  label_file: texts,
  labels: textMap,
  links: texts,
  logging: object({ driver: text, options: textMap }),
  mac_address: text,
  mem_limit: bytes,
  mem_reservation: bytes,
  mem_swappiness: bytes,
  memswap_limit: bytes,
  models: mapOf(object({ endpoint_var: text, model_var: text })),
  network_mode: text,
  networks: mapOf(
    object({
      aliases: texts,
      driver_opts: textMap,
      gw_priority: integer,
      interface_name: text,
      ipv4_address: text,
      ipv6_address: text,
      link_local_ips: texts,
      mac_address: text,
      priority: integer,
    }),
  ),
  oom_kill_disable: flag,
  oom_score_adj: integer,
  pid: text,
  pids_limit: integer,
  platform: text,
  ports,
  post_start: listOf(object(hookFields)),
  pre_start: listOf(object({ ...hookFields, image: text, per_replica: flag })),
  pre_stop: listOf(object(hookFields)),
  privileged: flag,
  profiles: texts,
  provider: object({ type: text, options: mapOf(texts) }),
  pull_policy: text,
  pull_refresh_after: text,
  read_only: flag,
  restart: text,
  runtime: text,
  scale: keep(integer),
  secrets: fileReferences,
  security_opt: texts,
  shm_size: bytes,
  stdin_open: flag,
  stop_grace_period: keep(duration),
  stop_signal: text,
  storage_opt: textMap,
  sysctls: textMap,
  tmpfs: texts,
  tty: flag,
  ulimits,
  use_api_socket: flag,
  user: text,
  userns_mode: text,
  uts: text,
  volumes: mounts,
  volumes_from: texts,
  working_dir: text,
})

export const networkShape: Shape = object({
  name: text,
  driver: text,
  driver_opts: textMap,
  ipam: {
    shape: object({
      driver: text,
      config: listOf(
        object({ subnet: text, gateway: text, ip_range: text, aux_addresses: textMap }),
      ),
      options: textMap,
    }),
    always: 'object',
  },
  external: flag,
  internal: flag,
  attachable: flag,
  labels: textMap,
  enable_ipv4: keep(flag),
  enable_ipv6: keep(flag),
})

export const volumeShape: Shape = object({
  name: text,
  driver: text,
  driver_opts: textMap,
  external: flag,
  labels: textMap,
})

const fileObjectFields = {
  name: text,
  file: text,
  environment: text,
  content: text,
  external: flag,
  labels: textMap,
  template_driver: text,
}

export const configShape: Shape = object(fileObjectFields)

export const secretShape: Shape = object({
  ...fileObjectFields,
  driver: text,
  driver_opts: textMap,
})

export const modelShape: Shape = object({
  name: text,
  model: text,
  context_size: integer,
  runtime_flags: texts,
})

/** A whole project. */
export const projectShape: Shape = object({
  name: text,
  services: mapOf(serviceShape),
  networks: mapOf(networkShape),
  volumes: mapOf(volumeShape),
  configs: mapOf(configShape),
  secrets: mapOf(secretShape),
  models: mapOf(modelShape),
})
