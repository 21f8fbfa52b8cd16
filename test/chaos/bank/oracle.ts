/** What the clients of a bank were told, against what is in its tables. Pure. */
import type { Violation } from '../workload.ts'

/** A transfer as a client tried it. */
export interface Transfer {
  id: number
  from: number
  to: number
  amount: number
}

/**
 * `ok`: its commit was acknowledged. `no`: it was refused, or its commit never sent. `unknown`: no
 * answer to its commit, so it may be there or not.
 */
export type Outcome = 'ok' | 'no' | 'unknown'

export interface Attempt extends Transfer {
  outcome: Outcome
}

/** One copy of the tables. */
export interface Tables {
  /** Balances by account. */
  accounts: ReadonlyMap<number, number>
  /** In the order in which they were written. */
  transfers: readonly Transfer[]
}

const LISTED = 20

const violation = (what: string, list: readonly unknown[]): Violation[] => {
  if (list.length === 0) return []
  const shown = list.slice(0, LISTED).map((each) => JSON.stringify(each))
  const more = list.length > LISTED ? ` and ${list.length - LISTED} more` : ''
  return [{ what: `${list.length} ${what}`, evidence: `${shown.join(' ')}${more}` }]
}

const same = (a: Transfer, b: Transfer): boolean =>
  a.id === b.id && a.from === b.from && a.to === b.to && a.amount === b.amount

/** Everything that is not as it must be. Each account had `initial` at first. */
export const judge = (
  attempts: readonly Attempt[],
  tables: Tables,
  initial: ReadonlyMap<number, number>,
): Violation[] => {
  const rows = new Map(tables.transfers.map((each) => [each.id, each]))
  const tried = new Map(attempts.map((each) => [each.id, each]))
  const counts = new Map<number, number>()
  for (const { id } of tables.transfers) counts.set(id, (counts.get(id) ?? 0) + 1)

  const balances = new Map(initial)
  for (const { from, to, amount } of tables.transfers) {
    balances.set(from, (balances.get(from) ?? 0) - amount)
    balances.set(to, (balances.get(to) ?? 0) + amount)
  }
  const wrong = [...new Set([...balances.keys(), ...tables.accounts.keys()])].filter(
    (account) => balances.get(account) !== tables.accounts.get(account),
  )
  const total = (of: ReadonlyMap<number, number>) => [...of.values()].reduce((a, b) => a + b, 0)
  const totals = { before: total(initial), now: total(tables.accounts) }

  return [
    ...violation(
      'acknowledged and lost',
      attempts.filter(({ id, outcome }) => outcome === 'ok' && !rows.has(id)),
    ),
    ...violation(
      'refused and there all the same',
      attempts.filter(({ id, outcome }) => outcome === 'no' && rows.has(id)),
    ),
    ...violation(
      'there more than once',
      [...counts].filter(([, count]) => count > 1).map(([id, count]) => ({ id, count })),
    ),
    ...violation(
      'there that nobody has written',
      tables.transfers.filter(({ id }) => !tried.has(id)),
    ),
    ...violation(
      'there with other contents than were written',
      tables.transfers.flatMap((row) => {
        const attempt = tried.get(row.id)
        return attempt === undefined || same(attempt, row) ? [] : [{ row, attempt }]
      }),
    ),
    ...violation(
      'balances that are not the sum of their transfers',
      wrong.map((account) => ({
        account,
        balance: tables.accounts.get(account),
        sum: balances.get(account),
      })),
    ),
    ...violation('total not kept', totals.before === totals.now ? [] : [totals]),
  ]
}

/** Copies that are not like the first; by name, with a sum over all that is in them. */
export const disagreements = (sums: ReadonlyMap<string, string>): Violation[] =>
  new Set(sums.values()).size <= 1
    ? []
    : [
        {
          what: 'members hold different rows',
          evidence: [...sums].map(([member, sum]) => `${member}: ${sum}`).join('; '),
        },
      ]

/** What each member says of the component it is in. */
export interface Standing {
  member: string
  /** Of the history, of the component; empty if it does not say. */
  history: string
  component: string
  size: number
  primary: boolean
}

/** All in one primary component, with one history. */
export const oneComponent = (standings: readonly Standing[]): Violation[] => {
  const [first] = standings
  const fine = standings.every(
    (each) =>
      each.primary &&
      each.history !== '' &&
      each.history === first?.history &&
      each.component === first.component &&
      each.size === standings.length,
  )
  return fine
    ? []
    : [{ what: 'not one primary component of all members', evidence: JSON.stringify(standings) }]
}
