/**
 * The engine's stream formats. Logs and exec output without a terminal are multiplexed: frames of
 * an 8 byte header (stream, 3 zero bytes, length as big-endian uint32) and the payload.
 */
import type { LogLine } from './engine.ts'

export interface Frame {
  stream: LogLine['stream']
  data: Buffer
}

const HEADER = 8
/** Stream number of a frame in which a cluster's log broker reports its own failure. */
const SYSTEM_ERROR = 3

/** Takes frames apart; a frame may be cut anywhere between chunks. */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= HEADER) {
      const end = HEADER + rest.readUInt32BE(4)
      if (rest.length < end) break
      const data = rest.subarray(HEADER, end)
      const kind = rest.readUInt8(0)
      rest = rest.subarray(end)
      if (kind === SYSTEM_ERROR) throw new Error(data.toString().trim())
      yield { stream: kind === 2 ? 'stderr' : 'stdout', data }
    }
  }
}

/** A terminal's output: everything is stdout. */
export async function* readRaw(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  for await (const data of chunks) yield { stream: 'stdout', data }
}

/** Joins frames to lines, each stream apart: a long line comes in several frames. */
export async function* readLogLines(frames: AsyncIterable<Frame>): AsyncGenerator<LogLine> {
  const open: Record<LogLine['stream'], Buffer[]> = { stdout: [], stderr: [] }
  const take = (stream: LogLine['stream'], last: Buffer): LogLine => {
    const text = Buffer.concat([...open[stream], last]).toString()
    open[stream] = []
    return { stream, text: text.endsWith('\r') ? text.slice(0, -1) : text }
  }
  for await (const { stream, data } of frames) {
    let start = 0
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
      yield take(stream, data.subarray(start, end))
      start = end + 1
    }
    if (start < data.length) open[stream].push(data.subarray(start))
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    if (open[stream].length > 0) yield take(stream, Buffer.alloc(0))
  }
}

/** One JSON value per line, as events and pull progress come. */
export async function* readJsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
  }
  if (rest.trim() !== '') yield JSON.parse(rest)
}
