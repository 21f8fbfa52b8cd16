import type { Readable } from 'node:stream'
import { CorruptMessage, FRAME, frameDecoder } from '../catalog/index.ts'

/**
 * Reads the first message from a stream that nobody reads yet, and leaves everything after it there.
 * Rejects with CorruptMessage, or when the stream closes.
 */
export const readFirstMessage = <T>(
  stream: Readable,
  maxBytes: number,
  decode: (payload: Uint8Array) => T,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const push = frameDecoder(maxBytes)
    let length: number | undefined
    const onReadable = () => {
      try {
        for (;;) {
          const chunk = stream.read(length ?? 4) as Buffer | null
          if (chunk === null) return
          const [frame] = push(chunk)
          if (frame) {
            if (frame.type !== FRAME.json) throw new CorruptMessage('bytes instead of a message')
            stream.off('readable', onReadable)
            stream.off('close', onClose)
            return resolve(decode(frame.payload))
          }
          length = chunk.readUInt32BE(0)
          if (length > maxBytes) throw new CorruptMessage(`first message of ${length} bytes`)
        }
      } catch (error) {
        stream.off('readable', onReadable)
        reject(error)
      }
    }
    const onClose = () => reject(new Error('closed before its first message'))
    stream.on('readable', onReadable)
    stream.once('close', onClose)
  })
