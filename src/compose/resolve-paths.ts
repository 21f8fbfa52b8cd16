import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { each, fields, type Change } from './edit.ts'
import { get, scalar, stringOf, type Node } from './node.ts'

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
  const context = (path: string): string => {
    if (isRemoteContext(path)) return path
    const local = absolute(path)
    return looksRemote(path) && !existsSync(local) ? path : local
  }
  const sshKey = (key: string): string => {
    const equals = key.indexOf('=')
    return equals === -1 ? key : `${key.slice(0, equals)}=${absolute(key.slice(equals + 1))}`
  }
  const bound: Change = fields({ source: text(absolute) })
  const device: Change = fields({ driver_opts: fields({ device: text(absolute) }) })
  const service = fields({
    build: fields({
      context: text(context),
      additional_contexts: each(text(context)),
      ssh: each(text(sshKey)),
    }),
    env_file: each(fields({ path: text(absolute) })),
    label_file: each(text(absolute)),
    extends: fields({ file: text((path) => (isRemoteFile(path) ? path : absolute(path))) }),
    develop: fields({ watch: each(fields({ path: text(absolute) })) }),
    volumes: each((mount) => (stringOf(get(mount, 'type')) === 'bind' ? bound(mount) : mount)),
  })
  const file = each(fields({ file: text(absolute) }))
  return fields({
    services: each(service),
    configs: file,
    secrets: file,
    volumes: each((volume) => (isBindVolume(volume) ? device(volume) : volume)),
  })(node)
}

const text =
  (change: (path: string) => string): Change =>
  (value) => {
    const path = stringOf(value)
    const changed = path === undefined ? undefined : change(path)
    return changed === undefined || changed === path
      ? value
      : { ...scalar(changed, value.at), tag: value.tag }
  }

/** A volume that is a folder of the host in disguise. */
const isBindVolume = (volume: Node): boolean =>
  stringOf(get(volume, 'driver')) === 'local' &&
  stringOf(get(get(volume, 'driver_opts'), 'o')) === 'bind'

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
