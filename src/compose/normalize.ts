import { chain, each, fields, set, type Change } from './edit.ts'
import { get, isNull, mapValues, scalar, stringOf, withKey, type Node } from './node.ts'

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
  return image === undefined ? service : fields({ pre_start: each(set('image', image)) })(service)
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
    fields({
      pull_policy: pullPolicy,
      build: chain(buildDefaults, fields({ args: buildArguments(environment) })),
    }),
    impliedDependencies,
    hookImages,
  )
  const withServices = fields({ services: each(service) })(node)
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

/** Gives what is not external and has no name of its own the name PROJECT_KEY. */
const names = (node: Node, projectName: string): Node => {
  const named: Change = (all) =>
    all.kind === 'map'
      ? mapValues(all, (value, key) => {
          const one: Node =
            value.kind === 'map' ? value : { kind: 'map', entries: new Map(), at: value.at }
          const external = get(one, 'external')
          const isExternal = external?.kind === 'scalar' && external.value === true
          return set('name', isExternal ? key : `${projectName}_${key}`)(one)
        })
      : all
  return fields({ networks: named, volumes: named, configs: named, secrets: named })(node)
}
