/** The numbers of a run, as they are printed and as they stand in docs/reliability.md. Pure. */
import type { Violation } from './workload.ts'

/** What became of one step. */
export interface StepResult {
  /** `member killed (writer)` */
  text: string
  whom: string
  /** Longest time without an acknowledged write. */
  refusedMs: number
  /** From the fault until all was whole. */
  wholeMs: number
  violations: Violation[]
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** The middle one, the lower of two. */
export const middle = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)] ?? 0

const worst = (numbers: readonly number[]): number => Math.max(0, ...numbers)

/** Faults of one kind belong together, whatever their victims and however long they lasted. */
export const kindOf = (text: string): string =>
  text.includes(' + ') ? 'two at once' : text.replace(/ \d+\.\d s$/, '')

export const stepLine = (number: number, result: StepResult): string =>
  [
    String(number).padStart(3),
    new Date().toISOString().slice(11, 19),
    result.text.padEnd(44),
    `writes refused ${seconds(result.refusedMs)}`,
    `whole after ${seconds(result.wholeMs)}`,
    result.whom,
    ...result.violations.map(({ what }) => `VIOLATION: ${what}`),
  ].join('  ')

/** One row for each kind of fault, one for all. */
export const summaryRows = (results: readonly StepResult[]): string[][] => {
  const kinds = Map.groupBy(results, ({ text }) => kindOf(text))
  const row = (name: string, of: readonly StepResult[]): string[] => {
    const refused = of.map(({ refusedMs }) => refusedMs)
    const whole = of.map(({ wholeMs }) => wholeMs)
    return [
      name,
      String(of.length),
      `${seconds(middle(refused))} / ${seconds(worst(refused))}`,
      `${seconds(middle(whole))} / ${seconds(worst(whole))}`,
      String(of.reduce((sum, { violations }) => sum + violations.length, 0)),
    ]
  }
  const sorted = [...kinds].sort(([a], [b]) => (a < b ? -1 : 1))
  return [...sorted.map(([name, of]) => row(name, of)), row('all', results)]
}

export const SUMMARY_HEAD = [
  'fault',
  'times',
  'writes refused: median / worst',
  'whole again: median / worst',
  'violations',
]
