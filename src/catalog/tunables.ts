/**
 * Every number that decides how fast Muster notices and how much it talks, with the trade-off
 * behind it. Milliseconds unless the name says otherwise.
 *
 * A lost host is out of all routes after
 * `silence` (counted from its last beat, 0 to `heartbeat` before the loss) + `probe` + a push:
 * 0.8 to 1.2 s with these, and the same when the lost host was the manager that was followed,
 * because the others count the silence of the host at the same time.
 */
export const TUNABLES = {
  /** Each side of a stream says something at least this often. */
  heartbeat: 250,
  /** A stream silent for this long makes its host doubtful: three beats missed. */
  silence: 750,
  /** Time that a doubtful host's kernel has to answer a TCP connection: hundreds of round trips. */
  probe: 300,
  /** Heard within this, a host counts as in sight when a manager judges its own isolation: two
   * beats. Shorter than `silence`, so that all hosts are out of sight before the first is judged. */
  inSight: 500,
  /** Between probes of a host that stays silent; four times as far apart after a minute. */
  reprobe: 500,
  /** A stream silent for this long is closed and opened again. */
  deadStream: 5000,
  /** An agent may be this late with its own timers before it stops counting the time: a machine
   * that is stalled must not take its own deafness for the silence of others. */
  stall: 125,
  /** How often beats are sent and silence is looked at; half of `heartbeat`, so that beats are in
   * time. The dearest number of all for a host that idles: each tick wakes the processor. */
  tick: 125,
  /** After silence that a probe did not answer, a host without an agent is trusted again once Swarm
   * has called it ready and it has answered for this long: longer than Swarm takes to notice. */
  rehabilitation: 20_000,
  /** Followers go back to the leader once it has been fit to be followed for this long. */
  steadyLeader: 2000,
  /** First and longest wait before a connection is tried again; each wait is 1.5 times the last,
   * less up to half at random. */
  reconnectFirst: 50,
  reconnectMost: 1000,
  connect: 1000,
  handshake: 3000,
  /** A peer that does not take what waits for it within this is dropped. It costs no more than
   * `backlogBytes` meanwhile, so there is time: a manager that has to send its whole catalog to a
   * thousand hosts is slow itself. */
  write: 15_000,
  /** Bytes that may wait for one peer before it is skipped until it has taken them. */
  backlogBytes: 64 * 1024,
  /** Bytes of changes that a manager keeps, to resume a follower without a snapshot. */
  logBytes: 8 * 2 ** 20,
  /** Changes in one part of a snapshot or one delta: some 50 kB. */
  partSize: 200,
  /** How often a host says how busy it is. */
  usage: 5000,
  /** Full pass over the cluster's objects, in case an event was missed. */
  clusterResync: 30_000,
  /** Pass over Swarm's tasks while nothing is known to change. */
  tasksIdle: 5000,
  /** The same while something does: Swarm gives 2 s between deciding to stop a task and SIGTERM. */
  tasksBusy: 200,
  /** The same in the pauses of a rolling update: half of what would miss the 2 s. */
  tasksUpdating: 500,
  /** How long tasks count as changing after the last change that was seen. */
  tasksSettle: 6000,
  /** Full pass over the host's own containers. */
  containersResync: 60_000,
  /** How often a manager asks its engine whether it leads. */
  leaderPoll: 1000,
  /** How often an agent asks its engine whether and where it is in a swarm. */
  membershipPoll: 3000,
  /** Endpoints of a host that Swarm has called down for this long are forgotten. */
  forget: 60_000,
} as const

/**
 * Shortest time between two pushes to all followers. One push costs a write to each, about 20 µs:
 * 0.1 ms each keeps the pushing below a fifth of a core, and below 100 ms nobody waits for it.
 * Nothing waits at all when the last push was longer ago.
 */
export const pushInterval = (followers: number): number => Math.min(100, followers * 0.1)
