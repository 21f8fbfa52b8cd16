/** The timings of the repair of overlay networks. Milliseconds. */
export const OVERLAY_TUNABLES = {
  /** After a change: the engine's own gossip takes less, when it works. */
  settle: 1500,
  /** What is missing is looked at again before it is added: the engine may be about to. */
  confirm: 2000,
  /** Between two looks for a while after a change. Engines that lost each other forget each other late. */
  watchful: 5000,
  watchfulFor: 120_000,
  /** Between two looks when nothing has changed for long. */
  calm: 60_000,
} as const
