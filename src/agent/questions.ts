/** Questions about a host, from agent to agent. */
import type { Duplex } from 'node:stream'
import { MusterError } from '../base/index.ts'
import {
  type ExecDownward,
  type ExecUpward,
  type HostQuestion,
  MAX_FRAME_BYTES,
  PROTOCOL,
  decodeExecDownward,
  encodeMessage,
} from '../catalog/index.ts'
import type { Certificates } from './certificates.ts'
import { refuseExec } from './exec.ts'
import { remoteError } from './exec-client.ts'
import { readFirstMessage } from './first-message.ts'
import { type Peer, connectPeer } from './tls.ts'

/** Files may have to be counted. */
const ANSWER_LIMIT_MS = 35_000

/** Answers one question on a connection that is for nothing else. */
export const serveQuestion = async (
  connection: Duplex,
  question: HostQuestion,
  answer: (question: HostQuestion) => Promise<unknown>,
): Promise<void> => {
  try {
    const message: ExecDownward = {
      type: 'answer',
      json: JSON.stringify((await answer(question)) ?? null),
    }
    connection.end(encodeMessage(message))
  } catch (error) {
    refuseExec(connection, error)
  }
}

/** Asks the agent of another host. Rejects with its refusal, AGENT_UNREACHABLE or TIMEOUT. */
export const askPeer = async (
  question: HostQuestion,
  options: { peer: Peer; certificates: Certificates; version: string },
): Promise<unknown> => {
  const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
  const remote = await connectPeer(options.peer, options.certificates, limit)
  const end = () => remote.destroy()
  remote.on('error', end)
  limit.addEventListener('abort', end, { once: true })
  try {
    const { version } = options
    remote.write(encodeMessage({ type: 'hello', protocol: PROTOCOL, purpose: 'exec', version }))
    const welcome = await readFirstMessage(remote, 4096, decodeExecDownward)
    if (welcome.type !== 'welcome') {
      const why = welcome.type === 'refused' ? welcome.message : 'it does not speak our protocol'
      throw new MusterError('AGENT_REFUSED', `The agent of that host said no: ${why}.`, {
        hint: 'Other hosts can be asked from managers only.',
      })
    }
    const ask: ExecUpward = { type: 'ask', question }
    remote.write(encodeMessage(ask))
    const answer = await readFirstMessage(remote, MAX_FRAME_BYTES, decodeExecDownward)
    if (answer.type === 'failed') throw remoteError(answer)
    if (answer.type !== 'answer') {
      throw new MusterError('AGENT_REFUSED', `The agent of that host answered ${answer.type}.`)
    }
    return JSON.parse(answer.json) as unknown
  } catch (error) {
    if (error instanceof MusterError) throw error
    const code = limit.aborted ? 'TIMEOUT' : 'AGENT_UNREACHABLE'
    throw new MusterError(code, 'The agent of that host gave no answer.', { cause: error })
  } finally {
    limit.removeEventListener('abort', end)
    remote.destroy()
  }
}
