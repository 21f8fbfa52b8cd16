/** What an engine's refusal, or its silence, means to a person. Pure. */
import { type ErrorCode, MusterError } from '../base/index.ts'

/** What was being done: reads well after "Cannot", as in `create service web`. */
type Doing = string

const NO_LEADER =
  /does not have a leader|has lost leader|raft: (proposal dropped|stopped)|no quorum/i
const NOT_MANAGER =
  /not a swarm manager|not part of a swarm|can't be used to view or modify cluster state/i
const DEADLINE = /context deadline exceeded|DeadlineExceeded/i
const OUT_OF_SEQUENCE = /update out of sequence/i

const HINTS: Partial<Record<ErrorCode, string>> = {
  NOT_A_MANAGER: 'Run it on a manager host; "muster init" makes this host the first one.',
  NO_QUORUM: 'Bring back enough manager hosts that more than half of them answer.',
}

const codeFor = (status: number, text: string, swarm: boolean): ErrorCode => {
  if (OUT_OF_SEQUENCE.test(text)) return 'CONFLICT'
  if (NOT_MANAGER.test(text)) return 'NOT_A_MANAGER'
  if (NO_LEADER.test(text)) return 'NO_QUORUM'
  // Elsewhere a deadline is a registry's or a container's.
  if (swarm && DEADLINE.test(text)) return 'NO_QUORUM'
  if (status === 404) return 'NOT_FOUND'
  if (status === 409) return 'CONFLICT'
  return 'ENGINE_REFUSED'
}

/** Paths that a manager answers from the cluster's store. */
export const isSwarmPath = (path: string): boolean =>
  /^\/(swarm|nodes|services|tasks|configs|secrets)\b/.test(path)

/** The error for an answer with an error status. `body` is the engine's JSON, or any text. */
export const refusal = (answer: {
  status: number
  body: string
  path: string
  doing: Doing
}): MusterError => {
  const text = messageIn(answer.body).replace(/rpc error: code = \w+ desc = /g, '')
  const code = codeFor(answer.status, text, isSwarmPath(answer.path))
  const hint = OUT_OF_SEQUENCE.test(text)
    ? 'Somebody changed it at the same time: look at it and repeat.'
    : HINTS[code]
  return new MusterError(
    code,
    `Cannot ${answer.doing}: ${text || `the engine answered ${answer.status}`}`,
    hint === undefined ? {} : { hint },
  )
}

const messageIn = (body: string): string => {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) {
      return String(parsed.message).trim()
    }
  } catch {
    // Not JSON: a proxy's page or plain text is the message itself.
  }
  return body.trim().slice(0, 500)
}

const unreachableHint = (code: string | undefined, address: string): string => {
  if (code === 'EACCES') return 'Run it as root, or as a member of the group docker.'
  if (address.startsWith('unix://')) return 'Is Docker running? "systemctl start docker" starts it.'
  if (address.startsWith('ssh://')) return `Does "docker --host ${address} version" work?`
  return 'Is Docker listening there, and is DOCKER_HOST right?'
}

/** The error for a connection that could not be made, or broke. */
export const unreachable = (cause: unknown, address: string, doing: Doing): MusterError => {
  const { code, message } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : {}
  // Several addresses tried at once (AggregateError) leave the message empty.
  const why = message || code || 'connection lost'
  return new MusterError(
    'ENGINE_UNREACHABLE',
    `Cannot ${doing}: no answer from the Docker Engine at ${address} (${why})`,
    { hint: unreachableHint(code, address), cause },
  )
}

/** The error for a call that used up its time. */
export const tooSlow = (doing: Doing, limitMs: number, address: string): MusterError =>
  new MusterError(
    'TIMEOUT',
    `Cannot ${doing}: the Docker Engine at ${address} did not finish within ${limitMs / 1000} s`,
    { hint: 'The host may be overloaded or its Docker Engine stuck.' },
  )

/** The error for a cluster call that used up its time while the engine itself still answers. */
export const clusterSilent = (doing: Doing, limitMs: number): MusterError =>
  new MusterError(
    'NO_QUORUM',
    `Cannot ${doing}: the engine answers but the cluster did not within ${limitMs / 1000} s`,
    { hint: HINTS.NO_QUORUM as string },
  )
