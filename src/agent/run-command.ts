/** Runs a short command in a container of any host and keeps what it prints. */
import { type Duplex, duplexPair } from 'node:stream'
import { MusterError } from '../base/index.ts'
import type { ExecRequest, HostId } from '../catalog/index.ts'
import { readExecRequest } from './exec.ts'
import { execSession } from './exec-client.ts'

export interface CommandTarget {
  host: HostId
  container: string
}

export interface CommandResult {
  exit: number
  stdout: string
  stderr: string
}

/** Beyond this nothing more is kept. */
const MAX_OUTPUT = 2 ** 20

/**
 * Over the same path as `muster exec`: `exec` carries out a request on its connection, here or on
 * another host. Rejects with the agent's error, or TIMEOUT.
 */
export const runCommand = async (
  exec: (connection: Duplex, request: ExecRequest) => Promise<void>,
  target: CommandTarget,
  { command, timeoutMs }: { command: string[]; timeoutMs: number },
): Promise<CommandResult> => {
  const [near, far] = duplexPair()
  const request: ExecRequest = {
    ...target,
    command,
    tty: false,
    stdin: false,
    env: [],
    user: null,
    workingDir: null,
  }
  for (const side of [near, far]) side.on('error', () => side.destroy())
  const served = readExecRequest(far).then((asked) => exec(far, asked))
  const end = () => {
    near.destroy()
    far.destroy()
  }
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new MusterError('TIMEOUT', `${command[0]} took longer than ${timeoutMs / 1000} s.`))
  }, timeoutMs)
  try {
    const work = async (): Promise<CommandResult> => {
      const session = await execSession(near, request, timeoutMs)
      const [stdout, stderr, exit] = await Promise.all([
        collect(session.stdout),
        collect(session.stderr),
        session.exited,
      ])
      return { exit, stdout, stderr }
    }
    // An error of the serving side says more than the connection that it leaves behind.
    const failed = served.then(() => new Promise<never>(() => undefined))
    return await Promise.race([work(), late, failed])
  } finally {
    clearTimeout(timer)
    end()
  }
}

const collect = async (stream: AsyncIterable<unknown>): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = chunk as Buffer
    if (size < MAX_OUTPUT) chunks.push(bytes)
    size += bytes.length
  }
  return Buffer.concat(chunks).toString('utf8')
}
