/** Times of the decisions about members, in milliseconds. */
export const MEMBER_TUNABLES = {
  /**
   * How long a member that is not heard is waited for before it is decided without it, or held. Longer
   * than a server needs from power to its agent, and members that were cut off have long given up.
   */
  missing: 45_000,
  /** How long running members may be in no primary component: their own views change within 5 s. */
  outside: 10_000,
  /** The same when most of them are known not to run: what is heard may be some seconds old. */
  broken: 3000,
  /**
   * How long the members look for those that run outside before a person is asked, too: a start that
   * finds nobody takes more than half a minute, and theirs may come up later.
   */
  lookOutside: 120_000,
  /** How long a host may be without its agent (it restarts) before its member's last word is doubted. */
  agentless: 20_000,
  /**
   * How long a writer that runs as part of the cluster may be not ready before another takes the
   * writes: a change of the members' view takes 2 to 3 s, and then nobody is ready.
   */
  writerIdle: 3000,
  /** How long a host may be away before its member gets a successor elsewhere. */
  replace: 600_000,
  /** The high-water mark moves no oftener: each time is a write to Raft. */
  highWater: 15_000,
} as const
