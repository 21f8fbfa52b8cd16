/**
 * Whether what clients of one register were told could have come from one register: some order of all
 * operations, each somewhere between its begin and its end, in which every answer is right. Pure.
 *
 * Goes through begins and ends in the order of time and keeps every state that the register could be in,
 * with the operations under way that have taken effect in it (Wing and Gong 1993; Lowe, "Testing for
 * linearizability", 2016). An operation takes effect only when the end of one makes it necessary.
 */

/** Null: the register has no value. Every value is written at most once. */
export type Value = string | null

export type Operation =
  | { kind: 'read'; value: Value }
  | { kind: 'write'; value: string }
  /** Compare and swap. `saw`: what it found instead of `expected`; undefined when it swapped. */
  | { kind: 'swap'; expected: Value; value: string; saw?: Value }

export interface Call {
  operation: Operation
  /** Of one clock for all. */
  begin: number
  /** Null: nobody knows. It may take effect at any time after its begin, or never. */
  end: number | null
}

/** A state that the register may be in. */
interface Possibility {
  value: Value
  /** Of the calls under way, those that have taken effect in it. */
  done: ReadonlySet<number>
}

export interface Verdict {
  /** Index of the first call whose answer cannot be right; null when there is none. */
  impossible: number | null
  /** What the register could have held before that call ended. */
  possible: Value[]
}

/** The register after an operation; undefined when its answer would be wrong. */
const apply = (operation: Operation, value: Value): Value | undefined => {
  switch (operation.kind) {
    case 'read':
      return operation.value === value ? value : undefined
    case 'write':
      return operation.value
    case 'swap':
      if (operation.saw === undefined) {
        return operation.expected === value ? operation.value : undefined
      }
      return operation.saw === value && value !== operation.expected ? value : undefined
  }
}

/** Values that some answer has shown. */
const shownValues = (calls: readonly Call[]): Set<Value> => {
  const shown = new Set<Value>()
  for (const { operation, end } of calls) {
    if (end === null) continue
    if (operation.kind === 'read') shown.add(operation.value)
    if (operation.kind === 'swap') shown.add(operation.saw ?? operation.expected)
  }
  return shown
}

/**
 * Calls that matter. One of which nobody knows the end, and whose value no answer has shown, may as well
 * never have happened: whatever came between it and the next change would have shown it.
 */
const relevant = (calls: readonly Call[]): number[] => {
  const shown = shownValues(calls)
  // A swap of unknown end may have found the value of another such, and is found by its own.
  for (let before = -1; before !== shown.size;) {
    before = shown.size
    for (const { operation, end } of calls) {
      if (end === null && operation.kind === 'swap' && shown.has(operation.value)) {
        shown.add(operation.expected)
      }
    }
  }
  return calls.flatMap(({ operation, end }, index) => {
    if (end !== null) return [index]
    return operation.kind !== 'read' && shown.has(operation.value) ? [index] : []
  })
}

const keyOf = ({ value, done }: Possibility): string =>
  `${value === null ? '' : `=${value}`} ${[...done].sort((a, b) => a - b).join()}`

/** Judges the calls of one register, which holds `initial` at first. */
export const judge = (calls: readonly Call[], initial: Value): Verdict => {
  const events = relevant(calls).flatMap((index) => {
    const { begin, end } = calls[index] as Call
    const begins = { at: begin, index, ends: false }
    return end === null ? [begins] : [begins, { at: end, index, ends: true }]
  })
  // What begins at the moment in which another ends may come before it.
  events.sort((a, b) => a.at - b.at || Number(a.ends) - Number(b.ends))
  const open = new Set<number>()
  let possible: Possibility[] = [{ value: initial, done: new Set() }]
  for (const { index, ends } of events) {
    if (!ends) {
      open.add(index)
      continue
    }
    const after = take(calls, { open, possible, index })
    if (after.length === 0) {
      return { impossible: index, possible: [...new Set(possible.map(({ value }) => value))] }
    }
    open.delete(index)
    possible = settle(after, { calls, open, ended: index })
  }
  return { impossible: null, possible: [...new Set(possible.map(({ value }) => value))] }
}

/** Every way in which the call that ends has taken effect, after some others or none. */
const take = (
  calls: readonly Call[],
  given: { open: ReadonlySet<number>; possible: readonly Possibility[]; index: number },
): Possibility[] => {
  const { open, possible, index } = given
  const seen = new Set<string>()
  const found: Possibility[] = []
  const left = [...possible]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const key = keyOf(next)
    if (seen.has(key)) continue
    seen.add(key)
    if (next.done.has(index)) {
      found.push(next)
      continue
    }
    for (const each of open) {
      if (next.done.has(each)) continue
      const value = apply((calls[each] as Call).operation, next.value)
      if (value !== undefined) left.push({ value, done: new Set([...next.done, each]) })
    }
  }
  return found
}

/** Forgets what has ended, and what has taken effect in every possibility and needs no end. */
const settle = (
  possible: readonly Possibility[],
  given: { calls: readonly Call[]; open: Set<number>; ended: number },
): Possibility[] => {
  const { calls, open, ended } = given
  const gone = new Set([ended])
  for (const each of open) {
    if ((calls[each] as Call).end !== null) continue
    if (!possible.every(({ done }) => done.has(each))) continue
    gone.add(each)
    open.delete(each)
  }
  const unlike = new Map<string, Possibility>()
  for (const { value, done } of possible) {
    const kept = { value, done: new Set([...done].filter((each) => !gone.has(each))) }
    unlike.set(keyOf(kept), kept)
  }
  return [...unlike.values()]
}
