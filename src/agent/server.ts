import { once } from 'node:events'
import tls, { type Server, type TLSSocket } from 'node:tls'
import {
  CorruptMessage,
  type Hello,
  PROTOCOL,
  type Refusal,
  TUNABLES,
  commonProtocol,
  decodeHello,
  encodeMessage,
} from '../catalog/index.ts'
import type { Certificates, Identity } from './certificates.ts'
import { readFirstMessage } from './first-message.ts'
import { peerOf, serverOptions } from './tls.ts'

/** An authenticated peer that has said what it wants. */
export interface Visitor {
  identity: Identity
  hello: Hello
  socket: TLSSocket
}

export interface PeerServerOptions {
  certificates: Certificates
  port: number
  /** Default: every address. */
  address?: string
  version: string
  /** Beyond certificates: null to let it in. Workers serve no streams, only managers ask for exec. */
  admit: (identity: Identity, purpose: Hello['purpose']) => Refusal | null
  onStream: (visitor: Visitor) => void
  onExec: (visitor: Visitor) => void
  onRefusal: (reason: Refusal, from: string) => void
}

/** A hello and no more: whoever has not been let in gets no memory of ours. */
const MAX_HELLO_BYTES = 4096

/** Connections waiting to be accepted: a stopped agent must look alive to probes for a while. */
const BACKLOG = 4096

/** The port that other agents connect to. */
export class PeerServer implements AsyncDisposable {
  readonly #options: PeerServerOptions
  readonly #server: Server
  readonly #sockets = new Set<TLSSocket>()
  #certificates: Certificates

  constructor(options: PeerServerOptions) {
    this.#options = options
    this.#certificates = options.certificates
    this.#server = tls.createServer(serverOptions(options.certificates), (socket) =>
      this.#greet(socket),
    )
    // Handshakes that fail: port scans, probes of other managers, clients without our CA.
    this.#server.on('tlsClientError', (error, socket) => {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ECONNRESET' || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return
      options.onRefusal('untrusted-certificate', socket.remoteAddress ?? '')
    })
  }

  async start(): Promise<void> {
    const { port, address = '0.0.0.0' } = this.#options
    this.#server.listen({ port, host: address, backlog: BACKLOG })
    await once(this.#server, 'listening')
  }

  /** The port that it listens on. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** New connections use these; those that are open go on. */
  renew(certificates: Certificates): void {
    this.#certificates = certificates
    this.#server.setSecureContext(serverOptions(certificates))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #greet(socket: TLSSocket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    const from = socket.remoteAddress ?? ''
    const found = peerOf(socket, this.#certificates.identity)
    if ('refusal' in found) {
      this.#options.onRefusal(found.refusal, from)
      socket.destroy()
      return
    }
    const { identity } = found
    const limit = setTimeout(() => {
      this.#options.onRefusal('too-slow', identity.host)
      socket.destroy()
    }, TUNABLES.handshake)
    socket.once('close', () => clearTimeout(limit))
    readFirstMessage(socket, MAX_HELLO_BYTES, decodeHello).then(
      (hello) => {
        clearTimeout(limit)
        this.#admit({ identity, hello, socket })
      },
      (error: unknown) => {
        if (error instanceof CorruptMessage) this.#options.onRefusal('corrupt', identity.host)
        socket.destroy()
      },
    )
  }

  #admit(visitor: Visitor): void {
    const { identity, hello, socket } = visitor
    const protocol = commonProtocol(hello.protocol)
    const refusal =
      protocol === undefined ? 'protocol' : this.#options.admit(identity, hello.purpose)
    if (refusal !== null || protocol === undefined) {
      const reason = refusal ?? 'protocol'
      this.#options.onRefusal(reason, identity.host)
      const message = `refused: ${reason} (protocol ${PROTOCOL.min} to ${PROTOCOL.max})`
      socket.end(encodeMessage({ type: 'refused', reason, message }))
      setTimeout(() => socket.destroy(), TUNABLES.handshake).unref()
      return
    }
    socket.write(encodeMessage({ type: 'welcome', protocol, version: this.#options.version }))
    if (hello.purpose === 'stream') this.#options.onStream(visitor)
    else this.#options.onExec(visitor)
  }
}
