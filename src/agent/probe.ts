import { connect } from 'node:net'
import { type ProbeResult, TUNABLES } from '../catalog/index.ts'

/** Errors by which a kernel shows that it is there. */
const ANSWERS = new Set(['ECONNREFUSED', 'ECONNRESET'])
/** Errors by which the way shows that nothing is. Others are troubles of our own and say nothing. */
const SILENCES = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ETIMEDOUT'])

/**
 * Asks a host's kernel for a TCP connection. Accepting and refusing both mean that it is up. `now`
 * is of the attentive clock: an answer that came while this process was stalled still counts.
 * Null when the attempt says nothing about the host.
 */
export const probe = (
  address: string,
  port: number,
  now: () => number,
): Promise<ProbeResult | null> =>
  new Promise((resolve) => {
    const start = now()
    const socket = connect({ host: address, port })
    const end = (result: ProbeResult | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const expire = () => {
      const left = TUNABLES.probe - (now() - start)
      if (left > 0) timer = setTimeout(expire, left)
      // Whatever has arrived meanwhile is read before the verdict.
      else setImmediate(() => end('nothing'))
    }
    let timer = setTimeout(expire, TUNABLES.probe)
    socket.once('connect', () => end('answered'))
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) =>
      end(ANSWERS.has(code) ? 'answered' : SILENCES.has(code) ? 'nothing' : null),
    )
  })
