import type { ModelPath } from './model.ts'
import { parseMount } from './mounts.ts'
import {
  describe,
  get,
  isNull,
  list,
  mapOf,
  mapValues,
  scalar,
  textOf,
  withKey,
  type Node,
  type ScalarNode,
} from './node.ts'
import { compareText, parsePort } from './ports.ts'
import type { Span } from './source.ts'
import {
  both,
  cut,
  items,
  keys,
  names,
  oneToList,
  pairs,
  under,
  type Transform,
} from './transforms.ts'
import { splitWords } from './words.ts'

/** The short syntaxes of the specification, one transform each. */

/** Plain data as nodes that all are at one place. */
const fromPlain = (value: unknown, place: Span | undefined): Node => {
  if (typeof value !== 'object' || value === null)
    return scalar(value as ScalarNode['value'], place)
  const children = Object.entries(value).filter(([, child]) => child !== undefined)
  return mapOf(
    Object.fromEntries(children.map(([key, child]) => [key, fromPlain(child, place)])),
    place,
  )
}

export const ports: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'list') return node
  const expand = (item: Node, index: number): Node[] => {
    if (item.kind !== 'scalar') return [item]
    const spec = textOf(item)
    const parsed = parsePort(spec)
    if (!('wrong' in parsed))
      return parsed.map((port) => fromPlain({ mode: 'ingress', ...port }, item.at))
    if (lenient && spec.includes('$')) return [item]
    const hint = 'Write [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL], for example "8080:80".'
    problems.error({ path: [...path, index], where: item }, parsed.wrong, hint)
    return []
  }
  return list(node.items.flatMap(expand), node.at)
}

const shortMount: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'scalar') return node
  const spec = textOf(node)
  const parsed = parseMount(spec)
  if (!('wrong' in parsed)) return fromPlain(parsed, node.at)
  if (lenient && spec.includes('$')) return node
  const hint = 'Write [SOURCE:]TARGET[:OPTIONS], for example "data:/var/lib/data:ro".'
  problems.error({ path, where: node }, parsed.wrong, hint)
  return undefined
}

export const mounts: Transform = items(both(shortMount, keys({ volume: { labels: pairs } })))

export const devices: Transform = items((node, path, { problems }) => {
  if (node.kind !== 'scalar') return node
  const [source = '', target = source, permissions = 'rwm', ...more] = textOf(node).split(':')
  if (more.length === 0) return fromPlain({ source, target, permissions }, node.at)
  const hint = 'Use source:, target: and permissions: instead.'
  problems.error({ path, where: node }, 'too many colons in a device', hint)
  return undefined
})

interface Host {
  text: string
  at: Span | undefined
}

/** `HOST=ADDRESS` items, sorted; one host may have several addresses. */
export const hosts: Transform = (node, path, { problems, lenient }) => {
  if (node.kind === 'scalar') return node
  const found: Host[] = []
  const add = (item: Node, place: ModelPath, [host, addresses]: [string, string]): void => {
    if (host === '' || /[:=]/.test(host)) {
      const message = `${JSON.stringify(host)} is not the name of a host`
      problems.error({ path: place, where: item }, message)
      return
    }
    for (const address of addresses.split(',')) {
      const bare = /^\[.+\]$/.test(address) ? address.slice(1, -1) : address
      found.push({ text: `${host}=${bare}`, at: item.at })
    }
  }
  if (node.kind === 'map')
    for (const [host, { value }] of node.entries)
      for (const item of value.kind === 'list' ? value.items : [value])
        if (item.kind === 'scalar') add(item, [...path, host], [host, textOf(item)])
  if (node.kind === 'list')
    for (const [index, item] of node.items.entries()) {
      if (item.kind !== 'scalar') continue
      const spec = textOf(item)
      const place = [...path, index]
      const [host, address] = cut(spec, spec.includes('=') ? '=' : ':')
      if (address !== undefined) add(item, place, [host, address])
      else if (lenient && spec.includes('$')) found.push({ text: spec, at: item.at })
      else {
        const message = `${describe(item)} has no address`
        problems.error({ path: place, where: item }, message, 'Write HOST=ADDRESS.')
      }
    }
  const sorted = found.toSorted((a, b) => compareText(a.text, b.text))
  return list(
    sorted.map((host) => scalar(host.text, host.at)),
    node.at,
  )
}

const AS_LIST = 'Write it as a list: ["sh", "-c", "..."].'

export const command: Transform = (node, path, { problems, lenient }) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return node
  const split = splitWords(node.value)
  const spot = { path, where: node }
  if (!split) {
    if (lenient) return node
    problems.error(spot, 'a quote or bracket is not closed in this command', AS_LIST)
    return undefined
  }
  if (split.dropped !== undefined) {
    const dropped = JSON.stringify(split.dropped.trim())
    problems.warn(spot, `${dropped} is not part of the command: no shell reads it`, AS_LIST)
  }
  return list(
    split.words.map((word) => scalar(word, node.at)),
    node.at,
  )
}

export const hook = keys({ command, environment: pairs })

export const healthTest: Transform = (node) =>
  node.kind === 'scalar' ? list([scalar('CMD-SHELL', node.at), node], node.at) : node

/** `ID` or `ID=PATH` items. */
export const sshKeys: Transform = (node) => {
  if (node.kind === 'scalar') return list([node], node.at)
  if (node.kind === 'list') return node
  const keyOf = ([id, { value, key }]: [string, { value: Node; key?: Span | undefined }]): Node => {
    const path = value.kind === 'scalar' && !isNull(value) ? textOf(value) : ''
    return scalar(path === '' ? id : `${id}=${path}`, value.at ?? key)
  }
  return list([...node.entries].map(keyOf), node.at)
}

export const dependencies: Transform = both(
  names((at) => fromPlain({ condition: 'service_started', required: true }, at)),
  (node) =>
    node.kind === 'map'
      ? mapValues(node, (value) =>
          value.kind === 'map' && !value.entries.has('required') && value.tag !== 'reset'
            ? withKey(value, 'required', scalar(true, value.at))
            : value,
        )
      : node,
)

export const attachments: Transform = names((at) => scalar(null, at))

export const envFiles: Transform = both(
  oneToList,
  items(
    both(under('path'), (node) =>
      node.kind === 'map' && !node.entries.has('required')
        ? withKey(node, 'required', scalar(true, node.at))
        : node,
    ),
  ),
)

const deviceCount: Transform = (node, path, { problems }) => {
  if (node.kind !== 'scalar' || typeof node.value === 'number') return node
  const text = textOf(node)
  if (text === 'all') return scalar(-1, node.at)
  if (/^\d+$/.test(text)) return scalar(Number(text), node.at)
  problems.error({ path, where: node }, `expected a number or "all", got ${describe(node)}`)
  return undefined
}

export const deviceRequests: Transform = items(keys({ options: pairs, count: deviceCount }))

export const gpus: Transform = (node, path, options) =>
  node.kind === 'scalar'
    ? list([fromPlain({ count: -1 }, node.at)], node.at)
    : deviceRequests(node, path, options)

/** `external: true`, or in old files `external: {name: NAME}`. */
export const external: Transform = (node, path, { problems }) => {
  const given = get(node, 'external')
  if (node.kind !== 'map' || given?.kind !== 'map') return node
  const name = get(given, 'name')
  const own = get(node, 'name')
  const marked = withKey(node, 'external', scalar(true, given.at))
  if (!name) return marked
  if (own?.kind === 'scalar' && name.kind === 'scalar' && textOf(own) !== textOf(name)) {
    const message = '"name" and "external.name" differ'
    problems.error({ path, where: own }, message, 'Use "name" alone.')
  }
  return own ? marked : withKey(marked, 'name', name)
}
