/** `muster recover`, as a sensible person would use it. */
import type { MemberId, Position } from '../../catalog/index.ts'
import { orderOf } from '../order.ts'
import { wallClock } from './clocks.ts'
import { runsOutside } from './outside.ts'
import { newestSnapshot } from './snapshots.ts'
import { type World, count, note } from './world.ts'

interface Copy {
  from: MemberId
  snapshot: string | null
  position: Position
}

/** Data and snapshots of members whose hosts are there, of the history that the cluster had. */
const copiesOf = (world: World): Copy[] => {
  const { members, highWater } = world.store.ledger
  const all = world.hosts
    .filter(({ up, removed }) => up && !removed)
    .flatMap((host) => [...host.folders.values()].map((folder) => ({ host, folder })))
    .filter(({ host, folder }) => members[folder.member]?.host === host.id)
    .flatMap(({ folder }): Copy[] => {
      const { member: from, data } = folder
      const snapshot = newestSnapshot(folder)
      const { history = '', log = [] } = data ?? {}
      return [
        ...(data === null || data.partial || data.unclaimed === true
          ? []
          : [{ from, snapshot: null, position: { history, sequence: String(log.length) } }]),
        ...(snapshot ? [{ from, snapshot: snapshot.name, position: snapshot.position }] : []),
      ]
    })
  return all.filter(({ position }) => position.history === (highWater ?? position).history)
}

/** The newest that is offered; data rather than a snapshot, or sometimes (who knows why) a snapshot. */
export const obeyPerson = (world: World): void => {
  const { ledger } = world.store
  const { random } = world
  if (ledger.phase !== 'held' || runsOutside(world)) return
  const sequence = ({ position }: Copy) => Number(position.sequence)
  const copies = copiesOf(world).sort(
    (a, b) =>
      sequence(b) - sequence(a) || Number(a.snapshot !== null) - Number(b.snapshot !== null),
  )
  const snapshots = copies.filter(({ snapshot }) => snapshot !== null)
  const best = (random.chance(0.3) ? snapshots[0] : undefined) ?? copies[0]
  if (!best) return
  note(world, `a person decides for ${best.snapshot ?? 'the data'} of ${best.from}`)
  const host = random.pick(world.hosts)
  if (!host) return
  const order = orderOf(ledger, best, { by: 'operator', now: wallClock(world, host) })
  world.store = { version: world.store.version + 1, ledger: { ...ledger, order } }
}

/** `muster switchover`, by somebody who may have looked at the cluster long ago. */
export const wishWriter = (world: World): void => {
  const { ledger } = world.store
  const { random } = world
  const members = Object.keys(ledger.members)
  const from = random.chance(0.8) ? ledger.writer : random.pick(members)
  const host = random.pick(world.hosts)
  // The command refuses where nobody takes the writes.
  if (ledger.writer === null || from === null || from === undefined || !host) return
  const handover = {
    epoch: random.chance(0.9) ? ledger.epoch : Math.max(0, ledger.epoch - 1),
    from,
    to: random.chance(0.5) ? null : (random.pick(members) ?? null),
    by: 'operator',
    at: wallClock(world, host),
  }
  note(world, `a person wants ${handover.to ?? 'another'} to write instead of ${from}`)
  count(world, 'switchovers wanted')
  world.store = { version: world.store.version + 1, ledger: { ...ledger, handover } }
}

/** Nothing that a member could be made of is left on any disk: no decision can bring the cluster back. */
export const nothingLeft = (world: World): boolean => {
  const { members, highWater } = world.store.ledger
  return world.hosts.every(
    ({ removed, folders }) =>
      removed ||
      [...folders.values()].every(
        ({ member, data, snapshots }) =>
          !members[member] ||
          ((data === null ||
            data.partial ||
            data.history !== (highWater?.history ?? data.history)) &&
            !snapshots.some(
              ({ whole, position }) =>
                whole && position.history === (highWater ?? position).history,
            )),
      ),
  )
}
