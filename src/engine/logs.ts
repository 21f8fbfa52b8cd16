import type { LogLine, LogOptions } from './engine.ts'
import { readFrames, readLogLines, readRaw } from './frames.ts'
import type { Transport } from './transport.ts'

const MULTIPLEXED = 'application/vnd.docker.multiplexed-stream'

/**
 * Log lines of a container or task. Without `follow` every part of the answer has the transport's
 * usual time limit; with it, the answer goes on until the signal is aborted.
 */
export async function* readLogs(
  transport: Transport,
  request: {
    path: string
    doing: string
    options: LogOptions
    /** Whether it has a terminal: its log is not multiplexed then. Asked only of old engines. */
    hasTerminal: () => Promise<boolean>
  },
): AsyncGenerator<LogLine> {
  const { path, doing, options } = request
  const { follow = false, tail, since, timestamps, signal } = options
  const stream = await transport.stream({
    method: 'GET',
    path,
    doing,
    query: { stdout: true, stderr: true, follow, tail, since, timestamps },
    ...(signal !== undefined && { signal }),
  })
  try {
    // Since API 1.42 the content type tells the two formats apart.
    const raw = stream.headers['content-type'] !== MULTIPLEXED && (await request.hasTerminal())
    const limited = follow ? stream : transport.withIdleLimit(stream, doing)
    yield* readLogLines(raw ? readRaw(limited) : readFrames(limited))
  } catch (error) {
    if (signal?.aborted !== true) throw transport.broken(error, doing)
  } finally {
    stream.destroy()
  }
}
