/** What `muster recover` chooses from. Pure. */
import { MusterError } from '../base/index.ts'
import type { DataSnapshot, Ledger, MemberId, Position } from '../catalog/index.ts'
import { age } from './output.ts'

/** What one member has. */
export interface Copy {
  id: MemberId
  /** Name. */
  host: string
  /** `good`, `empty`, ...; `unheard`. */
  data: string
  position: Position | null
  running: boolean
  /** The newest beside its data. */
  snapshot: DataSnapshot | null
}

/** The data of a member, or (with a name) the snapshot beside them. */
export interface Choice {
  from: MemberId
  snapshot: string | null
}

interface Candidate extends Choice {
  position: Position
}

/** Everything that could be gone on with, of the history that the cluster had. */
const candidates = ({ highWater }: Ledger, copies: readonly Copy[]): Candidate[] => {
  const all = copies.flatMap(({ id, data, position, snapshot }): Candidate[] => [
    ...(data === 'good' && position !== null ? [{ from: id, snapshot: null, position }] : []),
    ...(snapshot === null || data === 'unheard'
      ? []
      : [{ from: id, snapshot: snapshot.name, position: snapshot.position }]),
  ])
  const own = all.filter(({ position }) => position.history === highWater?.history)
  return own.length > 0 ? own : all
}

/**
 * The newest copy of all (of all snapshots); data rather than a snapshot that is no newer. Throws USAGE
 * when there is none, or when they do not compare.
 */
export const newestCopy = (
  ledger: Ledger,
  copies: readonly Copy[],
  { snapshot }: { snapshot: boolean },
): Choice => {
  const all = candidates(ledger, copies)
  const [first, ...others] = snapshot ? all.filter((each) => each.snapshot !== null) : all
  if (first === undefined) {
    throw new MusterError('USAGE', `No copy of ${ledger.cluster} is there that could be used.`, {
      hint: 'Bring back a host that has one.',
    })
  }
  if (others.some(({ position }) => position.history !== first.position.history)) {
    throw new MusterError('USAGE', 'These copies have different histories, and do not compare.', {
      hint: 'Say which is the truth: --from MEMBER',
    })
  }
  const best = others.reduce((a, b) => (isBetter(b, a) ? b : a), first)
  return { from: best.from, snapshot: best.snapshot }
}

const isBetter = (b: Candidate, a: Candidate): boolean => {
  const difference = BigInt(b.position.sequence) - BigInt(a.position.sequence)
  return difference > 0n || (difference === 0n && b.snapshot === null && a.snapshot !== null)
}

/**
 * What was asked for: the data of a member, or its newest snapshot. Throws USAGE if it has none.
 */
export const chosenCopy = (
  copies: readonly Copy[],
  { from, snapshot }: { from: MemberId; snapshot: boolean },
): Choice => {
  const copy = copies.find(({ id }) => id === from)
  if (snapshot) {
    if (copy?.snapshot) return { from, snapshot: copy.snapshot.name }
    throw new MusterError('USAGE', `There is no snapshot beside the data of ${from}.`, {
      hint: 'Choose another member.',
    })
  }
  if (copy?.data === 'none' || copy?.data === 'empty' || copy?.data === 'damaged') {
    const why = copy.data === 'damaged' ? 'damaged data' : 'no data'
    throw new MusterError('USAGE', `${from} has ${why} to recover from.`, {
      hint: copy.snapshot ? 'Take its newest snapshot: --snapshot' : 'Choose another member.',
    })
  }
  return { from, snapshot: null }
}

/** What each copy holds, and what goes when one of them becomes the truth. */
export const evidence = (
  ledger: Ledger,
  copies: readonly Copy[],
  { choice, now }: { choice: Choice | null; now: number },
): string[] => {
  const mark = (id: MemberId, snapshot: string | null) =>
    choice?.from === id && choice.snapshot === snapshot ? '*' : ' '
  const { highWater, held } = ledger
  return [
    `${ledger.cluster}: ${ledger.phase}${held === null ? '' : `, ${held.reason}`}`,
    ...copies.flatMap(({ id, host, data, position, running, snapshot }) => [
      `  ${mark(id, null)} ${id} on ${host}: ${data}, ${positionText(position)}${running ? ', runs' : ''}`,
      ...(snapshot === null
        ? []
        : [
            `  ${mark(id, snapshot.name)}   snapshot of ${age(now - snapshot.at)} ago: at least ${positionText(snapshot.position)}`,
          ]),
    ]),
    ...(highWater === null
      ? []
      : [
          `  the newest that was ever seen: ${highWater.sequence} of ${highWater.history}, ${age(now - highWater.at)} ago`,
        ]),
    ...(choice === null ? [] : [lossOf(ledger, copies, choice)]),
  ]
}

const positionText = (position: Position | null): string =>
  position === null ? 'no position known' : `position ${position.sequence} of ${position.history}`

const lossOf = ({ highWater }: Ledger, copies: readonly Copy[], choice: Choice): string => {
  const chosen = copies.find((each) => each.id === choice.from)
  const position = (choice.snapshot === null ? chosen : chosen?.snapshot)?.position ?? null
  if (position === null) {
    return 'Nobody knows how much would be lost: the position of that copy is not known.'
  }
  const { history, sequence } = position
  const known = [
    ...copies.flatMap((each) => [each.position ?? [], each.snapshot?.position ?? []].flat()),
    ...(highWater === null ? [] : [highWater]),
  ]
  const newest = known
    .filter((each) => each.history === history)
    .reduce(
      (most, each) => (BigInt(each.sequence) > most ? BigInt(each.sequence) : most),
      BigInt(sequence),
    )
  const lost = newest - BigInt(sequence)
  const behind =
    lost === 0n
      ? 'No known transaction of that history would be lost.'
      : `Up to ${lost} transactions of that history would be lost.`
  return known.every((each) => each.history === history)
    ? behind
    : `${behind} Everything that only another history has would be lost: its positions do not compare.`
}
