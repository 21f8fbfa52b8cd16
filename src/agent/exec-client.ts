import { Duplex, PassThrough } from 'node:stream'
import { ERRORS, type ErrorCode, MusterError } from '../base/index.ts'
import {
  type ExecDownward,
  type ExecRequest,
  FRAME,
  decodeExecDownward,
  encodeFrame,
  encodeMessage,
  frameDecoder,
} from '../catalog/index.ts'
import type { ExecSession } from '../engine/index.ts'

/**
 * Asks an agent, over a connection that has been handed over for this, to run a command. Resolves
 * once it runs; rejects with the agent's error, or TIMEOUT.
 */
export const execSession = (
  connection: Duplex,
  request: ExecRequest,
  limitMs: number,
): Promise<ExecSession> =>
  new Promise((resolve, reject) => {
    const stdout = new PassThrough()
    const stderr = new PassThrough()
    const exited = Promise.withResolvers<number>()
    // Whoever wants to know awaits it.
    exited.promise.catch(() => undefined)
    const fail = (error: MusterError) => {
      clearTimeout(limit)
      reject(error)
      exited.reject(error)
      connection.destroy()
      stdout.end()
      stderr.end()
    }
    const limit = setTimeout(() => {
      fail(new MusterError('TIMEOUT', `The command did not start within ${limitMs / 1000} s.`))
    }, limitMs)
    const session: ExecSession = {
      stdin: new Duplex({
        read() {
          this.push(null)
        },
        write: (chunk: Buffer, _, done) =>
          connection.write(encodeFrame(FRAME.stdin, chunk), () => done()),
        final: (done) => connection.write(encodeFrame(FRAME.stdin, ''), () => done()),
      }),
      stdout,
      stderr,
      exited: exited.promise,
      resize: async (size) => {
        connection.write(encodeMessage({ type: 'resize', ...size }))
      },
    }
    const onMessage = (message: ExecDownward) => {
      if (message.type === 'started') {
        clearTimeout(limit)
        resolve(session)
      } else if (message.type === 'exit') {
        exited.resolve(message.code)
        connection.end()
      } else if (message.type === 'failed') {
        fail(remoteError(message))
      } else if (message.type === 'refused') {
        fail(new MusterError('AGENT_REFUSED', message.message))
      }
    }
    const read = async () => {
      const push = frameDecoder()
      for await (const chunk of connection) {
        for (const { type, payload } of push(chunk as Uint8Array)) {
          if (type === FRAME.json) onMessage(decodeExecDownward(payload))
          else await pass(type === FRAME.stderr ? stderr : stdout, payload)
        }
      }
    }
    const lost = (cause?: unknown) => {
      // After the exit status this changes nothing.
      fail(
        new MusterError('AGENT_UNREACHABLE', 'The connection to the command was lost.', { cause }),
      )
    }
    read().then(() => lost(), lost)
    connection.write(encodeMessage({ type: 'exec', request }))
  })

const pass = async (to: PassThrough, bytes: Uint8Array): Promise<void> => {
  if (!to.write(bytes)) await new Promise((resolve) => to.once('drain', resolve))
}

/** What an agent has refused, as if it had happened here. */
export const remoteError = (failure: {
  code: string
  message: string
  hint: string | null
}): MusterError =>
  new MusterError(
    codeOf(failure.code),
    failure.message,
    failure.hint === null ? {} : { hint: failure.hint },
  )

const codeOf = (code: string): ErrorCode =>
  Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ENGINE_REFUSED'
