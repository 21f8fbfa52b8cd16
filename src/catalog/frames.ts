/**
 * Frames: 4 bytes length of what follows (big endian), 1 byte type, payload. The only unit that
 * crosses a connection between agents.
 */
import { CorruptMessage } from './decode.ts'

/** `json`: a message. The others: bytes of a command that runs in a container. */
export const FRAME = { json: 0, stdin: 1, stdout: 2, stderr: 3 } as const
export type FrameType = (typeof FRAME)[keyof typeof FRAME]

export interface Frame {
  type: FrameType
  payload: Buffer
}

/**
 * Longest payload. Everything that can grow is sent in parts far below it, but for the report of
 * one host: some 15,000 endpoints would fit.
 */
export const MAX_FRAME_BYTES = 4 * 2 ** 20

const HEADER_BYTES = 5

/** One frame, ready to be written. */
export const encodeFrame = (type: FrameType, payload: string | Uint8Array): Buffer => {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  frame.writeUInt32BE(length + 1, 0)
  frame[4] = type
  if (typeof payload === 'string') frame.write(payload, HEADER_BYTES)
  else frame.set(payload, HEADER_BYTES)
  return frame
}

/** A message as a frame. */
export const encodeMessage = (message: object): Buffer =>
  encodeFrame(FRAME.json, JSON.stringify(message))

/**
 * Puts the frames of one connection together again: takes chunks as they arrive, returns the frames
 * that they complete. Throws CorruptMessage, after which the connection is of no more use.
 */
export const frameDecoder = (
  maxBytes: number = MAX_FRAME_BYTES,
): ((chunk: Uint8Array) => Frame[]) => {
  let pending: Uint8Array[] = []
  let size = 0
  let needed = HEADER_BYTES
  return (chunk) => {
    pending.push(chunk)
    size += chunk.length
    if (size < needed) return []
    const data = Buffer.concat(pending, size)
    const frames: Frame[] = []
    let at = 0
    needed = HEADER_BYTES
    while (size - at >= HEADER_BYTES) {
      const length = data.readUInt32BE(at)
      if (length < 1 || length - 1 > maxBytes) {
        throw new CorruptMessage(`frame of ${length} bytes`)
      }
      if (size - at < 4 + length) {
        needed = 4 + length
        break
      }
      const type = data[at + 4]
      if (type === undefined || type > FRAME.stderr) {
        throw new CorruptMessage(`frame of unknown type ${type}`)
      }
      frames.push({
        type: type as FrameType,
        payload: data.subarray(at + HEADER_BYTES, at + 4 + length),
      })
      at += 4 + length
    }
    const rest = data.subarray(at)
    pending = rest.length > 0 ? [rest] : []
    size = rest.length
    return frames
  }
}
