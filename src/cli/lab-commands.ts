import { MusterError } from '../base/index.ts'
import {
  type HostStatus,
  type LabStatus,
  REGISTRY,
  attachToHost,
  ensureImages,
  findLab,
  labDown,
  labUp,
  listLabs,
  runHostServices,
} from '../lab/index.ts'
import type { LabUpOptions, Named } from './lab.ts'
import { parseFormat, plural, printRows } from './output.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

export const up = async (options: LabUpOptions): Promise<void> => {
  const hosts = options.hosts === undefined ? undefined : Number(options.hosts)
  if (Number.isNaN(hosts)) {
    throw new MusterError('USAGE', `--hosts takes a number, not "${options.hosts}".`)
  }
  const startedAt = performance.now()
  const lab = await labUp({
    name: options.name,
    agent: options.agent,
    ...(hosts === undefined ? {} : { hosts }),
    onProgress: (line) => say(`  ${line}`),
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  say(`Lab ${lab.name}: ${plural(lab.hosts.length, 'host')} up (${seconds}s)`)
  for (const host of lab.hosts) say(`  ${host}  ${lab.address(host)}`)
}

export const exec = async (host: string, command: string[], options: Named): Promise<void> => {
  const lab = findLab(options.name)
  lab.address(host)
  process.exitCode = await attachToHost({ lab: lab.name, host }, command)
}

export const power = async (
  verb: 'cut' | 'heal' | 'kill' | 'start',
  host: string,
  options: Named,
): Promise<void> => {
  await findLab(options.name)[verb](host)
  const done = { cut: 'is cut off', heal: 'is back', kill: 'has no power', start: 'is up' }
  say(`${host} ${done[verb]}.`)
}

export const build = async (folder: string, options: Named & { tag: string }): Promise<void> => {
  const name = options.tag.replace(`${REGISTRY}/`, '')
  await ensureImages(
    findLab(options.name),
    [{ name: name.includes(':') ? name : `${name}:latest`, context: folder }],
    (line) => say(`  ${line}`),
  )
  say(`${REGISTRY}/${name}`)
}

export const down = async (options: Named & { purge?: boolean }): Promise<void> => {
  const existed = await labDown(options.name, {
    purge: options.purge ?? false,
    onProgress: (line) => say(`  ${line}`),
  })
  say(existed ? `Lab ${options.name} is removed.` : `There is no lab named ${options.name}.`)
}

export const ls = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  const labs = await listLabs()
  if (format === 'json') {
    say(JSON.stringify(labs, null, 2))
    return
  }
  printRows(
    labs.flatMap((lab): { lab: LabStatus; host?: HostStatus }[] =>
      lab.hosts.length === 0 ? [{ lab }] : lab.hosts.map((host) => ({ lab, host })),
    ),
    [
      { head: 'LAB', cell: ({ lab }) => lab.name },
      { head: 'HOST', cell: ({ host }) => host?.name ?? '' },
      { head: 'STATE', cell: ({ host }) => host?.state ?? 'unreadable' },
      { head: 'ADDRESS', cell: ({ host }) => host?.address ?? '' },
      { head: 'DOCKER', cell: ({ host }) => (host?.docker ? 'up' : 'down') },
    ],
    format,
  )
}

export const host = async (options: {
  lab: string
  host: string
  agent: boolean
}): Promise<void> => {
  if (process.ppid !== 1) {
    throw new MusterError('USAGE', 'lab-host runs as the service manager of a lab host only.')
  }
  await runHostServices(options.lab, options.host, { agent: options.agent })
}
