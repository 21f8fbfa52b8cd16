import { Inbox } from '../inbox.ts'
import type { LogLine, LogOptions } from '../engine.ts'
import type { Container, LogEntry } from './container.ts'

/** A container's log, and what comes after it if asked to follow. */
export async function* containerLogs(
  container: Container,
  { follow = false, tail, since, timestamps = false, signal }: LogOptions,
): AsyncGenerator<LogLine> {
  const show = ({ stream, text, at }: LogEntry): LogLine => ({
    stream,
    text: timestamps ? `${new Date(at).toISOString()} ${text}` : text,
  })
  const recent = container.log.filter(({ at }) => at / 1000 >= (since ?? 0))
  const first = tail === undefined ? recent : recent.slice(Math.max(0, recent.length - tail))
  let seen = container.log.length
  yield* first.map(show)
  if (!follow) return
  const inbox = new Inbox<true>()
  const unwatch = container.watchLog(() => inbox.add(true))
  const end = () => inbox.close()
  signal?.addEventListener('abort', end, { once: true })
  try {
    for (;;) {
      const more = container.log.slice(seen)
      seen += more.length
      yield* more.map(show)
      if (more.length > 0) continue
      if (container.status === 'exited' || signal?.aborted === true) return
      await inbox.next()
    }
  } finally {
    unwatch()
    signal?.removeEventListener('abort', end)
  }
}
