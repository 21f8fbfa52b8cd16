/** TLS between agents, both ends authenticated with Swarm's node certificates. */
import { constants } from 'node:crypto'
import tls, { type TLSSocket, type TlsOptions } from 'node:tls'
import { MusterError } from '../base/index.ts'
import { type Refusal, TUNABLES } from '../catalog/index.ts'
import { type Certificates, type Identity, identityOf } from './certificates.ts'

/** What both ends have in common. Tickets would let a peer skip showing its certificate. */
const common = ({ ca, cert, key }: Certificates) =>
  ({
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }) as const

/**
 * Options of the listening side. A wrong certificate does not end the handshake: `refusalOf` does,
 * so that it can be counted. Nothing may be read from a socket before it has been asked.
 */
export const serverOptions = (certificates: Certificates): TlsOptions => ({
  ...common(certificates),
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: TUNABLES.handshake,
})

/** Who the other end of a connection is, or why it is refused. Certificates alone decide. */
export const peerOf = (
  socket: TLSSocket,
  own: Identity,
): { identity: Identity } | { refusal: Refusal } => {
  const certificate = socket.getPeerCertificate()
  if (Object.keys(certificate).length === 0) return { refusal: 'no-certificate' }
  if (!socket.authorized) return { refusal: 'untrusted-certificate' }
  const identity = identityOf(certificate.subject)
  if (!identity) return { refusal: 'untrusted-certificate' }
  if (identity.cluster !== own.cluster) return { refusal: 'other-cluster' }
  return { identity }
}

/** Whom a connection is meant for. */
export interface Peer {
  /** Swarm node id; undefined if any will do. */
  host?: string
  address: string
  port: number
  /** It has to be a manager. */
  manager: boolean
}

/** Connects to an agent. Rejects with AGENT_UNREACHABLE, or AGENT_REFUSED if it is somebody else. */
export const connectPeer = (
  peer: Peer,
  certificates: Certificates,
  signal: AbortSignal,
): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const where = `the agent at ${peer.address}:${peer.port}`
    const socket = tls.connect({
      ...common(certificates),
      host: peer.address,
      port: peer.port,
      // Swarm's certificates name roles and node ids, not addresses: see below.
      checkServerIdentity: () => undefined,
      servername: 'swarm-manager',
    })
    const abort = () => unreachable('given up')
    signal.addEventListener('abort', abort, { once: true })
    const fail = (error: MusterError) => {
      clearTimeout(limit)
      signal.removeEventListener('abort', abort)
      socket.destroy()
      reject(error)
    }
    const unreachable = (why: string, cause?: unknown) =>
      fail(new MusterError('AGENT_UNREACHABLE', `Cannot reach ${where}: ${why}.`, { cause }))
    let limit = setTimeout(() => unreachable('no answer'), TUNABLES.connect)
    socket.once('connect', () => {
      socket.setNoDelay(true)
      clearTimeout(limit)
      limit = setTimeout(() => unreachable('no TLS handshake'), TUNABLES.handshake)
    })
    const onError = (error: Error) => unreachable(error.message, error)
    socket.on('error', onError)
    const onClose = () => unreachable('it closed the connection')
    socket.once('close', onClose)
    socket.once('secureConnect', () => {
      const found = peerOf(socket, certificates.identity)
      const refusal = 'refusal' in found ? found.refusal : refusalOf(peer, found.identity)
      if (refusal) {
        return fail(
          new MusterError('AGENT_REFUSED', `Whoever answers for ${where} is refused: ${refusal}.`),
        )
      }
      clearTimeout(limit)
      signal.removeEventListener('abort', abort)
      socket.off('close', onClose)
      socket.off('error', onError)
      resolve(socket)
    })
  })

const refusalOf = (peer: Peer, identity: Identity): Refusal | null => {
  if (peer.host !== undefined && identity.host !== peer.host) return 'not-your-host'
  return peer.manager && !identity.manager ? 'not-a-manager' : null
}
