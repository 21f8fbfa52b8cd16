/**
 * The edge's timings, each with the trade-off behind it. Milliseconds unless the name says otherwise.
 */
export const EDGE_TUNABLES = {
  /**
   * A SYN inside a cluster is answered in under 10 ms; a lost host never answers. Each new connection
   * that picks a lost one costs its client this long, so it must stay well under what a person
   * notices, and above a retransmitted ARP or a scheduling stall on a loaded host.
   */
  connect: 250,
  /** Attempts after the first, each on another server: two lost hosts in a row still leave two. */
  retries: 3,
  /**
   * How soon a doubtful server is probed again, and a lost one looked for. An application that
   * listens some time after its container has started is out until a probe finds it: that is what
   * clients wait for, at most this long. In large clusters a lost one is looked for less often.
   */
  fastCheck: 50,
  downCheck: 50,
  /** Headers of a request: ends connections that send nothing (slow loris), not slow uploads. */
  requestHeaders: 30_000,
  /** Idle client in HTTP; between two requests, or in the middle of a body. */
  httpClient: 60_000,
  /** A request that the application works on. Lost hosts are found by TCP, not by this. */
  httpServer: 600_000,
  /** WebSockets and plain TCP may be silent for long; their ends are watched by TCP keepalive. */
  tunnel: 24 * 3_600_000,
  /** After a reload the old process serves its open connections at most this long. */
  hardStop: 24 * 3_600_000,
  /** Old processes that may linger after reloads; the eldest is ended first. */
  maxReloads: 50,
  /** Open files at most; HAProxy takes half as connections. Unbounded limits would cost gigabytes. */
  fdHardLimit: 100_000,
  /** Looking for a HAProxy that does not answer, and for the new worker after a reload. */
  reconnect: 100,
  reloadPoll: 20,
  /** Binding ports and reading the file take 50 ms here; a loaded host may need much longer. */
  reloadLimit: 5000,
  /** Whether the worker of a reload that took longer has come: until then changes go to the old one. */
  lateWorker: 500,
  lateWorkerLimit: 60_000,
  /**
   * HAProxy's master loses a signal that comes while it is still starting, although its new worker
   * answers already: a third of those sent at once, none 200 ms later. So it is told again.
   */
  reloadRepeat: 400,
  /** A reload that HAProxy refused, or a port that was taken, is tried again after this. */
  refusedRetry: 10_000,
  /** A process that runs and has not answered for this long is started anew. */
  stuck: 10_000,
  /** Whether HAProxy still answers, when nothing else is asked of it. */
  ping: 5000,
  /** Whether drained servers have closed their last connection. */
  sweep: 1000,
  /** Between two looks at a catalog that changes all the time: as long as a look takes, at most this. */
  longestRest: 250,
  /** haproxy.cfg follows changes of endpoints at most this often; it matters after a crash only. */
  saveEvery: 200,
  /** A file that could not be written: the disk may have room again. */
  saveRetry: 2000,
  /** Leaving a network ends the connections on it: only when it has stayed unwanted. */
  networkLinger: 2000,
  /** Whether container and networks are still as they were made. */
  placementCheck: 30_000,
  /** Numeric, so that any image with HAProxy will do. */
  uid: 99,
} as const

/**
 * Kernel settings of the edge container's network namespace, where only the connections to servers
 * live (those of clients belong to the host's namespace). An acknowledgement that is missing for
 * (2^(retries2+1) - 1) * 200 ms = 1.4 s ends the connection and HAProxy sends an idempotent request
 * to another server. `tcp-ut` on server lines would do the same, but is refused by `add server`.
 */
export const EDGE_SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_retries2': '2',
  /** Each attempt uses a port of the container; many short connections to few servers need all. */
  'net.ipv4.ip_local_port_range': '1024 65535',
  'net.ipv4.tcp_tw_reuse': '1',
}
