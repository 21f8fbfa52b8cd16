/** The timings of virtual IPs, each with the trade-off behind it. Milliseconds. */
export const VIP_TUNABLES = {
  /** Processes at a time: one change is a few milliseconds of CPU, and agents share their host. */
  parallel: 4,
  /**
   * Of the time of all processes, how much they may run when changes never stop: half. A container
   * that has just been changed rests; a death is never kept waiting.
   */
  restFactor: 2,
  longestRest: 500,
  /** The same for looking at catalogs: as long as a look takes, at most this. */
  longestLookRest: 250,
  /** How long a dead container's address is refused. It may be another container's soon. */
  deadFor: 15_000,
  /** A new manager's catalog may lack endpoints that have not reported to it yet. */
  originGrace: 3000,
  /** A container whose namespace is not there yet, or not any more. */
  missingRetry: 500,
} as const
