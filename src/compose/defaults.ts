import { get, isNull, mapItems, mapValues, scalar, stringOf, withKey, type Node } from './node.ts'

type Change = (node: Node) => Node

const each =
  (to: Change): Change =>
  (node) =>
    node.kind === 'map' ? mapValues(node, to) : node.kind === 'list' ? mapItems(node, to) : node

const field =
  (key: string, to: Change): Change =>
  (node) => {
    const value = get(node, key)
    return node.kind === 'map' && value ? withKey(node, key, to(value)) : node
  }

const chain =
  (...changes: Change[]): Change =>
  (node) =>
    changes.reduce((value, change) => change(value), node)

/** Sets a key that is not there; what it says is placed where its owner is. */
const set =
  (key: string, value: string | number | boolean): Change =>
  (node) =>
    node.kind === 'map' && !node.entries.has(key)
      ? withKey(node, key, scalar(value, node.at))
      : node

const secretTarget: Change = (node) => {
  const source = stringOf(get(node, 'source'))
  return source === undefined ? node : set('target', `/run/secrets/${source}`)(node)
}

const deviceCount: Change = (node) => (get(node, 'device_ids') ? node : set('count', -1)(node))

/** `dns: ${UNSET}` asks for no server, not for one without an address. */
const withoutEmpty: Change = (node) =>
  node.kind === 'list'
    ? mapItems(node, (item) => (isNull(item) || stringOf(item) === '' ? undefined : item))
    : node

/** The values that the specification gives to what nobody wrote. */
export const withDefaults: Change = field(
  'services',
  each(
    chain(
      field('build', set('context', '.')),
      field('dns', withoutEmpty),
      field('secrets', each(secretTarget)),
      field('ports', each(chain(set('protocol', 'tcp'), set('mode', 'ingress')))),
      field('gpus', each(deviceCount)),
      field('volumes', each(field('bind', set('create_host_path', true)))),
      field(
        'deploy',
        field('resources', field('reservations', field('devices', each(deviceCount)))),
      ),
    ),
  ),
)

/** A dependency that follows from another key of the service. */
const dependency = (restart: boolean, at: Node): Node =>
  chain(
    set('condition', 'service_started'),
    set('required', true),
    restart ? set('restart', true) : (node) => node,
  )({ kind: 'map', entries: new Map(), at: at.at })

const impliedDependencies: Change = (service) => {
  if (service.kind !== 'map') return service
  const implied = new Map<string, Node>()
  const imply = (name: string, restart: boolean, at: Node): void => {
    if (!implied.has(name)) implied.set(name, dependency(restart, at))
  }
  const items = (key: string): readonly Node[] => {
    const value = get(service, key)
    return value?.kind === 'list' ? value.items : []
  }
  for (const link of items('links')) {
    const [name = '', ...alias] = (stringOf(link) ?? '').split(':')
    imply(alias.length === 1 ? name : (stringOf(link) ?? ''), true, link)
  }
  for (const key of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup']) {
    const value = get(service, key)
    const text = stringOf(value)
    if (value && text?.startsWith('service:')) imply(text.slice('service:'.length), true, value)
  }
  for (const from of items('volumes_from')) {
    const text = stringOf(from) ?? ''
    if (!text.startsWith('container:')) imply(text.split(':', 1)[0] ?? '', false, from)
  }
  if (implied.size === 0) return service
  const own = get(service, 'depends_on')
  const entries = new Map(own?.kind === 'map' ? own.entries : [])
  for (const [name, value] of implied) if (!entries.has(name)) entries.set(name, { value })
  return withKey(service, 'depends_on', { kind: 'map', entries, at: own?.at ?? service.at })
}

const buildDefaults: Change = (build) =>
  get(build, 'dockerfile_inline') ? build : set('dockerfile', 'Dockerfile')(build)

const pullPolicy: Change = (value) =>
  stringOf(value) === 'if_not_present' ? scalar('missing', value.at) : value

const hookImages: Change = (service) => {
  const image = stringOf(get(service, 'image'))
  return image === undefined ? service : field('pre_start', each(set('image', image)))(service)
}

const defaultNetwork: Change = (service) => {
  if (service.kind !== 'map' || get(service, 'provider') || get(service, 'network_mode'))
    return service
  const networks = get(service, 'networks')
  const given = networks?.kind === 'map' && networks.entries.size > 0
  if (given) return service
  const value: Node = scalar(null, service.at)
  return withKey(service, 'networks', {
    kind: 'map',
    entries: new Map([['default', { value }]]),
    at: service.at,
  })
}

const buildArguments =
  (environment: ReadonlyMap<string, string>): Change =>
  (args) =>
    args.kind === 'map'
      ? mapValues(args, (value, name) => {
          if (!isNull(value)) return value
          const found = environment.get(name)
          return found === undefined ? undefined : scalar(found, value.at)
        })
      : args

/**
 * What the reference calls normalising: implied dependencies, the `default` network, names of
 * networks, volumes, configs and secrets in the engine.
 */
export const normalize = (
  node: Node,
  projectName: string,
  environment: ReadonlyMap<string, string>,
): Node => {
  const service = chain(
    defaultNetwork,
    field('pull_policy', pullPolicy),
    field('build', chain(buildDefaults, field('args', buildArguments(environment)))),
    impliedDependencies,
    hookImages,
  )
  const withServices = field('services', each(service))(node)
  return names(addDefaultNetwork(withServices), projectName)
}

const addDefaultNetwork: Change = (node) => {
  const services = get(node, 'services')
  const used =
    services?.kind === 'map' &&
    [...services.entries.values()].some(({ value }) => get(get(value, 'networks'), 'default'))
  if (!used || node.kind !== 'map') return node
  const networks = get(node, 'networks')
  const entries = new Map(networks?.kind === 'map' ? networks.entries : [])
  if (!entries.has('default')) entries.set('default', { value: scalar(null) })
  return withKey(node, 'networks', { kind: 'map', entries, at: networks?.at })
}

const names = (node: Node, projectName: string): Node => {
  let result = node
  for (const kind of ['networks', 'volumes', 'configs', 'secrets']) {
    result = field(kind, (all) =>
      all.kind === 'map'
        ? mapValues(all, (value, key) => {
            const one: Node =
              value.kind === 'map' ? value : { kind: 'map', entries: new Map(), at: value.at }
            const external = get(one, 'external')
            const isExternal = external?.kind === 'scalar' && external.value === true
            return set('name', isExternal ? key : `${projectName}_${key}`)(one)
          })
        : all,
    )(result)
  }
  return result
}
