/** Reports on their way to managers, catalogs on their way to agents: late, lost, repeated, or stale. */
import type { Sighting } from '../facts.ts'
import { showsPrimary } from '../sight.ts'
import { monotonic } from './clocks.ts'
import { type Agent, type SimHost, type World, connected, count, hasQuorum } from './world.ts'

/** A host is missed after this long. */
const NOTICE_MS = 2500

/** One agent's report reaches one manager: the newest, or one that was held up. */
export const deliver = (world: World, from: SimHost, to: SimHost): void => {
  if (from.agent === null || to.agent === null || !from.up || !to.up) return
  if (!connected(from, to)) return
  const { heard } = to.agent.manager
  const known = heard.get(from.id)
  const newest = from.agent.sent.length - 1
  if (newest < 0) return
  // A link begins with how things are; what was told to others before is not told again.
  const first = known?.agent === from.agent ? known.index : newest
  const index = world.random.chance(0.25) ? first + world.random.below(newest - first + 1) : newest
  if (index < newest) count(world, 'late reports')
  heard.set(from.id, { agent: from.agent, index, at: monotonic(world, to) })
}

/** What a manager tells: its hosts' last reports, and whether they are heard. */
export const sightingsOf = (world: World, host: SimHost): Sighting[] =>
  world.hosts.flatMap((from) => {
    const known = host.agent?.manager.heard.get(from.id)
    if (known === undefined || from.removed) return []
    const sight = sightOf(world, { host, from, known })
    return (known.agent.sent[known.index] ?? []).map((report) => ({ report, sight }))
  })

const sightOf = (
  world: World,
  { host, from, known }: { host: SimHost; from: SimHost; known: { agent: Agent; at: number } },
): Sighting['sight'] => {
  const fresh = monotonic(world, host) - known.at < NOTICE_MS
  // Silence is noticed only after a while; a new life of the agent says at once that it is new.
  if (fresh || (connected(host, from) && from.agent === known.agent)) return 'heard'
  return connected(host, from) ? 'agentless' : 'silent'
}

/** A manager reads the ledger and makes a catalog of what it has. */
export const readLedger = (world: World, host: SimHost): void => {
  const manager = host.agent?.manager
  if (!manager || !host.up) return
  if (hasQuorum(world, host)) manager.store = world.store
  if (manager.store === null) return
  const sightings = sightingsOf(world, host)
  manager.catalogs.push({ store: manager.store, sightings })
  if (manager.catalogs.length > 12) manager.catalogs.shift()
  if (
    manager.leading &&
    sightings.some(({ report, sight }) => sight === 'heard' && showsPrimary(report))
  ) {
    manager.leading.primaryAt = monotonic(world, host)
  }
  const { writer } = manager.store.ledger
  if (
    manager.leading &&
    sightings.some(({ report, sight }) => sight === 'heard' && report.id === writer && report.ready)
  ) {
    manager.leading.writerAt = monotonic(world, host)
  }
}

/** A manager's catalog reaches an agent: the newest, or one that was held up. */
export const follow = (world: World, from: SimHost, to: SimHost): void => {
  if (from.agent === null || to.agent === null || !connected(from, to)) return
  const { catalogs } = from.agent.manager
  const index = world.random.chance(0.2) ? world.random.below(catalogs.length) : catalogs.length - 1
  const catalog = catalogs[index]
  if (catalog === undefined || catalog.store.version < to.agent.floor) return
  const { store, sightings } = catalog
  if (store.ledger.epoch < world.store.ledger.epoch) count(world, 'stale catalogs')
  to.agent.view = { ledger: store.ledger, sightings }
}
