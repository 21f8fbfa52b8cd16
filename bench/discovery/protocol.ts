/** What the bench and its clients say to each other: one JSON value a line. */

/** Ask HOST:PORT until a server answers that began to listen after `after` (ms since 1970). */
export type Order = { id: number; host: string; port: number } & (
  | { until: 'reply'; after: number }
  | { until: 'silence' }
)

/** First reply of one server: when it had come and what it said of itself. Times: ms since 1970. */
export interface Reply {
  at: number
  listenedAt: number
  /** Id of the container, as its host name has it. */
  container: string
}

/** An order was carried out. */
export interface Report {
  id: number
  reply?: Reply
}

/** The body that bench/images/starter answers with. */
export const parseBody = (body: string): Omit<Reply, 'at'> | undefined => {
  const [, listenedAt, container] = /^([\d.]+) ([0-9a-f]+)\n$/.exec(body) ?? []
  return container === undefined ? undefined : { listenedAt: Number(listenedAt), container }
}
