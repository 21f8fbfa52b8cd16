/** Something that only the leader does. */
export interface LeaderLoop {
  /** For logs. */
  name: string
  /**
   * Runs until the signal is aborted, which is when this host stops leading. What goes wrong is its
   * own to handle; whatever it writes carries the version that it has read, because for a moment
   * two hosts may both believe that they lead.
   */
  start(signal: AbortSignal): Promise<void>
}
