import type { Duplex } from 'node:stream'
import {
  CorruptMessage,
  type Frame,
  TUNABLES,
  encodeMessage,
  frameDecoder,
} from '../catalog/index.ts'

/** Why a connection ended: a word for logs and counters. */
export type CloseReason = 'closed' | 'corrupt' | 'too-slow' | 'silent' | 'replaced' | 'refused'

export interface ConnectionOptions {
  /** Milliseconds, of whichever clock silence is measured with. */
  now: () => number
  onFrame: (frame: Frame) => void
  /** Called once. After `corrupt`, `error` says what was wrong. */
  onClose: (reason: CloseReason, error?: Error) => void
  /** Called when a congested peer has taken what waited. */
  onDrain?: () => void
}

/** Frames over a socket, with a memory of when the peer was last heard. */
export class Connection {
  readonly #socket: Duplex
  readonly #options: ConnectionOptions
  #reason: CloseReason = 'closed'
  #error: Error | undefined
  #heardAt: number
  #wroteAt: number
  #fullSince: number | undefined

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#heardAt = options.now()
    this.#wroteAt = this.#heardAt
    const push = frameDecoder()
    socket.on('data', (chunk: Buffer) => {
      this.#heardAt = options.now()
      try {
        for (const frame of push(chunk)) {
          if (socket.destroyed) return
          options.onFrame(frame)
        }
      } catch (error) {
        if (!(error instanceof CorruptMessage)) throw error
        this.#error = error
        this.close('corrupt')
      }
    })
    socket.on('drain', () => {
      this.#fullSince = undefined
      options.onDrain?.()
    })
    socket.resume()
    // A socket that fails also closes; what made it fail is of no interest to anyone.
    socket.on('error', (error) => (this.#error ??= error))
    socket.on('end', () => socket.destroy())
    socket.once('close', () => options.onClose(this.#reason, this.#error))
  }

  /** Milliseconds since anything came. */
  get silence(): number {
    return this.#options.now() - this.#heardAt
  }

  /** Milliseconds since anything was written. */
  get quiet(): number {
    return this.#options.now() - this.#wroteAt
  }

  /** So much waits for the peer that nothing but small things should be added. */
  get congested(): boolean {
    return this.#socket.writableLength > TUNABLES.backlogBytes
  }

  /** The peer has taken nothing for too long. */
  get stuck(): boolean {
    return this.#fullSince !== undefined && this.#options.now() - this.#fullSince > TUNABLES.write
  }

  send(message: object): void {
    this.write(encodeMessage(message))
  }

  /** Writes a whole frame. False once the peer should be given time. */
  write(frame: Buffer): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return false
    this.#wroteAt = this.#options.now()
    const more = this.#socket.write(frame)
    if (!more) this.#fullSince ??= this.#wroteAt
    return more
  }

  /** Ends it at once, without waiting for the peer. */
  close(reason: CloseReason): void {
    if (this.#socket.destroyed) return
    this.#reason = reason
    this.#socket.destroy()
  }

  /** Sends a last message, then ends it. */
  finish(message: object, reason: CloseReason): void {
    this.#reason = reason
    this.#socket.end(encodeMessage(message))
    setTimeout(() => this.#socket.destroy(), 1000).unref()
  }
}
