import { isIP } from 'node:net'
import type { ModelPath, Service } from './model.ts'
import { get, stringOf, textOf, type Entry, type Node } from './node.ts'
import { isPortRange } from './ports.ts'
import type { Problems } from './problems.ts'
import { didYouMean } from './suggest.ts'

/** The entry at a path of a tree, or the nearest one above it that was written. */
export const entryAt = (tree: Node, path: ModelPath): Entry => {
  let found: Entry = { value: tree }
  let node: Node | undefined = tree
  for (const part of path) {
    let entry: Entry | undefined
    if (node?.kind === 'map') entry = node.entries.get(String(part))
    else if (node?.kind === 'list' && typeof part === 'number' && node.items[part])
      entry = { value: node.items[part] }
    if (!entry) break
    if (entry.value.at) found = entry
    node = entry.value
  }
  return found
}

/** Checks a canonical tree for what a schema cannot say. */
export const checkTree = (tree: Node, problems: Problems, lenient: boolean): void => {
  const all = (kind: string): [string, Node][] => {
    const node = get(tree, kind)
    return node?.kind === 'map' ? [...node.entries].map(([name, { value }]) => [name, value]) : []
  }
  const items = (node: Node | undefined): readonly Node[] =>
    node?.kind === 'list' ? node.items : []
  const open = (text: string): boolean => lenient && text.includes('$')

  for (const [name, service] of all('services')) {
    for (const [index, port] of items(get(service, 'ports')).entries())
      checkPort(port, ['services', name, 'ports', index], problems, open)
    const devices = get(get(get(get(service, 'deploy'), 'resources'), 'reservations'), 'devices')
    for (const [key, requests] of [
      ['gpus', get(service, 'gpus')],
      ['devices', devices],
    ] as const)
      for (const request of items(requests))
        if (get(request, 'count') && get(request, 'device_ids'))
          problems.error(
            ['services', name, key],
            '"count" and "device_ids" exclude each other',
            request,
          )
    for (const [index, mount] of items(get(service, 'volumes')).entries())
      checkMount(mount, ['services', name, 'volumes', index], problems)
    for (const [index, watch] of items(get(get(service, 'develop'), 'watch')).entries())
      if (stringOf(get(watch, 'path')) === '')
        problems.error(
          ['services', name, 'develop', 'watch', index, 'path'],
          'must not be empty',
          watch,
        )
  }
  for (const [name, volume] of all('volumes')) checkExternal(volume, ['volumes', name], problems)
  for (const [name, node] of all('configs'))
    checkContent(node, ['configs', name], ['file', 'environment', 'content'], problems)
  for (const [name, node] of all('secrets'))
    checkContent(node, ['secrets', name], ['file', 'environment'], problems)
}

const checkPort = (
  port: Node,
  path: ModelPath,
  problems: Problems,
  open: (text: string) => boolean,
): void => {
  if (port.kind !== 'map') return
  const place = (key: string): Entry => port.entries.get(key) ?? { value: port }
  const at = (key: string): { at: Node['at']; key: Entry['key'] } => ({
    at: place(key).value.at,
    key: place(key).key,
  })
  const target = get(port, 'target')
  if (!target) problems.error(path, '"target" is missing: the port in the container', port)
  else if (target.kind === 'scalar' && !open(textOf(target))) {
    const number = Number(target.value)
    if (!Number.isInteger(number) || number < 0 || number > 65_535)
      problems.error(
        [...path, 'target'],
        `expected a port (up to 65535), got ${textOf(target)}`,
        at('target'),
      )
  }
  const published = get(port, 'published')
  if (published?.kind === 'scalar') {
    const text = textOf(published)
    if (text !== '' && !isPortRange(text) && !open(text))
      problems.error(
        [...path, 'published'],
        `expected a port or a range of ports, got ${JSON.stringify(text)}`,
        at('published'),
      )
  }
  const ip = stringOf(get(port, 'host_ip'))
  if (ip !== undefined && isIP(ip) === 0 && !open(ip))
    problems.error(
      [...path, 'host_ip'],
      `expected an IP address, got ${JSON.stringify(ip)}`,
      at('host_ip'),
    )
}

const checkMount = (mount: Node, path: ModelPath, problems: Problems): void => {
  if (mount.kind !== 'map') return
  if (!get(mount, 'target'))
    problems.error(path, '"target" is missing: the path in the container', mount)
  if (stringOf(get(mount, 'type')) === 'bind' && !stringOf(get(mount, 'source')))
    problems.error(path, 'a mount of type "bind" needs a "source": the path on the host', mount)
}

const checkExternal = (volume: Node, path: ModelPath, problems: Problems): void => {
  const external = get(volume, 'external')
  if (volume.kind !== 'map' || external?.kind !== 'scalar' || external.value !== true) return
  for (const [key, entry] of volume.entries)
    if (key !== 'name' && key !== 'external' && !key.startsWith('x-'))
      problems.error(
        path,
        `"${key}" has no meaning for an external volume: it is not created`,
        entry.key ?? entry.value,
      )
}

const checkContent = (node: Node, path: ModelPath, keys: string[], problems: Problems): void => {
  if (node.kind !== 'map') return
  const given = keys.filter((key) => node.entries.has(key))
  const [first, second] = given
  const words = keys.map((key) => `"${key}"`).join(', ')
  if (second !== undefined)
    problems.error(
      path,
      `"${first}" and "${second}" exclude each other`,
      node.entries.get(second)?.key ?? node,
    )
  else if (first === undefined && !node.entries.has('driver') && !node.entries.has('external'))
    problems.error(path, `one of ${words} or "external: true" is needed`, node)
}

/** What `checkServices` looks at: all services (`disabled` by profiles too), and what is declared. */
export interface Declared {
  services: Record<string, Service>
  disabled: Record<string, Service>
  tree: Node
  problems: Problems
}

/** Checks that services fit together: references, contradictions, circles. */
export const checkServices = (declared: Declared): void => {
  for (const [name, service] of Object.entries(declared.services))
    if (!declared.problems.isBroken('services', name)) checkService(name, service, declared)
  checkCycles(declared)
}

const checkService = (name: string, service: Service, declared: Declared): void => {
  const { problems, tree } = declared
  const wrong = (path: ModelPath, message: string, hint?: string): void => {
    const full = ['services', name, ...path]
    const { value, key } = entryAt(tree, full)
    problems.error(full, message, { at: key && path.length === 0 ? key : value.at, key }, hint)
  }
  const { build, deploy } = service
  if (!build && !service.image && !service.provider) wrong([], 'needs an "image" or a "build"')
  if (build?.dockerfile_inline && build.dockerfile)
    wrong(['build', 'dockerfile_inline'], '"dockerfile" and "dockerfile_inline" exclude each other')
  if (build?.platforms && service.platform && !build.platforms.includes(service.platform))
    wrong(['build', 'platforms'], `the service's platform ${service.platform} is not among them`)
  for (const [key, context] of Object.entries(build?.additional_contexts ?? {})) {
    const target = context.startsWith('service:') ? context.slice(8) : undefined
    if (target === undefined) continue
    const other = declared.services[target] ?? declared.disabled[target]
    if (!other) wrong(['build', 'additional_contexts', key], `there is no service "${target}"`)
    else if (!other.build)
      wrong(['build', 'additional_contexts', key], `the service "${target}" is not built`)
  }
  if (service.network_mode && Object.keys(service.networks ?? {}).length > 0)
    wrong(['network_mode'], '"network_mode" and "networks" exclude each other')
  const [test] = service.healthcheck?.test ?? []
  if (test !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(test))
    wrong(
      ['healthcheck', 'test', 0],
      `expected "CMD", "CMD-SHELL" or "NONE" as the first item, got ${JSON.stringify(test)}`,
    )
  references(name, service, declared, wrong)
  contradictions(service, wrong)
  const replicas = service.scale ?? deploy?.replicas ?? 1
  for (const [path, count] of [
    [['scale'], service.scale],
    [['deploy', 'replicas'], deploy?.replicas],
  ] as const)
    if ((count ?? 0) < 0) wrong(path, `expected 0 or more, got ${count}`)
  if (replicas > 1 && service.container_name)
    wrong(['container_name'], `${replicas} replicas cannot all have the same container name`)
  for (const [index, watch] of (service.develop?.watch ?? []).entries())
    if (!watch.target && watch.action !== 'rebuild' && watch.action !== 'restart')
      wrong(['develop', 'watch', index], `the action "${watch.action}" needs a "target"`)
  const mounted = new Set<string>()
  const targets = [
    ...(service.tmpfs ?? []).map((tmpfs, i) => ({
      path: ['tmpfs', i],
      target: tmpfs.split(':', 1)[0] ?? '',
    })),
    ...(service.volumes ?? []).map((volume, i) => ({
      path: ['volumes', i],
      target: volume.target ?? '',
    })),
  ]
  for (const { path, target } of targets) {
    if (mounted.has(target)) wrong(path, `something else is mounted at ${target} already`)
    mounted.add(target)
  }
}

type Wrong = (path: ModelPath, message: string, hint?: string) => void

/** Everything that a service names must be declared. */
const references = (name: string, service: Service, declared: Declared, wrong: Wrong): void => {
  const { tree, problems } = declared
  const need = (kind: string, key: string, path: ModelPath, word: string): void => {
    const all = get(tree, kind)
    const names = all?.kind === 'map' ? [...all.entries.keys()] : []
    if (names.includes(key) || problems.isBroken(kind, key)) return
    const hint = didYouMean(key, names) ?? `Declare it under "${kind}:".`
    wrong(path, `there is no ${word} "${key}"`, hint)
  }
  for (const key of Object.keys(service.networks ?? {}))
    if (key !== 'default' || get(get(tree, 'networks'), 'default') === undefined)
      need('networks', key, ['networks', key], 'network')
  for (const [index, mount] of (service.volumes ?? []).entries())
    if (mount.type === 'volume' && mount.source)
      need('volumes', mount.source, ['volumes', index], 'volume')
  for (const [index, config] of (service.configs ?? []).entries())
    need('configs', config.source, ['configs', index], 'config')
  for (const [index, secret] of (service.secrets ?? []).entries())
    need('secrets', secret.source, ['secrets', index], 'secret')
  for (const [index, secret] of (service.build?.secrets ?? []).entries())
    need('secrets', secret.source, ['build', 'secrets', index], 'secret')
  for (const key of Object.keys(service.models ?? {})) need('models', key, ['models', key], 'model')
  for (const [other, dependency] of Object.entries(service.depends_on ?? {})) {
    if (declared.services[other] || problems.isBroken('services', other)) continue
    const inactive = declared.disabled[other]
    if (inactive && !dependency.required) continue
    const path = dependencyPath(tree, name, other)
    if (inactive) {
      const profiles = (inactive.profiles ?? []).join(', ')
      wrong(
        path,
        `the service "${other}" is not active: its profiles are ${profiles}`,
        `Activate one with --profile, or say "required: false".`,
      )
    } else {
      const names = [...Object.keys(declared.services), ...Object.keys(declared.disabled)]
      wrong(path, `there is no service "${other}"`, didYouMean(other, names))
    }
  }
}

/** `depends_on`, or the key that a dependency follows from. */
const dependencyPath = (tree: Node, name: string, other: string): ModelPath => {
  const path = ['depends_on', other]
  return entryAt(tree, ['services', name, ...path]).value.at ? path : ['depends_on']
}

/** The same thing said twice, differently. */
const contradictions = (service: Service, wrong: Wrong): void => {
  const { deploy } = service
  const limits = deploy?.resources?.limits
  const reservations = deploy?.resources?.reservations
  const pairs = [
    ['scale', service.scale, 'deploy.replicas', deploy?.replicas, deploy?.replicas !== undefined],
    ['cpus', service.cpus, 'deploy.resources.limits.cpus', limits?.cpus, limits !== undefined],
    [
      'mem_limit',
      service.mem_limit,
      'deploy.resources.limits.memory',
      limits?.memory,
      limits !== undefined,
    ],
    [
      'mem_reservation',
      service.mem_reservation,
      'deploy.resources.reservations.memory',
      reservations?.memory,
      reservations !== undefined,
    ],
    [
      'pids_limit',
      service.pids_limit,
      'deploy.resources.limits.pids',
      limits?.pids,
      limits !== undefined,
    ],
  ] as const
  for (const [key, value, other, otherValue, present] of pairs)
    if (value !== undefined && present && value !== otherValue)
      wrong([key], `"${key}" and "${other}" differ: ${value} and ${otherValue ?? 'nothing'}`)
}

/** No service may wait for itself. */
const checkCycles = ({ services, tree, problems }: Declared): void => {
  const done = new Set<string>()
  const chain: string[] = []
  const visit = (name: string): boolean => {
    if (done.has(name)) return true
    const start = chain.indexOf(name)
    if (start !== -1) {
      const circle = [...chain.slice(start), name]
      const path = ['services', name, 'depends_on', circle[1] ?? name]
      const { value, key } = entryAt(tree, path)
      problems.error(path, `services wait for each other in a circle: ${circle.join(' -> ')}`, {
        at: value.at,
        key,
      })
      return false
    }
    chain.push(name)
    const fine = Object.keys(services[name]?.depends_on ?? {}).every(visit)
    chain.pop()
    done.add(name)
    return fine
  }
  for (const name of Object.keys(services)) if (!visit(name)) return
}
