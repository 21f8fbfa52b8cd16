import type { ModelPath, Mount, Service, Stack, Volume } from '../compose/index.ts'
import { LABEL, VOLUME_DRIVER } from '../base/index.ts'
import { apiAtLeast, type Problem } from './check.ts'
import type { SwarmMount } from './desired.ts'

export interface MountContext {
  stack: Stack
  /** API version of the engine. */
  api: string
  problems: Problem[]
}

/** Everything that is mounted into the containers of a service: volumes, tmpfs, shm_size. */
export const serviceMounts = (
  key: string,
  service: Service,
  context: MountContext,
): SwarmMount[] => {
  const path = ['services', key]
  return [
    ...(service.volumes ?? []).map((mount, i) =>
      toMount(mount, { ...context, path: [...path, 'volumes', i] }),
    ),
    ...(service.tmpfs ?? []).map((text, i) =>
      tmpfsMount(text, { ...context, path: [...path, 'tmpfs', i] }),
    ),
    ...(service.shm_size
      ? [{ Type: 'tmpfs', Target: '/dev/shm', TmpfsOptions: { SizeBytes: service.shm_size } }]
      : []),
  ]
}

type At = MountContext & { path: ModelPath }

const toMount = (mount: Mount, at: At): SwarmMount => {
  const common: SwarmMount = {
    Type: mount.type,
    ...(mount.source === undefined ? {} : { Source: mount.source }),
    ...(mount.target === undefined ? {} : { Target: mount.target }),
    ...(mount.read_only ? { ReadOnly: true } : {}),
    ...(mount.consistency === undefined ? {} : { Consistency: mount.consistency }),
  }
  switch (mount.type) {
    case 'bind':
      return { ...common, ...some('BindOptions', bindOptions(mount, at)) }
    case 'volume':
      return volumeMount(mount, common, at)
    case 'tmpfs':
      return { ...common, ...some('TmpfsOptions', tmpfsOptions(mount.tmpfs)) }
    case 'cluster':
      if (!apiAtLeast(at.api, '1.42')) {
        at.problems.push({
          path: [...at.path, 'type'],
          message: `cluster volumes need an engine with API 1.42 or newer, this one has ${at.api}.`,
        })
      }
      return { ...common, ClusterOptions: {} }
    case 'npipe':
    case 'image':
      return common
  }
}

/** `{ [key]: value }`, or nothing when the value says nothing. */
const some = <K extends string, V extends object>(key: K, value: V): { [k in K]?: V } =>
  (Object.keys(value).length === 0 ? {} : { [key]: value }) as { [k in K]?: V }

const bindOptions = (mount: Mount, at: At): NonNullable<SwarmMount['BindOptions']> => {
  const bind = mount.bind ?? {}
  return {
    ...(bind.propagation ? { Propagation: bind.propagation } : {}),
    ...(bind.recursive === 'disabled' ? { NonRecursive: true } : {}),
    ...(bind.recursive === 'writable' ? { ReadOnlyNonRecursive: true } : {}),
    ...(bind.recursive === 'readonly' ? { ReadOnlyForceRecursive: true } : {}),
    // Older engines do not know it; there the folder must exist, and the task says so if not.
    ...(bind.create_host_path && apiAtLeast(at.api, '1.42') ? { CreateMountpoint: true } : {}),
  }
}

const volumeMount = (mount: Mount, common: SwarmMount, at: At): SwarmMount => {
  if (mount.source === undefined) return common
  const volume = at.stack.volumes[mount.source]
  if (volume === undefined) {
    at.problems.push({
      path: [...at.path, 'source'],
      message: `there is no volume "${mount.source}" in the file.`,
    })
    return common
  }
  const driver = driverOptions(volume, at.stack.name)
  const own = volume.external
    ? {}
    : {
        Labels: { ...volume.labels, ...mount.volume?.labels, [LABEL.stack]: at.stack.name },
        ...(volume.driver !== undefined || driver !== undefined
          ? {
              DriverConfig: {
                ...(volume.driver === undefined ? {} : { Name: volume.driver }),
                ...(driver === undefined ? {} : { Options: driver }),
              },
            }
          : {}),
      }
  const options = {
    ...own,
    ...(mount.volume?.nocopy ? { NoCopy: true } : {}),
    ...(mount.volume?.subpath ? { Subpath: mount.volume.subpath } : {}),
  }
  // Swarm fills in the slot: each replica has a volume of its own, and has it again wherever it runs.
  const Source = driver?.['per'] === 'slot' ? `${volume.name}.{{.Task.Slot}}` : volume.name
  return { ...common, Source, ...some('VolumeOptions', options) }
}

/** What the volume driver is told. Ours is told whose it is, too, for its lists. */
const driverOptions = (
  { driver, driver_opts: given }: Volume,
  stack: string,
): Record<string, string> | undefined => (driver === VOLUME_DRIVER ? { stack, ...given } : given)

const tmpfsOptions = (tmpfs: Mount['tmpfs']): NonNullable<SwarmMount['TmpfsOptions']> => ({
  ...(tmpfs?.size ? { SizeBytes: tmpfs.size } : {}),
  ...(tmpfs?.mode ? { Mode: tmpfs.mode } : {}),
})

/** Docker mounts every tmpfs so already. */
const TMPFS_ALWAYS = new Set(['rw', 'noexec', 'nosuid', 'nodev'])

/** `/run:size=64m,mode=1777`, the short form of a tmpfs. */
const tmpfsMount = (text: string, at: At): SwarmMount => {
  const [target = '', optionText = ''] = text.split(':', 2)
  const mount: SwarmMount = { Type: 'tmpfs', Target: target }
  for (const option of optionText.split(',').filter((each) => each !== '')) {
    const [name = '', value = ''] = option.split('=', 2)
    const size = name === 'size' ? parseSize(value) : undefined
    if (name === 'ro') mount.ReadOnly = true
    else if (size !== undefined) mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size }
    else if (name === 'mode' && /^[0-7]+$/.test(value)) {
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) }
    } else if (!TMPFS_ALWAYS.has(name)) {
      at.problems.push({
        path: at.path,
        message: `tmpfs option "${option}" cannot be used: Swarm takes size, mode and ro.`,
      })
    }
  }
  return mount
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

const parseSize = (text: string): number | undefined => {
  const match = /^(\d+)([bkmg]?)b?$/i.exec(text)
  return match ? Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1) : undefined
}
