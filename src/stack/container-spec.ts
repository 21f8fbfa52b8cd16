import type { StartHook } from '../catalog/index.ts'
import type { Hook, Service, Stack } from '../compose/index.ts'
import { LABEL } from '../base/index.ts'
import { apiAtLeast, type Problem } from './check.ts'
import type { SwarmContainerSpec, SwarmMount } from './desired.ts'
import type { FileNames } from './files.ts'

export interface ContainerContext {
  stack: Stack
  api: string
  image: string
  mounts: SwarmMount[]
  files: FileNames
  problems: Problem[]
}

/** The container of each task of a service. */
export const containerSpec = (
  key: string,
  service: Service,
  context: ContainerContext,
): SwarmContainerSpec => {
  const clearedEntrypoint = service.entrypoint?.length === 0
  const hostname = [service.hostname, service.domainname].filter(Boolean).join('.')
  const privileges = privilegesOf(key, service, context)
  return compact({
    Image: context.image,
    Labels: {
      ...service.labels,
      [LABEL.stack]: context.stack.name,
      ...(service.post_start?.length
        ? { [LABEL.postStart]: JSON.stringify(service.post_start.map(startHook)) }
        : {}),
    },
    // Swarm cannot clear an entrypoint; running the command as the entrypoint is the same.
    Command: clearedEntrypoint ? service.command : service.entrypoint,
    Args: clearedEntrypoint ? undefined : service.command,
    Hostname: hostname,
    Env: environment(service.environment),
    Dir: service.working_dir,
    User: service.user,
    Groups: service.group_add,
    Privileges: privileges,
    TTY: service.tty,
    OpenStdin: service.stdin_open,
    ReadOnly: service.read_only,
    Mounts: context.mounts,
    StopSignal: service.stop_signal,
    StopGracePeriod: service.stop_grace_period,
    Healthcheck: healthcheck(service.healthcheck),
    Hosts: service.extra_hosts?.map((each) => {
      const [name, address] = splitOnce(each, '=')
      return `${address} ${name}`
    }),
    DNSConfig: compact({
      Nameservers: service.dns,
      Search: service.dns_search,
      Options: service.dns_opt,
    }),
    Secrets: fileReferences(service.secrets ?? [], 'secret', context),
    Configs: fileReferences(service.configs ?? [], 'config', context),
    OomScoreAdj: service.oom_score_adj,
    Isolation: service.isolation as SwarmContainerSpec['Isolation'],
    Init: service.init,
    Sysctls: service.sysctls,
    CapabilityAdd: capabilities(service.cap_add),
    CapabilityDrop: capabilities(service.cap_drop),
    Ulimits: ulimits(service.ulimits),
  })
}

/** Only what says something: no undefined, empty text, false, empty list or map. `Init` may be false. */
const compact = <T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(
    Object.entries(value).filter(
      ([key, each]) =>
        each !== undefined &&
        each !== null &&
        each !== '' &&
        (each !== false || key === 'Init') &&
        !(typeof each === 'object' && Object.keys(each).length === 0),
    ),
  ) as { [K in keyof T]?: NonNullable<T[K]> }

/** `KEY=value`, sorted; `KEY` alone takes the variable away. */
const environment = (variables: Service['environment']): string[] =>
  Object.entries(variables ?? {})
    .map(([name, value]) => (value === null ? name : `${name}=${value}`))
    .sort()

const startHook = (hook: Hook): StartHook => ({
  command: hook.command ?? [],
  env: environment(hook.environment),
  user: hook.user ?? null,
  workingDir: hook.working_dir ?? null,
  privileged: hook.privileged ?? false,
})

const healthcheck = (check: Service['healthcheck']): SwarmContainerSpec['Healthcheck'] => {
  if (check === undefined) return undefined
  if (check.disable) return { Test: ['NONE'] }
  return compact({
    Test: check.test,
    Interval: check.interval,
    Timeout: check.timeout,
    Retries: check.retries,
    StartPeriod: check.start_period,
    StartInterval: check.start_interval,
  })
}

const capabilities = (names: string[] | undefined): string[] =>
  [...new Set((names ?? []).map((name) => name.toUpperCase()))]
    .map((name) => (name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`))
    .sort()

const ulimits = (limits: Service['ulimits']): { Name: string; Soft: number; Hard: number }[] =>
  Object.entries(limits ?? {})
    .map(([name, limit]) =>
      typeof limit === 'number'
        ? { Name: name, Soft: limit, Hard: limit }
        : { Name: name, Soft: limit.soft ?? 0, Hard: limit.hard ?? 0 },
    )
    .sort((a, b) => (a.Name < b.Name ? -1 : 1))

const SECRETS_DIR = '/run/secrets/'

const fileReferences = (
  references: NonNullable<Service['configs']>,
  kind: 'config' | 'secret',
  context: ContainerContext,
): Record<string, unknown>[] =>
  references
    .map((reference) => {
      const target = reference.target ?? `/${reference.source}`
      const inSecrets = kind === 'secret' && target.startsWith(SECRETS_DIR)
      return {
        [kind === 'secret' ? 'SecretName' : 'ConfigName']:
          context.files[kind].get(reference.source) ?? reference.source,
        File: {
          Name: inSecrets ? target.slice(SECRETS_DIR.length) : target,
          UID: reference.uid ?? '0',
          GID: reference.gid ?? '0',
          Mode: reference.mode ?? 0o444,
        },
      }
    })
    .sort((a, b) => (a.File.Name < b.File.Name ? -1 : 1))

const privilegesOf = (
  key: string,
  service: Service,
  context: ContainerContext,
): NonNullable<SwarmContainerSpec['Privileges']> => {
  const privileges: NonNullable<SwarmContainerSpec['Privileges']> = {}
  const credential = service.credential_spec
  if (credential?.file) privileges.CredentialSpec = { File: credential.file }
  else if (credential?.registry) privileges.CredentialSpec = { Registry: credential.registry }
  else if (credential?.config) {
    context.problems.push({
      path: ['services', key, 'credential_spec', 'config'],
      message: 'credential_spec from a config is for Windows containers; the hosts run Linux.',
    })
  }
  for (const [i, option] of (service.security_opt ?? []).entries()) {
    const message = securityOption(option, privileges, context.api)
    if (message !== undefined) {
      context.problems.push({ path: ['services', key, 'security_opt', i], message })
    }
  }
  return privileges
}

/** Adds one `security_opt` to the privileges, or says why it cannot. */
const securityOption = (
  option: string,
  privileges: NonNullable<SwarmContainerSpec['Privileges']>,
  api: string,
): string | undefined => {
  const [name, value] = splitOnce(option, /[=:]/)
  if (name === 'label') {
    const [field, label] = splitOnce(value, /[=:]/)
    const selinux = { ...privileges.SELinuxContext }
    if (field === 'disable') selinux.Disable = true
    else if (field === 'user') selinux.User = label
    else if (field === 'role') selinux.Role = label
    else if (field === 'type') selinux.Type = label
    else if (field === 'level') selinux.Level = label
    else return `security_opt "${option}" is not known.`
    privileges.SELinuxContext = selinux
    return undefined
  }
  if (!['no-new-privileges', 'seccomp', 'apparmor'].includes(name)) {
    return `security_opt "${option}" cannot be used: Swarm has no such setting.`
  }
  if (!apiAtLeast(api, '1.44')) {
    return `security_opt "${option}" needs an engine with API 1.44 or newer, this one has ${api}.`
  }
  if (name === 'no-new-privileges') {
    privileges.NoNewPrivileges = value !== 'false'
    return undefined
  }
  if (value === 'unconfined') {
    if (name === 'seccomp') privileges.Seccomp = { Mode: 'unconfined' }
    else privileges.AppArmor = { Mode: 'disabled' }
    return undefined
  }
  return `security_opt "${option}" cannot be used: a profile of its own would have to be on every host.`
}

const splitOnce = (text: string, separator: string | RegExp): [string, string] => {
  const at = typeof separator === 'string' ? text.indexOf(separator) : text.search(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
