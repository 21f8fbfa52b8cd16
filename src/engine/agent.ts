/** Opens connections to one engine and keeps them for the next call. */
import { Agent } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { inspect } from 'node:util'
import { addressText, type EngineAddress, type TlsMaterial } from './address.ts'
import { SshConnection } from './ssh.ts'

/** A peer that is gone without a word is noticed by TCP, after about 10 s + 9 probes. */
const KEEP_ALIVE_MS = 10_000

const tlsOptions = ({ ca, cert, key }: TlsMaterial) => ({
  ...(ca !== undefined && { ca }),
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
})

const open = (address: EngineAddress): Duplex => {
  if (address.kind === 'unix') return connect({ path: address.path })
  if (address.kind === 'ssh') return new SshConnection(address)
  const { host, port, tls } = address
  const target = { host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
  return tls === null ? connect(target) : connectTls({ ...target, ...tlsOptions(tls) })
}

/**
 * The connections of every kind of address come from here, so docker-modem never interprets an
 * address itself: its own reading of tcp:// falls back to port 80, mixes in DOCKER_HOST, calls the
 * deprecated url.parse, and its ssh checks no host keys.
 */
export class EngineAgent extends Agent {
  readonly #address: EngineAddress

  constructor(address: EngineAddress) {
    super({ keepAlive: true })
    this.#address = address
  }

  override createConnection(): Duplex {
    return open(this.#address)
  }

  /** docker-modem renders every request's options for its debug log, wanted or not. Keep it short. */
  [inspect.custom](): string {
    return `EngineAgent(${addressText(this.#address)})`
  }
}
