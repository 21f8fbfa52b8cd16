/**
 * What agents say to each other. A connection begins with `hello` from whoever opened it, answered
 * by `welcome` or `refused`. A `stream` then carries reports up and a catalog down; an `exec`
 * carries one command.
 */
import { type Changes, compact, decodeChanges } from './changes.ts'
import type { MemberReport } from './clusters.ts'
import {
  CorruptMessage,
  type Decode,
  amount,
  anyText,
  bool,
  fallback,
  integer,
  list,
  nullable,
  object,
  oneOf,
} from './decode.ts'
import type { EdgePlace, Endpoint, EndpointId, NetworkId } from './model.ts'
import * as schema from './schema.ts'

/** Versions of this protocol that this Muster speaks. */
export const PROTOCOL = { min: 1, max: 1 } as const

/** Why a connection or request was turned down. Also the label of the counter. */
export const REFUSALS = [
  'no-certificate',
  'untrusted-certificate',
  'other-cluster',
  'unknown-host',
  'not-a-manager',
  'not-your-host',
  'protocol',
  'corrupt',
  'too-slow',
] as const
export type Refusal = (typeof REFUSALS)[number]

/** How busy a host is. */
export interface Usage {
  /** Share of all cores, 0 to 1. */
  cpu: number
  /** Bytes. */
  memory: { used: number; total: number }
  /** Swarm's containers that run there. */
  tasks: number
  /** TCP ports that somebody else than the edge listens on, so that they cannot be published there. */
  taken: number[]
  /** Milliseconds since the agent started. */
  uptime: number
  /** Version of Muster. */
  version: string
}

/** First words on a connection. */
export interface Hello {
  type: 'hello'
  protocol: { min: number; max: number }
  purpose: 'stream' | 'exec'
  /** Version of Muster. */
  version: string
}

/** What a host runs. Sequence numbers begin at 1 on each connection and have no holes. */
export interface Report {
  type: 'report'
  seq: number
  /** `endpoints` are all there are. */
  full: boolean
  endpoints: Endpoint[]
  gone: EndpointId[]
  /** All local endpoints that have been told to stop. */
  leaving: EndpointId[]
  engineDown: boolean
  edge: Record<NetworkId, EdgePlace>
  /** All members of clustered services that this host has data or a container of. */
  members: MemberReport[]
}

/** From an agent to a manager. */
export type Upward =
  | Report
  | { type: 'usage'; usage: Usage }
  | { type: 'beat' }
  /** Send the catalog, from this version on if it is yours and you still can. */
  | { type: 'follow'; origin: string; version: number }
  | { type: 'unfollow' }

/** How a manager sees itself. */
export interface ManagerBeat {
  type: 'beat'
  leader: boolean
  /** Its catalog is complete enough to be followed. */
  serving: boolean
  /** It has lost sight of most hosts, and believes that it is itself the one that is cut off. */
  doubt: boolean
  /** Hosts it hears, of those that Swarm calls up. */
  sees: number
}

/** From a manager to an agent. A snapshot is `snapshot`, any number of `part`, `complete`. */
export type Downward =
  | { type: 'welcome'; protocol: number; version: string }
  | { type: 'refused'; reason: Refusal; message: string }
  | ManagerBeat
  | { type: 'resend' }
  | { type: 'snapshot'; origin: string; version: number }
  | { type: 'part'; changes: Changes }
  | { type: 'complete' }
  | { type: 'delta'; origin: string; version: number; changes: Changes }

/** A part of a snapshot, or one version's changes, for the wire. */
export const partMessage = (changes: Changes): object => ({
  type: 'part',
  changes: compact(changes),
})
export const deltaMessage = (origin: string, version: number, changes: Changes): object => ({
  type: 'delta',
  origin,
  version,
  changes: compact(changes),
})

const shortText = anyText(1024)
const names = list(schema.name, 100_000)

export const decodeUsage: Decode<Usage> = object({
  cpu: amount,
  memory: object({ used: amount, total: amount }),
  tasks: integer(0),
  // Agents of an older version do not tell.
  taken: fallback(list(integer(1, 65_535), 65_535), []),
  uptime: amount,
  version: shortText,
})

const hello: Decode<Hello> = object({
  type: oneOf('hello'),
  protocol: object({ min: integer(1), max: integer(1) }),
  purpose: oneOf('stream', 'exec'),
  version: shortText,
})

const report: Decode<Report> = object({
  type: oneOf('report'),
  seq: integer(1),
  full: bool,
  endpoints: list(schema.endpoint, 100_000),
  gone: names,
  leaving: names,
  engineDown: bool,
  edge: fallback(schema.edge, {}),
  members: fallback(list(schema.member, 10_000), []),
})

const upward: Record<Upward['type'], Decode<Upward>> = {
  report,
  usage: object({ type: oneOf('usage'), usage: decodeUsage }),
  beat: object({ type: oneOf('beat') }),
  follow: object({ type: oneOf('follow'), origin: shortText, version: integer(0) }),
  unfollow: object({ type: oneOf('unfollow') }),
}

const downward: Record<Downward['type'], Decode<Downward>> = {
  welcome: object({ type: oneOf('welcome'), protocol: integer(1), version: shortText }),
  refused: object({ type: oneOf('refused'), reason: oneOf(...REFUSALS), message: shortText }),
  beat: object({
    type: oneOf('beat'),
    leader: bool,
    serving: bool,
    doubt: bool,
    sees: integer(0),
  }),
  resend: object({ type: oneOf('resend') }),
  snapshot: object({ type: oneOf('snapshot'), origin: shortText, version: integer(0) }),
  part: object({ type: oneOf('part'), changes: decodeChanges }),
  complete: object({ type: oneOf('complete') }),
  delta: object({
    type: oneOf('delta'),
    origin: shortText,
    version: integer(0),
    changes: decodeChanges,
  }),
}

/** What a command is run as, in which container of which host. */
export interface ExecRequest {
  /** Swarm node id of the host that the container runs on. */
  host: string
  container: string
  command: string[]
  tty: boolean
  /** Without it the command's standard input is empty. */
  stdin: boolean
  env: string[]
  user: string | null
  workingDir: string | null
}

/** What an agent is asked about its own host. */
export type HostQuestion =
  /** `sizes`: measured, which takes as long as there are files. */
  | { what: 'volumes'; sizes: boolean }
  /** `uid`: only if it is still this folder. */
  | { what: 'remove-volume'; name: string; uid: string }
  /** What its edge does with these ports. */
  | { what: 'edge'; ports: number[] }

const hostQuestions: Record<HostQuestion['what'], Decode<HostQuestion>> = {
  volumes: object({ what: oneOf('volumes'), sizes: bool }),
  'remove-volume': object({ what: oneOf('remove-volume'), name: schema.name, uid: schema.name }),
  edge: object({ what: oneOf('edge'), ports: list(integer(1, 65_535), 65_535) }),
}

/** Throws CorruptMessage for a question that this version does not know. */
export const decodeQuestion: Decode<HostQuestion> = (value, at) => {
  const { what } = object({ what: oneOf('volumes', 'remove-volume', 'edge') })(value, at)
  return hostQuestions[what](value, at)
}

/** Beside the byte frames of an exec connection: from the caller, and to it. */
export type ExecUpward =
  | { type: 'exec'; request: ExecRequest }
  /** Instead of a command; answered once. */
  | { type: 'ask'; question: HostQuestion }
  | { type: 'resize'; columns: number; rows: number }
export type ExecDownward =
  | { type: 'welcome'; protocol: number; version: string }
  | { type: 'refused'; reason: Refusal; message: string }
  | { type: 'started' }
  /** JSON, as the question has it. */
  | { type: 'answer'; json: string }
  | { type: 'exit'; code: number }
  | { type: 'failed'; code: string; message: string; hint: string | null }

const argument = anyText(131_072)

const execUpward: Record<ExecUpward['type'], Decode<ExecUpward>> = {
  exec: object({
    type: oneOf('exec'),
    request: object({
      host: schema.name,
      container: schema.name,
      command: list(argument, 10_000),
      tty: bool,
      stdin: bool,
      env: fallback(list(argument, 10_000), []),
      user: fallback(nullable(shortText), null),
      workingDir: fallback(nullable(argument), null),
    }),
  }),
  ask: object({ type: oneOf('ask'), question: decodeQuestion }),
  resize: object({ type: oneOf('resize'), columns: integer(1, 65_535), rows: integer(1, 65_535) }),
}

const execDownward: Record<ExecDownward['type'], Decode<ExecDownward>> = {
  welcome: object({ type: oneOf('welcome'), protocol: integer(1), version: shortText }),
  refused: object({ type: oneOf('refused'), reason: oneOf(...REFUSALS), message: shortText }),
  started: object({ type: oneOf('started') }),
  answer: object({ type: oneOf('answer'), json: anyText(4_000_000) }),
  exit: object({ type: oneOf('exit'), code: integer(-1, 65_535) }),
  failed: object({
    type: oneOf('failed'),
    code: shortText,
    message: anyText(100_000),
    hint: nullable(anyText(100_000)),
  }),
}

const oneMessageOf =
  <T>(kinds: Record<string, Decode<T>>) =>
  (payload: Uint8Array): T => {
    let value: unknown
    try {
      value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString())
    } catch (cause) {
      throw new CorruptMessage('message is not JSON', { cause })
    }
    const type: unknown =
      typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
    const decode = typeof type === 'string' && Object.hasOwn(kinds, type) ? kinds[type] : undefined
    if (!decode) throw new CorruptMessage(`message of unknown type ${JSON.stringify(type)}`)
    return decode(value, String(type))
  }

/** Each takes the payload of a `json` frame; each throws CorruptMessage. */
export const decodeHello = oneMessageOf<Hello>({ hello })
export const decodeUpward = oneMessageOf<Upward>(upward)
export const decodeDownward = oneMessageOf<Downward>(downward)
export const decodeExecUpward = oneMessageOf<ExecUpward>(execUpward)
export const decodeExecDownward = oneMessageOf<ExecDownward>(execDownward)

/** The highest version that both speak; undefined when there is none. */
export const commonProtocol = (
  theirs: { min: number; max: number },
  ours: { min: number; max: number } = PROTOCOL,
): number | undefined => {
  const best = Math.min(theirs.max, ours.max)
  return best >= Math.max(theirs.min, ours.min) ? best : undefined
}
