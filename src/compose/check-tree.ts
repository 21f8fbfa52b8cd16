import { isIpAddress, isSubnet } from './ip.ts'
import type { ModelPath } from './model.ts'
import { get, stringOf, textOf, type MapNode, type Node } from './node.ts'
import { isPortRange } from './ports.ts'
import type { Problems, Spot } from './problems.ts'

interface Checking {
  problems: Problems
  /** True for a text that holds a variable which is not replaced. */
  isOpen: (text: string) => boolean
}

/**
 * Checks a canonical tree for what a schema cannot say. `lenient`: texts may still hold variables.
 */
export const checkTree = (tree: Node, problems: Problems, lenient: boolean): void => {
  const checking: Checking = { problems, isOpen: (text) => lenient && text.includes('$') }
  for (const [name, service] of entriesOf(get(tree, 'services')))
    checkService(service, ['services', name], checking)
  for (const [name, volume] of entriesOf(get(tree, 'volumes')))
    checkExternal(volume, ['volumes', name], problems)
  for (const [name, network] of entriesOf(get(tree, 'networks')))
    checkPools(network, ['networks', name, 'ipam', 'config'], checking)
  for (const [kind, keys] of CONTENT_KEYS)
    for (const [name, node] of entriesOf(get(tree, kind)))
      checkContent(node, keys, { path: [kind, name], problems })
}

const CONTENT_KEYS = [
  ['configs', ['file', 'environment', 'content']],
  ['secrets', ['file', 'environment']],
] as const

const entriesOf = (node: Node | undefined): [string, Node][] =>
  node?.kind === 'map' ? [...node.entries].map(([name, { value }]) => [name, value]) : []

const itemsOf = (node: Node | undefined): readonly Node[] =>
  node?.kind === 'list' ? node.items : []

const checkService = (service: Node, path: ModelPath, checking: Checking): void => {
  const { problems } = checking
  for (const [index, port] of itemsOf(get(service, 'ports')).entries())
    if (port.kind === 'map') checkPort(port, [...path, 'ports', index], checking)
  const reserved = get(get(get(get(service, 'deploy'), 'resources'), 'reservations'), 'devices')
  for (const request of [...itemsOf(get(service, 'gpus')), ...itemsOf(reserved)])
    if (get(request, 'count') && get(request, 'device_ids'))
      problems.error({ path, where: request }, '"count" and "device_ids" exclude each other')
  for (const [index, mount] of itemsOf(get(service, 'volumes')).entries())
    if (mount.kind === 'map') checkMount(mount, [...path, 'volumes', index], problems)
}

const checkPort = (port: MapNode, path: ModelPath, { problems, isOpen }: Checking): void => {
  const spot = (key: string): Spot => {
    const entry = port.entries.get(key)
    return { path: [...path, key], where: { at: entry?.value.at ?? port.at, key: entry?.key } }
  }
  const target = get(port, 'target')
  if (target?.kind === 'scalar' && !isOpen(textOf(target))) {
    const number = Number(target.value)
    if (!Number.isInteger(number) || number < 0 || number > 65_535)
      problems.error(spot('target'), `expected a port (up to 65535), got ${textOf(target)}`)
  }
  const published = get(port, 'published')
  if (published?.kind === 'scalar') {
    const text = textOf(published)
    if (text !== '' && !isPortRange(text) && !isOpen(text)) {
      const message = `expected a port or a range of ports, got ${JSON.stringify(text)}`
      problems.error(spot('published'), message)
    }
  }
  const ip = stringOf(get(port, 'host_ip'))
  if (ip !== undefined && !isIpAddress(ip) && !isOpen(ip))
    problems.error(spot('host_ip'), `expected an IP address, got ${JSON.stringify(ip)}`)
}

const checkMount = (mount: MapNode, path: ModelPath, problems: Problems): void => {
  const spot = { path, where: mount }
  if (!get(mount, 'target')) problems.error(spot, '"target" is missing: the path in the container')
  if (stringOf(get(mount, 'type')) === 'bind' && !stringOf(get(mount, 'source')))
    problems.error(spot, 'a mount of type "bind" needs a "source": the path on the host')
}

/** Subnets and addresses that no engine takes. */
const checkPools = (network: Node, path: ModelPath, { problems, isOpen }: Checking): void => {
  for (const [index, pool] of itemsOf(get(get(network, 'ipam'), 'config')).entries())
    for (const [key, { value, key: place }] of pool.kind === 'map' ? pool.entries : []) {
      const text = stringOf(value)
      if (text === undefined || isOpen(text)) continue
      const spot = { path: [...path, index, key], where: { at: value.at, key: place } }
      if ((key === 'subnet' || key === 'ip_range') && !isSubnet(text))
        problems.error(spot, `expected a subnet such as 10.1.0.0/16, got ${JSON.stringify(text)}`)
      if (key === 'gateway' && !isIpAddress(text))
        problems.error(spot, `expected an IP address, got ${JSON.stringify(text)}`)
    }
}

const checkExternal = (volume: Node, path: ModelPath, problems: Problems): void => {
  const external = get(volume, 'external')
  if (volume.kind !== 'map' || external?.kind !== 'scalar' || external.value !== true) return
  for (const [key, entry] of volume.entries) {
    if (key === 'name' || key === 'external' || key.startsWith('x-')) continue
    const message = `"${key}" has no meaning for an external volume: it is not created`
    problems.error({ path, where: entry.key ?? entry.value }, message)
  }
}

const checkContent = (
  node: Node,
  keys: readonly string[],
  { path, problems }: { path: ModelPath; problems: Problems },
): void => {
  if (node.kind !== 'map') return
  const [first, second] = keys.filter((key) => node.entries.has(key))
  if (second !== undefined) {
    const where = node.entries.get(second)?.key ?? node
    problems.error({ path, where }, `"${first}" and "${second}" exclude each other`)
  } else if (first === undefined && !node.entries.has('driver') && !node.entries.has('external')) {
    const words = keys.map((key) => `"${key}"`).join(', ')
    problems.error({ path, where: node }, `one of ${words} or "external: true" is needed`)
  }
}
