import { type Duplex, PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'
import { withText } from './decode.ts'
import type { ExecOptions, ExecSession } from './engine.ts'
import { readFrames } from './frames.ts'
import type { Transport } from './transport.ts'

/** The engine closes the streams a moment before it records the exit status. */
const EXIT_RECHECKS = 250
const EXIT_RECHECK_MS = 20

/** Runs a command in a running container. */
export const exec = async (
  transport: Transport,
  container: string,
  options: ExecOptions,
): Promise<ExecSession> => {
  const { command, tty = false, stdin = false, env, user, workingDir, privileged } = options
  const doing = `run ${command[0] ?? 'a command'} in container ${container}`
  const created = await transport.json({
    method: 'POST',
    path: `/containers/${encodeURIComponent(container)}/exec`,
    doing,
    body: {
      Cmd: command,
      Tty: tty,
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      ...(env !== undefined && { Env: env }),
      ...(user !== undefined && { User: user }),
      ...(workingDir !== undefined && { WorkingDir: workingDir }),
      ...(privileged === true && { Privileged: true }),
    },
  })
  const path = `/exec/${withText(created, 'Id').Id}`
  const connection = await transport.hijack({
    method: 'POST',
    path: `${path}/start`,
    doing,
    body: { Detach: false, Tty: tty },
  })
  // With no input to send, our half of the connection stays open all the same: closing it makes
  // some proxies close the other half too.
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const exited = copyOutput(connection, { tty, stdout, stderr })
    .catch((error: unknown) => {
      throw transport.broken(error, doing)
    })
    .then(() => exitStatus(transport, path, doing))
    .finally(() => connection.destroy())
  // Reading the output reports a broken connection; writing to it must not crash the process.
  connection.on('error', () => undefined)
  // Whoever wants to know awaits it; a caller that only reads the output must not crash.
  exited.catch(() => undefined)
  return {
    stdin: connection,
    stdout,
    stderr,
    exited,
    resize: async ({ columns, rows }) => {
      await transport.text({
        method: 'POST',
        path: `${path}/resize`,
        doing: 'resize the terminal',
        query: { h: rows, w: columns },
      })
    },
  }
}

const copyOutput = async (
  connection: Duplex,
  { tty, stdout, stderr }: { tty: boolean; stdout: PassThrough; stderr: PassThrough },
): Promise<void> => {
  const write = async (to: PassThrough, data: Buffer) => {
    if (!to.write(data)) await new Promise((resolve) => to.once('drain', resolve))
  }
  try {
    if (tty) for await (const data of connection) await write(stdout, data as Buffer)
    else {
      for await (const { stream, data } of readFrames(connection)) {
        await write(stream === 'stderr' ? stderr : stdout, data)
      }
    }
  } finally {
    stdout.end()
    stderr.end()
  }
}

const exitStatus = async (transport: Transport, path: string, doing: string): Promise<number> => {
  for (let attempt = 0; attempt < EXIT_RECHECKS; attempt++) {
    const answer = await transport.json({ method: 'GET', path: `${path}/json`, doing })
    const { Running, ExitCode } = answer as { Running?: boolean; ExitCode?: number | null }
    if (Running === false && typeof ExitCode === 'number') return ExitCode
    await delay(EXIT_RECHECK_MS)
  }
  throw new MusterError('TIMEOUT', `Cannot ${doing}: it gave no exit status after its output ended`)
}
