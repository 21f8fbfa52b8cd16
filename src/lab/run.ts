import { execa } from 'execa'
import { MusterError } from '../base/index.ts'
import { HOST_PATH } from './paths.ts'
import { markerEnv } from './processes.ts'

/**
 * Runs a system program for a lab and gives its stdout. If we are killed meanwhile it is found by its
 * mark (processes.ts): whoever takes the lab's lock next ends it, unless it is a mere reader.
 *
 * @throws MusterError LAB with the program's own words, TIMEOUT
 */
export const run = async (
  lab: string,
  argv: readonly string[],
  options: {
    input?: string
    timeoutMs?: number
    env?: Record<string, string>
    role?: 'helper' | 'reader'
  } = {},
): Promise<string> => {
  const [file = '', ...args] = argv
  const timeoutMs = options.timeoutMs ?? 30_000
  const result = await execa(file, args, {
    env: {
      PATH: HOST_PATH,
      LC_ALL: 'C.UTF-8',
      ...markerEnv(lab, options.role ?? 'helper'),
      ...options.env,
    },
    extendEnv: false,
    reject: false,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
  })
  if (result.timedOut) {
    throw new MusterError(
      'TIMEOUT',
      `${file} took longer than ${timeoutMs / 1000} s: ${argv.join(' ')}`,
    )
  }
  if (result.failed) {
    const said = result.stderr.trim() || result.message
    throw new MusterError('LAB', `${argv.join(' ')}: ${said}`, {
      cause: result,
      ...(result.code === 'ENOENT'
        ? { hint: `This machine has no ${file}; scripts/setup.sh installs what a lab needs.` }
        : {}),
    })
  }
  return result.stdout
}
