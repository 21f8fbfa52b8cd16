/** Where the Docker Engine is: the same rules as Docker's own command line. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { messageOf, MusterError } from '../base/index.ts'

/** Client certificates as PEM text. The engine's own certificate is always verified. */
export interface TlsMaterial {
  ca: string | undefined
  cert: string | undefined
  key: string | undefined
}

export type EngineAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number; tls: TlsMaterial | null }
  /** `socket`: path of the engine's socket there, when it is not the usual one. */
  | { kind: 'ssh'; host: string; user?: string; port?: number; socket?: string }

/** The part of `process.env` that says where the engine is. */
export type EngineEnvironment = Readonly<Record<string, string | undefined>>

const DEFAULT_SOCKET = '/var/run/docker.sock'

/** An address as DOCKER_HOST would write it. */
export const addressText = (address: EngineAddress): string => {
  if (address.kind === 'unix') return `unix://${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  if (address.kind === 'tcp') return `tcp://${host}:${address.port}`
  const user = address.user === undefined ? '' : `${address.user}@`
  const port = address.port === undefined ? '' : `:${address.port}`
  return `ssh://${user}${host}${port}${address.socket ?? ''}`
}

/**
 * Parses `unix:///path`, `tcp://host:port`, `host:port` or `ssh://[user@]host[:port][/socket]`.
 * @throws MusterError USAGE, naming `source` (where the text came from)
 */
export const parseAddress = (
  text: string,
  tls: TlsMaterial | null,
  source: string,
): EngineAddress => {
  const wrong = (why: string) =>
    new MusterError('USAGE', `${source} is "${text}", ${why}.`, {
      hint: 'Use unix:///path, tcp://host:port or ssh://user@host.',
    })
  if (text.startsWith('unix://')) {
    return { kind: 'unix', path: text.slice('unix://'.length) || DEFAULT_SOCKET }
  }
  const url = URL.parse(text.includes('://') ? text : `tcp://${text}`)
  if (url === null || url.hostname === '') throw wrong('which is not an address')
  // In schemes that URL does not know, brackets stay around an IPv6 address.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  // A name that begins with a dash would be an option of ssh.
  if (host.startsWith('-') || url.username.startsWith('-')) throw wrong('which is not an address')
  const port = url.port === '' ? undefined : Number(url.port)
  switch (url.protocol) {
    case 'tcp:':
    case 'http:':
    case 'https:':
      return { kind: 'tcp', host, port: port ?? (tls === null ? 2375 : 2376), tls }
    case 'ssh:':
      return {
        kind: 'ssh',
        host,
        ...(url.username !== '' && { user: decodeURIComponent(url.username) }),
        ...(port !== undefined && { port }),
        ...(url.pathname.length > 1 && { socket: url.pathname }),
      }
    default:
      throw wrong(`and Muster cannot use ${url.protocol}//`)
  }
}

const readOptional = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MusterError('USAGE', `Cannot read ${path}: ${messageOf(error)}`, { cause: error })
  }
}

const readTls = (folder: string): TlsMaterial => ({
  ca: readOptional(join(folder, 'ca.pem')),
  cert: readOptional(join(folder, 'cert.pem')),
  key: readOptional(join(folder, 'key.pem')),
})

/**
 * The text at a path of keys inside a JSON file that Docker wrote; undefined if there is none.
 * By hand: zod would cost every agent 14 MB for two fields.
 */
const textIn = (path: string, keys: string[]): string | undefined => {
  const text = readOptional(path)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MusterError('USAGE', `${path} is not JSON: ${messageOf(cause)}`, { cause })
  }
  for (const key of keys) {
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
    value = entries.find(([name]) => name === key)?.[1]
  }
  return typeof value === 'string' ? value : undefined
}

const contextAddress = (name: string, folder: string): EngineAddress => {
  const key = createHash('sha256').update(name).digest('hex')
  const file = join(folder, 'contexts/meta', key, 'meta.json')
  if (readOptional(file) === undefined) {
    throw new MusterError('USAGE', `There is no docker context "${name}" in ${folder}.`, {
      hint: 'See "docker context ls", or set DOCKER_HOST.',
    })
  }
  const host = textIn(file, ['Endpoints', 'docker', 'Host'])
  if (host === undefined || host === '') return { kind: 'unix', path: DEFAULT_SOCKET }
  const tls = readTls(join(folder, 'contexts/tls', key, 'docker'))
  const hasTls = tls.ca !== undefined || tls.cert !== undefined
  return parseAddress(host, hasTls ? tls : null, `The host of docker context "${name}"`)
}

/**
 * Finds the engine: `host` if given, else DOCKER_HOST, else the context named by DOCKER_CONTEXT or
 * chosen with `docker context use`, else the usual socket. TCP is encrypted when DOCKER_TLS_VERIFY,
 * DOCKER_TLS or DOCKER_CERT_PATH is set.
 * @throws MusterError USAGE
 */
export const resolveAddress = (env: EngineEnvironment, host?: string): EngineAddress => {
  const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker')
  const text = host || env['DOCKER_HOST']
  if (text) {
    const encrypted = env['DOCKER_TLS_VERIFY'] || env['DOCKER_TLS'] || env['DOCKER_CERT_PATH']
    const tls = encrypted ? readTls(env['DOCKER_CERT_PATH'] || folder) : null
    return parseAddress(text, tls, host ? 'The engine address' : 'DOCKER_HOST')
  }
  const context = env['DOCKER_CONTEXT'] || textIn(join(folder, 'config.json'), ['currentContext'])
  if (!context || context === 'default') return { kind: 'unix', path: DEFAULT_SOCKET }
  return contextAddress(context, folder)
}
