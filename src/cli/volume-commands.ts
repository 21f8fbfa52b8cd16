import { type VolumeView, connectAgent } from '../agent/index.ts'
import { MusterError, messageOf, systemClock } from '../base/index.ts'
import { type Engine, connectEngine } from '../engine/index.ts'
import { dropLedger, readStoredLedgers } from '../members/index.ts'
import { notFound } from '../stack/index.ts'
import { age, bytes, confirm, parseFormat, plural, printRows } from './output.ts'
import type { VolumeRmOptions } from './volume.ts'
import { type Need, needOf, wantsOf } from './volume-need.ts'

/** One volume of one host, as lists show it. */
export interface VolumeRow extends VolumeView {
  /** Name and id of its host. */
  host: string
  hostId: string
  need: Need
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

/** All volumes of all hosts that answer; the others are named on standard error. */
const readVolumes = async (engine: Engine, options: { sizes: boolean }): Promise<VolumeRow[]> => {
  const agent = connectAgent()
  const [{ hosts }, services, { ledgers, problems }] = await Promise.all([
    agent.status(),
    engine.listServices(),
    readStoredLedgers(engine),
  ])
  const wants = wantsOf(
    services,
    [...ledgers.values()].map(({ ledger }) => ledger),
    problems.keys(),
  )
  const rows = await Promise.all(
    hosts.map(async ({ id, name }): Promise<VolumeRow[]> => {
      try {
        const volumes = await agent.volumes(id, options)
        return volumes.map((volume) => ({
          ...volume,
          host: name,
          hostId: id,
          need: needOf(volume, id, wants),
        }))
      } catch (error) {
        process.stderr.write(`${name} is left out: ${messageOf(error)}\n`)
        return []
      }
    }),
  )
  return rows.flat().sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

const owner = ({ member, stack }: VolumeRow): string => member ?? stack ?? ''
const since = (time: number | null): string =>
  time === null ? '' : `${age(Date.now() - time)} ago`
const STATE: Record<Need, string> = { used: 'in use', needed: '', orphan: 'orphan' }

const COLUMNS = [
  { head: 'VOLUME', cell: (row: VolumeRow) => row.name },
  { head: 'HOST', cell: (row: VolumeRow) => row.host },
  { head: 'OWNER', cell: owner },
  { head: 'SIZE', cell: (row: VolumeRow) => (row.size === null ? '' : bytes(row.size)) },
  { head: 'LAST USE', cell: (row: VolumeRow) => since(row.lastUse) },
  { head: 'STATE', cell: (row: VolumeRow) => STATE[row.need] },
]

/** Folders of type `run` hold nothing that is not made anew. */
export const holdsData = ({ type }: VolumeRow): boolean => type !== 'run'

export const volumeLs = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const rows = await readVolumes(engine, { sizes: true })
  printRows(format === 'json' ? rows : rows.filter(holdsData), COLUMNS, format)
}

export const volumeInspect = async (name: string, options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const rows = named(await readVolumes(engine, { sizes: true }), name)
  if (format === 'json') {
    say(JSON.stringify(rows, null, 2))
    return
  }
  for (const row of rows) {
    say(`${row.name} on ${row.host}`)
    say(`  files      ${row.path}${row.size === null ? '' : `, ${bytes(row.size)}`}`)
    say(`  identity   ${row.uid}, made ${new Date(row.created).toISOString()}`)
    if (owner(row) !== '') say(`  owner      ${owner(row)}`)
    say(`  last use   ${since(row.lastUse) || 'never'}`)
    say(`  used by    ${row.users.join(', ') || 'nobody'}`)
    say(`  state      ${STATE[row.need] || 'needed by a service, not in use'}`)
  }
}

export const volumeRm = async (names: string[], options: VolumeRmOptions): Promise<void> => {
  await using engine = connectEngine()
  const all = await readVolumes(engine, { sizes: false })
  const chosen = names.flatMap((name) => named(all, name))
  for (const { name, host, need, users, cluster } of chosen) {
    if (need === 'used') {
      throw new MusterError('CONFLICT', `${name} on ${host} is used by ${users.join(', ')}.`, {
        hint: 'Remove the service first, or wait until its last task is gone.',
      })
    }
    if (need === 'needed' && options.force !== true) {
      const whom =
        cluster === null ? 'a service mounts it when it runs there' : `${cluster} counts on it`
      throw new MusterError('CONFLICT', `${name} on ${host} is still needed: ${whom}.`, {
        hint: 'To lose its data all the same, add --force.',
      })
    }
  }
  await removeAll(engine, chosen, { yes: options.yes === true })
}

export const volumePrune = async (options: { yes?: boolean }): Promise<void> => {
  await using engine = connectEngine()
  const orphans = (await readVolumes(engine, { sizes: true })).filter(
    ({ need }) => need === 'orphan',
  )
  if (orphans.length === 0) {
    say('Every volume is needed; there is nothing to remove.')
    return
  }
  printRows(orphans.filter(holdsData), COLUMNS, 'table')
  await removeAll(engine, orphans, { yes: options.yes === true })
}

/** The volumes of a stack and of its clustered services, on all hosts that answer. */
export const volumesOf = async (
  engine: Engine,
  what: { stack: string; clusters: ReadonlySet<string> },
): Promise<VolumeRow[]> =>
  (await readVolumes(engine, { sizes: false })).filter(
    ({ stack, cluster }) =>
      stack === what.stack || (cluster !== null && what.clusters.has(cluster)),
  )

/** Asks once, then removes one after another; what was removed stays removed if one fails. */
export const removeAll = async (
  engine: Engine,
  rows: readonly VolumeRow[],
  { yes }: { yes: boolean },
): Promise<void> => {
  const folders = rows.filter(holdsData)
  const question = `Remove ${plural(folders.length, 'volume')} and all data in ${folders.length === 1 ? 'it' : 'them'}?`
  if (folders.length > 0 && !(await confirm(question, { yes }))) {
    say('Nothing was removed.')
    return
  }
  const agent = connectAgent()
  for (const { hostId, host, name, uid } of rows) {
    await whenFree(() => agent.removeVolume(hostId, { name, uid }))
    say(`removed ${name} on ${host}`)
  }
  await forgetClusters(engine, new Set(rows.flatMap(({ cluster }) => cluster ?? [])))
}

/** Swarm takes the containers of a removed service away some seconds after their tasks have ended. */
const FREE_MS = 60_000
const SILENCE_MS = 2000

const whenFree = async (remove: () => Promise<void>): Promise<void> => {
  const started = systemClock.now()
  let said = false
  for (;;) {
    try {
      return await remove()
    } catch (error) {
      const used = error instanceof MusterError && error.code === 'CONFLICT'
      const waited = systemClock.now() - started
      if (!used || waited >= FREE_MS) throw error
      if (!said && waited >= SILENCE_MS) {
        process.stderr.write(`${error.message} Waiting for it, ${FREE_MS / 1000} s at most.\n`)
        said = true
      }
    }
    // Another host's containers tell this one nothing.
    await systemClock.sleep(250)
  }
}

/** What is remembered of a clustered service goes with the last of its data. */
const forgetClusters = async (engine: Engine, names: ReadonlySet<string>): Promise<void> => {
  if (names.size === 0) return
  const agent = connectAgent()
  const { hosts } = await agent.status()
  const services = await engine.listServices()
  for (const name of names) {
    if (services.some(({ Spec }) => Spec.Name === name)) continue
    // A host that does not answer may have data of it.
    const left = await Promise.allSettled(
      hosts.map(({ id }) => agent.volumes(id, { sizes: false })),
    )
    const may = left.some(
      (each) => each.status === 'rejected' || each.value.some(({ cluster }) => cluster === name),
    )
    if (!may && (await dropLedger(engine, name))) say(`forgot the clustered service ${name}`)
  }
}

/** `VOLUME` on every host, or `HOST/VOLUME`. Throws NOT_FOUND. */
const named = (rows: readonly VolumeRow[], name: string): VolumeRow[] => {
  const [volume = '', host] = name.split('/').reverse()
  const found = rows.filter(
    (row) => row.name === volume && (host === undefined || row.host === host),
  )
  if (found.length > 0) return found
  throw notFound(
    'volume',
    name,
    rows.map((row) => row.name),
  )
}
