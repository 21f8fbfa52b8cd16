/** Runs a command in a container of any host, for a caller who is anywhere. */
import { once } from 'node:events'
import { type Duplex, type Readable, finished } from 'node:stream'
import { MusterError, messageOf } from '../base/index.ts'
import {
  CorruptMessage,
  type ExecDownward,
  type ExecRequest,
  type ExecUpward,
  FRAME,
  type HostQuestion,
  type FrameType,
  PROTOCOL,
  decodeExecDownward,
  decodeExecUpward,
  encodeFrame,
  encodeMessage,
  frameDecoder,
} from '../catalog/index.ts'
import type { Engine, ExecSession } from '../engine/index.ts'
import type { Certificates } from './certificates.ts'
import { readFirstMessage } from './first-message.ts'
import { TASK_LABELS } from './local-container.ts'
import { type Peer, connectPeer } from './tls.ts'

/** A command line with its environment. */
const MAX_REQUEST_BYTES = 2 * 2 ** 20
const CLOSE_LIMIT_MS = 2000

/** What a peer wants, from a connection on which nothing has been read yet. */
export const readHostRequest = async (
  connection: Readable,
): Promise<{ exec: ExecRequest } | { question: HostQuestion }> => {
  const message = await readFirstMessage(connection, MAX_REQUEST_BYTES, decodeExecUpward)
  if (message.type === 'exec') return { exec: message.request }
  if (message.type === 'ask') return { question: message.question }
  throw new CorruptMessage('expected what to run or to answer')
}

/** What the caller wants, from a connection on which nothing has been read yet. */
export const readExecRequest = async (connection: Readable): Promise<ExecRequest> => {
  const message = await readFirstMessage(connection, MAX_REQUEST_BYTES, decodeExecUpward)
  if (message.type !== 'exec') throw new CorruptMessage('expected what to run')
  return message.request
}

/** Tells the caller why there is nothing to run, and ends. */
export const refuseExec = (connection: Duplex, error: unknown): void => {
  const { code, hint } =
    error instanceof MusterError ? error : { code: 'ENGINE_REFUSED', hint: undefined }
  const message: ExecDownward = {
    type: 'failed',
    code,
    message: messageOf(error),
    hint: hint ?? null,
  }
  connection.end(encodeMessage(message))
}

/**
 * Runs it in a container of this host; the connection carries its bytes from here on. Only in
 * containers of services: an agent is no way into anything else. Resolves when it has ended.
 */
export const serveExec = async (
  engine: Pick<Engine, 'exec' | 'inspectContainer'>,
  connection: Duplex,
  request: ExecRequest,
): Promise<void> => {
  let session: ExecSession
  try {
    const { Config: config } = await engine.inspectContainer(request.container)
    if (config?.Labels?.[TASK_LABELS.task] === undefined) {
      throw new MusterError('NOT_FOUND', `${request.container} is no task of a service.`)
    }
    session = await engine.exec(request.container, {
      command: request.command,
      tty: request.tty,
      stdin: request.stdin,
      env: request.env,
      ...(request.user === null ? {} : { user: request.user }),
      ...(request.workingDir === null ? {} : { workingDir: request.workingDir }),
    })
  } catch (error) {
    refuseExec(connection, error)
    return
  }
  const lost = new AbortController()
  finished(connection, { writable: false }, () => lost.abort())
  connection.write(encodeMessage({ type: 'started' }))
  const input = readInput(connection, session)
  try {
    await Promise.all([
      copyOut(session.stdout, connection, FRAME.stdout),
      copyOut(session.stderr, connection, FRAME.stderr),
    ])
    const code = await session.exited
    connection.end(encodeMessage({ type: 'exit', code }))
  } catch (error) {
    if (!lost.signal.aborted) refuseExec(connection, error)
  } finally {
    session.stdin.destroy()
    // The caller closes its side when it has read the end; one that does not is not waited for.
    setTimeout(() => connection.destroy(), CLOSE_LIMIT_MS).unref()
    await input
  }
}

/** Bytes one way, no faster than the other side takes them. */
const copyOut = async (from: Readable, to: Duplex, type: FrameType): Promise<void> => {
  for await (const chunk of from) {
    if (!to.write(encodeFrame(type, chunk as Uint8Array))) await drained(to)
  }
}

/** Resolves when there is room again; throws if the stream ends instead. */
const drained = async (stream: Duplex): Promise<void> => {
  const ended = new AbortController()
  const stop = finished(stream, () => ended.abort())
  try {
    await once(stream, 'drain', { signal: ended.signal })
  } finally {
    stop()
  }
}

/** What the caller types, and the size of its window. Ends with the connection. */
const readInput = async (connection: Duplex, session: ExecSession): Promise<void> => {
  const push = frameDecoder()
  try {
    for await (const chunk of connection) {
      for (const { type, payload } of push(chunk as Uint8Array)) {
        if (type === FRAME.stdin) {
          // Without bytes it is the end of them.
          if (payload.length === 0) session.stdin.end()
          else if (!session.stdin.destroyed && !session.stdin.write(payload)) {
            await drained(session.stdin)
          }
        } else if (type === FRAME.json) {
          const message = decodeExecUpward(payload)
          if (message.type === 'resize') await session.resize(message)
        }
      }
    }
  } catch {
    // The caller has gone, has sent nonsense, or the command has ended: nothing more to pass on.
    connection.destroy()
  }
  session.stdin.end()
}

/** Passes a caller on to the agent of another host. Resolves when either end is done. */
export const relayExec = async (
  connection: Duplex,
  request: ExecRequest,
  options: {
    peer: Peer
    certificates: Certificates
    version: string
  },
): Promise<void> => {
  const away = new AbortController()
  const stop = finished(connection, { writable: false }, () => away.abort())
  try {
    const remote = await connectPeer(options.peer, options.certificates, away.signal)
    remote.on('error', () => remote.destroy())
    const hello = { type: 'hello', protocol: PROTOCOL, purpose: 'exec', version: options.version }
    remote.write(encodeMessage(hello))
    const answer = await readFirstMessage(remote, 4096, decodeExecDownward)
    if (answer.type !== 'welcome') {
      const why = answer.type === 'refused' ? answer.message : 'it does not speak our protocol'
      remote.destroy()
      throw new MusterError('AGENT_REFUSED', `The agent of that host said no: ${why}.`, {
        hint: 'Commands run from managers only.',
      })
    }
    const first: ExecUpward = { type: 'exec', request }
    remote.write(encodeMessage(first))
    connection.pipe(remote)
    remote.pipe(connection)
    await new Promise<void>((resolve) => {
      remote.once('close', () => resolve())
      connection.once('close', () => {
        remote.destroy()
        resolve()
      })
    })
  } catch (error) {
    if (!away.signal.aborted) refuseExec(connection, error)
  } finally {
    stop()
  }
}
