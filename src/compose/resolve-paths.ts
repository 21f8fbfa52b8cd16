import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import {
  get,
  mapItems,
  mapValues,
  scalar,
  stringOf,
  withKey,
  type MapNode,
  type Node,
} from './node.ts'

/**
 * Makes the paths of a canonical tree relative to `base`, or absolute if that is. Included and
 * extended files are resolved against their own folder first, everything at the end against the
 * project's.
 */
export const resolvePaths = (node: Node, base: string): Node => {
  const absolute = (path: string): string => {
    const expanded = expandHome(path)
    return path === '' || isAbsolute(expanded) || isWindows(expanded)
      ? expanded
      : withoutSlash(join(base, expanded))
  }
  const text =
    (change: (path: string) => string) =>
    (value: Node): Node => {
      const path = stringOf(value)
      const changed = path === undefined ? undefined : change(path)
      return changed === undefined || changed === path
        ? value
        : { ...scalar(changed, value.at), tag: value.tag }
    }
  const context = (path: string): string => {
    if (isRemoteContext(path)) return path
    const local = absolute(path)
    return looksRemote(path) && !existsSync(local) ? path : local
  }
  const mount = (value: Node): Node =>
    stringOf(get(value, 'type')) === 'bind' ? change(value, { source: text(absolute) }) : value
  const bindVolume = (value: Node): Node => {
    const options = get(value, 'driver_opts')
    const isBind =
      stringOf(get(value, 'driver')) === 'local' && stringOf(get(options, 'o')) === 'bind'
    return isBind
      ? change(value, { driver_opts: (o) => change(o, { device: text(absolute) }) })
      : value
  }
  const service = (value: Node): Node =>
    change(value, {
      build: (build) =>
        change(build, {
          context: text(context),
          additional_contexts: each(text(context)),
          ssh: each(text(sshPath(absolute))),
        }),
      env_file: each((file) => change(file, { path: text(absolute) })),
      label_file: each(text(absolute)),
      extends: (extend) =>
        change(extend, { file: text((path) => (isRemoteFile(path) ? path : absolute(path))) }),
      develop: (develop) =>
        change(develop, { watch: each((watch) => change(watch, { path: text(absolute) })) }),
      volumes: each(mount),
    })
  const file = each((value) => change(value, { file: text(absolute) }))
  return change(node, {
    services: each(service),
    configs: file,
    secrets: file,
    volumes: each(bindVolume),
  })
}

type Change = (value: Node) => Node

const each =
  (to: Change): Change =>
  (node) =>
    node.kind === 'map' ? mapValues(node, to) : node.kind === 'list' ? mapItems(node, to) : node

const change = (node: Node, changes: Record<string, Change>): Node => {
  if (node.kind !== 'map') return node
  let result: MapNode = node
  for (const [key, to] of Object.entries(changes)) {
    const value = node.entries.get(key)?.value
    const changed = value && to(value)
    if (changed && changed !== value) result = withKey(result, key, changed)
  }
  return result
}

const withoutSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, '') : path)

const expandHome = (path: string): string =>
  path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path

/** `C:\data`, `\\server\share`: for a Windows engine, not for this machine. */
const isWindows = (path: string): boolean => /^[a-zA-Z]:[\\/]/.test(path) || path.startsWith('\\\\')

/** A build context that is no folder: a URL, another service, a git address. */
export const isRemoteContext = (path: string): boolean =>
  path.includes('://') || path.startsWith('service:') || path.startsWith('git@')

/** `github.com/user/repository`: a repository, unless there is a folder of that name. */
const looksRemote = (path: string): boolean => path.startsWith('github.com/')

/** A file for `include` or `extends` that has to be fetched. */
export const isRemoteFile = (path: string): boolean =>
  /^(https?|git|ssh|oci):\/\//.test(path) || /^(git@|github\.com\/)/.test(path)

const sshPath =
  (absolute: (path: string) => string) =>
  (key: string): string => {
    const equals = key.indexOf('=')
    return equals === -1 ? key : `${key.slice(0, equals)}=${absolute(key.slice(equals + 1))}`
  }
