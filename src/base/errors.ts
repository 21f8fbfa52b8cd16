/**
 * Every error a person can meet is declared here once: a stable code, the exit status and what it
 * means. The message says what happened and where; the hint says what to do.
 */

/** Exit status of the command line: 1 = it failed, 2 = what the user wrote is wrong. */
export type ExitCode = 1 | 2

export const ERRORS = {
  USAGE: { exit: 2, about: 'The command line itself is wrong: an unknown flag, a bad value.' },
  COMPOSE_INVALID: {
    exit: 2,
    about: 'A Compose file (or a file it names) cannot be used as it is.',
  },
  STACK_REFUSED: {
    exit: 2,
    about: 'The file is valid, but asks for something a cluster cannot do.',
  },
  NOT_FOUND: {
    exit: 2,
    about: 'No stack, service, task, host or lab has the name that was given.',
  },
  ENGINE_UNREACHABLE: { exit: 1, about: 'The Docker Engine does not answer at its address.' },
  ENGINE_TOO_OLD: { exit: 1, about: 'The Docker Engine lacks an API version that Muster needs.' },
  ENGINE_REFUSED: { exit: 1, about: 'The Docker Engine answered a request with an error.' },
  NOT_A_MANAGER: {
    exit: 1,
    about: 'This host cannot see the cluster: it is a worker, or in no swarm.',
  },
  NO_QUORUM: { exit: 1, about: 'The cluster has lost the majority of its managers.' },
  CONFLICT: { exit: 1, about: 'Somebody else changed the same object at the same time.' },
  PORT_CONFLICT: { exit: 2, about: 'Two stacks want to publish the same port.' },
  AGENT_UNREACHABLE: { exit: 1, about: 'The Muster agent of a host does not answer.' },
  AGENT_REFUSED: {
    exit: 1,
    about: 'The Muster agent refused a request: wrong certificate, role or message.',
  },
  DEPLOY_FAILED: {
    exit: 1,
    about: 'A service did not come to serve; the reason is in the message.',
  },
  TIMEOUT: {
    exit: 1,
    about: 'Something did not happen in the time allowed; the message says what.',
  },
  LAB: { exit: 1, about: 'The lab could not do it; the message says which step.' },
  HOST_SETUP: {
    exit: 1,
    about: 'This machine lacks something that Muster needs and could not install.',
  },
} as const satisfies Record<string, { exit: ExitCode; about: string }>

export type ErrorCode = keyof typeof ERRORS

/** An error that is meant for a person. Anything else that is thrown is a defect. */
export class MusterError extends Error {
  override readonly name = 'MusterError'
  readonly code: ErrorCode
  /** What to do about it, one sentence. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }

  get exitCode(): ExitCode {
    return ERRORS[this.code].exit
  }
}

/** The text of anything thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Removing what is gone already is done. */
export const ignoreMissing = async (removal: Promise<void>): Promise<void> => {
  try {
    await removal
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'NOT_FOUND') throw error
  }
}
