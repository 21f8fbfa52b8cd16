/** Running commands on a host, as it would see them. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { execa } from 'execa'
import { MusterError } from '../base/index.ts'
import { HOST_PATH, projectRoot } from './paths.ts'
import { hostInit } from './processes.ts'

/** What the terminal is like, and nothing that could point a client at another engine. */
const PASSED_ON = ['TERM', 'COLORTERM', 'LANG', 'LC_ALL', 'NO_COLOR', 'FORCE_COLOR', 'CI', 'TZ']

const hostEnv = (): Record<string, string> => ({
  HOME: '/root',
  PATH: `${projectRoot()}/bin:${HOST_PATH}`,
  DOCKER_CONTEXT: 'default',
  ...Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  ),
})

/** argv that runs a command on a host, in the folder where we are if the host sees it too. */
const enter = (lab: string, host: string, argv: readonly string[]): string[] => {
  const pid = hostInit(lab, host)
  if (pid === undefined) {
    throw new MusterError('LAB', `${host} of lab ${lab} is off.`, {
      hint: `Switch it on: muster lab start ${host}${lab === 'lab' ? '' : ` --name ${lab}`}`,
    })
  }
  const nsenter = `nsenter --target ${pid} --mount --uts --ipc --net --pid --root --wd --`.split(
    ' ',
  )
  // The command goes when nsenter goes.
  const bound = 'setpriv --pdeathsig TERM --'.split(' ')
  const inFolder = 'cd "$1" 2>/dev/null || cd /; shift; exec "$@"'
  return [...nsenter, ...bound, 'sh', '-c', inFolder, 'sh', process.cwd(), ...argv]
}

/** What a command on a host said and how it ended. */
export interface ExecResult {
  stdout: string
  stderr: string
  /** 128 + signal number if a signal ended it. */
  exitCode: number
}

/**
 * Runs a command on a host and collects what it says, without the last line end.
 *
 * @throws MusterError LAB if the host is off, TIMEOUT (60 s unless told otherwise)
 */
export const execOnHost = async (
  target: { lab: string; host: string },
  argv: readonly string[],
  options: { timeoutMs?: number; input?: string; env?: Record<string, string> } = {},
): Promise<ExecResult> => {
  const [file = '', ...args] = enter(target.lab, target.host, argv)
  const timeoutMs = options.timeoutMs ?? 60_000
  const running = execa(file, args, {
    env: { ...hostEnv(), ...options.env },
    extendEnv: false,
    reject: false,
    // A process group of its own, so that a time limit ends all of it.
    detached: true,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    if (running.pid !== undefined) process.kill(-running.pid, 'SIGKILL')
  }, timeoutMs)
  const result = await running
  clearTimeout(timer)
  if (timedOut) {
    throw new MusterError(
      'TIMEOUT',
      `${argv.join(' ')} on ${target.host} took longer than ${timeoutMs / 1000} s. It said: ${`${result.stdout}\n${result.stderr}`.trim().slice(-2000)}`,
    )
  }
  return {
    stdout: result.stdout,
    stderr: result.stderr,
    exitCode: result.exitCode ?? 128 + (result.signal ? constants.signals[result.signal] : 0),
  }
}

/** Runs a command on a host on our own stdin, stdout, stderr and terminal; its exit status. */
export const attachToHost = async (
  target: { lab: string; host: string },
  argv: readonly string[],
): Promise<number> => {
  const [file = '', ...args] = enter(target.lab, target.host, argv)
  const child = spawn(file, args, { stdio: 'inherit', env: hostEnv() })
  // Ctrl-C reaches the command through the terminal: what it means is the command's business.
  const ignore = () => undefined
  const pass = () => child.kill('SIGTERM')
  process.on('SIGINT', ignore)
  process.on('SIGTERM', pass)
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) =>
        resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)),
      )
    })
  } finally {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', pass)
  }
}
