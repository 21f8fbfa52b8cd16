/** What the two processes of bench/scale.ts say to each other. */

/** Milliseconds. */
export interface Latencies {
  p50: number
  p99: number
  longest: number
}

export type AgentsOrder =
  | { order: 'join'; hosts: string[]; endpoints: number; port: number }
  /** From a version on, as one that was away for a moment: only changes are sent. Null: everything. */
  | { order: 'follow'; from: number | null; followers: number }
  | { order: 'change'; rate: number; seconds: number }

export type AgentsAnswer =
  | { order: 'join'; ms: number }
  | { order: 'follow'; latencies: Latencies; bytes: number }
  | { order: 'change'; latencies: Latencies; made: number; seen: number; bytes: number }

export const latenciesOf = (times: number[]): Latencies => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), longest: sorted.at(-1) ?? Number.NaN }
}
