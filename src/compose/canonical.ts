import type { Node } from './node.ts'
import {
  attachments,
  command,
  dependencies,
  deviceRequests,
  devices,
  envFiles,
  external,
  gpus,
  healthTest,
  hook,
  hosts,
  mounts,
  ports,
  sshKeys,
} from './short-forms.ts'
import {
  both,
  items,
  keys,
  oneToList,
  pairs,
  under,
  type Rules,
  type TransformOptions,
} from './transforms.ts'

const build = both(
  under('context'),
  keys({
    args: pairs,
    labels: pairs,
    additional_contexts: pairs,
    ssh: sshKeys,
    extra_hosts: hosts,
    secrets: items(under('source')),
    no_cache_filter: oneToList,
  }),
)

const service: Rules = {
  annotations: pairs,
  build,
  command,
  configs: items(under('source')),
  depends_on: dependencies,
  deploy: {
    labels: pairs,
    resources: { reservations: { devices: deviceRequests }, limits: { devices: deviceRequests } },
  },
  develop: { watch: items(keys({ ignore: oneToList, include: oneToList, exec: hook })) },
  devices,
  dns: oneToList,
  dns_search: oneToList,
  entrypoint: command,
  env_file: envFiles,
  environment: pairs,
  extends: under('service'),
  extra_hosts: hosts,
  gpus,
  healthcheck: { test: healthTest },
  label_file: oneToList,
  labels: pairs,
  models: attachments,
  networks: attachments,
  ports,
  post_start: items(hook),
  pre_start: items(hook),
  pre_stop: items(hook),
  provider: { options: { '*': oneToList } },
  secrets: items(under('source')),
  sysctls: pairs,
  tmpfs: oneToList,
  volumes: mounts,
}

const resource = both(keys({ labels: pairs }), external)

const project = keys({
  services: { '*': service },
  networks: { '*': resource },
  volumes: { '*': resource },
  configs: { '*': resource },
  secrets: { '*': resource },
  include: items(both(under('path'), keys({ path: oneToList, env_file: oneToList }))),
})

/**
 * Expands every short syntax of a file into the long one, so that merging and all later steps know
 * one form of everything. Expects the kinds of values that the schema allows; leaves others alone.
 */
export const canonical = (node: Node, options: TransformOptions): Node =>
  project(node, [], options) ?? node
