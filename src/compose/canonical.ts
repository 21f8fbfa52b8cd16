import type { ModelPath } from './model.ts'
import { parseMount } from './mounts.ts'
import {
  describe,
  get,
  isNull,
  list,
  map,
  mapItems,
  mapOf,
  mapValues,
  scalar,
  textOf,
  withKey,
  type Entry,
  type Node,
  type ScalarNode,
} from './node.ts'
import { parsePort } from './ports.ts'
import type { Problems } from './problems.ts'
import type { Span } from './source.ts'
import { splitWords } from './words.ts'

export interface CanonicalOptions {
  problems: Problems
  /** Texts may hold variables: what cannot be read is left as it is. */
  lenient: boolean
}

type Transform = (node: Node, path: ModelPath, options: CanonicalOptions) => Node | undefined

/**
 * Expands every short syntax of a file into the long one, so that merging and all later steps know
 * one form of everything. Expects the kinds of values that the schema allows; leaves others alone.
 */
export const canonical = (node: Node, options: CanonicalOptions): Node =>
  at(ROOT, node, [], options) ?? node

type Rules = { [key: string]: Rules | Transform }

const at = (rules: Rules, node: Node, path: ModelPath, options: CanonicalOptions): Node => {
  if (node.kind !== 'map') return node
  const rest = rules['*']
  return mapValues(node, (value, key) => {
    const rule = rules[key] ?? rest
    // A value to be taken away, or nothing at all, has no form.
    if (!rule || value.tag === 'reset' || isNull(value)) return value
    const place = [...path, key]
    const next =
      typeof rule === 'function' ? rule(value, place, options) : at(rule, value, place, options)
    return next && value.tag && !next.tag ? { ...next, tag: value.tag } : next
  })
}

const items =
  (transform: Transform): Transform =>
  (node, path, options) =>
    node.kind === 'list'
      ? mapItems(node, (item, i) => transform(item, [...path, i], options))
      : node

/** A single text where a list is expected. */
const oneToList: Transform = (node) => (node.kind === 'scalar' ? list([node], node.at) : node)

/** `KEY=VALUE` items as a map; a bare KEY has no value. */
const pairs: Transform = (node, path, { problems }) => {
  if (node.kind !== 'list') return node
  const entries = new Map<string, Entry>()
  for (const [index, item] of node.items.entries()) {
    if (item.kind !== 'scalar') continue
    const [key, value] = cut(textOf(item), '=')
    if (key !== key.trimEnd()) {
      const message = `the name ${JSON.stringify(key)} ends with a space`
      problems.error([...path, index], message, item, 'Write NAME=VALUE without spaces around "=".')
      continue
    }
    entries.set(key, { value: scalar(value ?? null, item.at), key: item.at })
  }
  return map(entries, node.at)
}

const cut = (text: string, separator: string): [string, string | undefined] => {
  const index = text.indexOf(separator)
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}

/** Names as a map, each with the same value. */
const names =
  (value: (at: Span | undefined) => Node): Transform =>
  (node) => {
    const entries = new Map<string, Entry>()
    if (node.kind === 'map' || node.kind === 'scalar') return node
    for (const item of node.items)
      if (item.kind === 'scalar') entries.set(textOf(item), { value: value(item.at), key: item.at })
    return map(entries, node.at)
  }

const dependencies: Transform = (node, path, options) => {
  const asMap = names((place) =>
    mapOf({ condition: scalar('service_started', place), required: scalar(true, place) }, place),
  )(node, path, options)
  return asMap?.kind === 'map'
    ? mapValues(asMap, (value) =>
        value.kind === 'map' && !value.entries.has('required') && value.tag !== 'reset'
          ? withKey(value, 'required', scalar(true, value.at))
          : value,
      )
    : asMap
}

/** Text (a number too) as the value of one key of an object. */
const under =
  (key: string): Transform =>
  (node) =>
    node.kind === 'scalar' ? mapOf({ [key]: node }, node.at) : node

const ports: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'list') return node
  return list(
    node.items.flatMap((item, index): Node[] => {
      if (item.kind !== 'scalar') return [item]
      const spec = textOf(item)
      const parsed = parsePort(spec)
      if ('wrong' in parsed) {
        if (lenient && spec.includes('$')) return [item]
        const hint = 'Write [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL], for example "8080:80".'
        problems.error([...path, index], parsed.wrong, item, hint)
        return []
      }
      return parsed.map(({ host_ip, target, published, protocol }) =>
        mapOf(
          {
            mode: scalar('ingress', item.at),
            host_ip: host_ip === undefined ? undefined : scalar(host_ip, item.at),
            target: scalar(target, item.at),
            published: published === undefined ? undefined : scalar(published, item.at),
            protocol: scalar(protocol, item.at),
          },
          item.at,
        ),
      )
    }),
    node.at,
  )
}

const mount: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'scalar') return node
  const spec = textOf(node)
  const parsed = parseMount(spec)
  if ('wrong' in parsed) {
    if (lenient && spec.includes('$')) return node
    problems.error(
      path,
      parsed.wrong,
      node,
      'Write [SOURCE:]TARGET[:OPTIONS], for example "data:/var/lib/data:ro".',
    )
    return undefined
  }
  return fromPlain(parsed, node.at)
}

/** Plain data as nodes that all are at one place. */
const fromPlain = (value: unknown, place: Span | undefined): Node => {
  if (typeof value !== 'object' || value === null)
    return scalar(value as ScalarNode['value'], place)
  const children = Object.entries(value).filter(([, child]) => child !== undefined)
  return mapOf(
    Object.fromEntries(children.map(([k, child]) => [k, fromPlain(child, place)])),
    place,
  )
}

const device: Transform = (node, path, { problems }) => {
  if (node.kind !== 'scalar') return node
  const [source = '', target = source, permissions = 'rwm', ...more] = textOf(node).split(':')
  if (more.length > 0) {
    problems.error(
      path,
      'too many colons in a device',
      node,
      'Use source:, target: and permissions: instead.',
    )
    return undefined
  }
  return fromPlain({ source, target, permissions }, node.at)
}

/** `HOST=ADDRESS` items, sorted; one host may have several addresses. */
const hosts: Transform = (node, path, { problems, lenient }) => {
  const found: { text: string; at: Span | undefined }[] = []
  const add = (host: string, address: string, item: Node, place: ModelPath): void => {
    if (host === '' || /[:=]/.test(host)) {
      problems.error(place, `${JSON.stringify(host)} is not the name of a host`, item)
      return
    }
    for (const one of address.split(',')) {
      const bare = /^\[.+\]$/.test(one) ? one.slice(1, -1) : one
      found.push({ text: `${host}=${bare}`, at: item.at })
    }
  }
  if (node.kind === 'map')
    for (const [host, { value }] of node.entries)
      for (const item of value.kind === 'list' ? value.items : [value])
        if (item.kind === 'scalar') add(host, textOf(item), item, [...path, host])
  if (node.kind === 'list')
    for (const [index, item] of node.items.entries()) {
      if (item.kind !== 'scalar') continue
      const spec = textOf(item)
      const [host, address] = spec.includes('=') ? cut(spec, '=') : cut(spec, ':')
      if (address !== undefined) add(host, address, item, [...path, index])
      else if (lenient && spec.includes('$')) found.push({ text: spec, at: item.at })
      else
        problems.error(
          [...path, index],
          `${describe(item)} has no address`,
          item,
          'Write HOST=ADDRESS.',
        )
    }
  if (node.kind === 'scalar') return node
  const sorted = found.toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
  return list(
    sorted.map((host) => scalar(host.text, host.at)),
    node.at,
  )
}

const command: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return node
  const split = splitWords(node.value)
  if (!split) {
    if (lenient) return node
    problems.error(
      path,
      'a quote or bracket is not closed in this command',
      node,
      'Write it as a list: ["sh", "-c", "..."].',
    )
    return undefined
  }
  if (split.dropped !== undefined)
    problems.warn(
      path,
      `${JSON.stringify(split.dropped.trim())} is not part of the command: no shell reads it`,
      node,
      'Write it as a list: ["sh", "-c", "..."].',
    )
  return list(
    split.words.map((word) => scalar(word, node.at)),
    node.at,
  )
}

const hook: Transform = (node, path, options) => at(HOOK, node, path, options)

const healthTest: Transform = (node) =>
  node.kind === 'scalar' ? list([scalar('CMD-SHELL', node.at), node], node.at) : node

const sshKeys: Transform = (node) => {
  if (node.kind === 'scalar') return list([node], node.at)
  if (node.kind === 'list') return node
  return list(
    [...node.entries].map(([id, { value, key }]) => {
      const path = value.kind === 'scalar' && !isNull(value) ? textOf(value) : ''
      return scalar(path === '' ? id : `${id}=${path}`, value.at ?? key)
    }),
    node.at,
  )
}

const build: Transform = (node, path, options) =>
  at(BUILD, under('context')(node, path, options) ?? node, path, options)

const gpus: Transform = (node, path, options) =>
  node.kind === 'scalar'
    ? list([mapOf({ count: scalar(-1, node.at) }, node.at)], node.at)
    : deviceRequests(node, path, options)

const deviceRequests: Transform = (node, path, options) =>
  items((item, place) => at({ options: pairs, count: deviceCount }, item, place, options))(
    node,
    path,
    options,
  )

const deviceCount: Transform = (node, path, { problems }) => {
  if (node.kind !== 'scalar' || typeof node.value === 'number') return node
  const text = textOf(node)
  if (text === 'all') return scalar(-1, node.at)
  if (/^\d+$/.test(text)) return scalar(Number(text), node.at)
  problems.error(path, `expected a number or "all", got ${describe(node)}`, node)
  return undefined
}

const providerOption: Transform = (node) => (node.kind === 'scalar' ? list([node], node.at) : node)

/** `external: true`, or in old files `external: {name: NAME}`. */
const maybeExternal =
  (rules: Rules): Transform =>
  (given, path, options) => {
    const node = at(rules, given, path, options)
    const external = get(node, 'external')
    if (node.kind !== 'map' || external?.kind !== 'map') return node
    const name = get(external, 'name')
    const own = get(node, 'name')
    const marked = withKey(node, 'external', scalar(true, external.at))
    if (!name) return marked
    if (own && own.kind === 'scalar' && name.kind === 'scalar' && textOf(own) !== textOf(name))
      options.problems.error(path, '"name" and "external.name" differ', own, 'Use "name" alone.')
    return own ? marked : withKey(marked, 'name', name)
  }

const externalName = (rules: Rules): Rules => ({ '*': maybeExternal(rules) })

const include: Transform = items((item, path, options) =>
  at(
    { path: oneToList, env_file: oneToList },
    under('path')(item, path, options) ?? item,
    path,
    options,
  ),
)

const DEPLOY: Rules = {
  labels: pairs,
  resources: { reservations: { devices: deviceRequests }, limits: { devices: deviceRequests } },
}

const HOOK: Rules = { command, environment: pairs }

const BUILD: Rules = {
  args: pairs,
  labels: pairs,
  additional_contexts: pairs,
  ssh: sshKeys,
  extra_hosts: hosts,
  secrets: items(under('source')),
  no_cache_filter: oneToList,
}

const SERVICE: Rules = {
  annotations: pairs,
  build,
  command,
  configs: items(under('source')),
  depends_on: dependencies,
  deploy: DEPLOY,
  develop: {
    watch: items((item, path, options) =>
      at({ ignore: oneToList, include: oneToList, exec: HOOK }, item, path, options),
    ),
  },
  devices: items(device),
  dns: oneToList,
  dns_search: oneToList,
  entrypoint: command,
  env_file: (node, path, options) =>
    items((item, place) => {
      const long = under('path')(item, place, options) ?? item
      return long.kind === 'map' && !long.entries.has('required')
        ? withKey(long, 'required', scalar(true, long.at))
        : long
    })(oneToList(node, path, options) ?? node, path, options),
  environment: pairs,
  extends: under('service'),
  extra_hosts: hosts,
  gpus,
  healthcheck: { test: healthTest },
  label_file: oneToList,
  labels: pairs,
  models: names((place) => scalar(null, place)),
  networks: names((place) => scalar(null, place)),
  ports,
  post_start: items(hook),
  pre_start: items(hook),
  pre_stop: items(hook),
  provider: { options: { '*': providerOption } },
  secrets: items(under('source')),
  sysctls: pairs,
  tmpfs: oneToList,
  volumes: items((item, path, options) => {
    const long = mount(item, path, options)
    return long && at({ volume: { labels: pairs } }, long, path, options)
  }),
}

const ROOT: Rules = {
  services: { '*': SERVICE },
  networks: externalName({ labels: pairs }),
  volumes: externalName({ labels: pairs }),
  configs: externalName({ labels: pairs }),
  secrets: externalName({ labels: pairs }),
  include,
}
