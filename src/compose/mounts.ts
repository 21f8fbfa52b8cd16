import { posix } from 'node:path'
import type { Unreadable } from './ports.ts'

export interface MountParts {
  type: 'bind' | 'volume'
  source?: string
  target: string
  read_only?: true
  bind?: { create_host_path: true; propagation?: string; selinux?: string }
  volume?: { nocopy?: true }
}

const PROPAGATIONS = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'])

/** True for what names a place on the host rather than a volume. */
export const isHostPath = (source: string): boolean =>
  /^[./~]/.test(source) || source.startsWith('\\\\') || /^\p{L}:/u.test(source)

/** The short syntax of a mount, `[SOURCE:]TARGET[:OPTION[,OPTION]...]`. */
export const parseMount = (spec: string): MountParts | Unreadable => {
  if (spec === '') return { wrong: 'expected SOURCE:TARGET, got nothing' }
  if (spec.length <= 2) return { type: 'volume', target: clean(spec) }
  const sections = split(spec)
  if (sections.includes('')) return { wrong: 'a part between the colons is empty' }
  if (sections.length > 3) return { wrong: 'too many colons' }
  const [first = '', second, options = ''] = sections
  if (second === undefined) return { type: 'volume', target: clean(first), volume: {} }
  const mount: MountParts = {
    type: isHostPath(first) ? 'bind' : 'volume',
    source: first,
    target: clean(second),
  }
  const bind: Partial<NonNullable<MountParts['bind']>> = {}
  const volume: NonNullable<MountParts['volume']> = {}
  for (const option of options.split(',')) {
    if (option === 'ro') mount.read_only = true
    else if (option === 'rw') delete mount.read_only
    else if (option === 'nocopy') volume.nocopy = true
    else if (option === 'z' || option === 'Z') bind.selinux = option
    else if (PROPAGATIONS.has(option)) bind.propagation = option
    // Anything else is ignored, as the reference does: `cached`, `delegated`.
  }
  if (mount.type === 'bind') {
    mount.bind = { ...bind, create_host_path: true }
    if (volume.nocopy) mount.volume = volume
  } else {
    mount.volume = volume
    if (Object.keys(bind).length > 0) mount.bind = { ...bind, create_host_path: true }
  }
  return mount
}

const clean = (target: string): string => {
  const normal = posix.normalize(target)
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal
}

/** At colons, but not after a drive letter nor inside of `${...}`. */
const split = (spec: string): string[] => {
  const sections: string[] = []
  let section = ''
  let depth = 0
  for (const char of spec) {
    if (char === '{' && section.endsWith('$')) depth += 1
    else if (char === '}' && depth > 0) depth -= 1
    if (char === ':' && depth === 0 && !/^\p{L}$/u.test(section)) {
      sections.push(section)
      section = ''
    } else section += char
  }
  return [...sections, section]
}
