import { resolveAddress, type EngineEnvironment } from './address.ts'
import { hostApi } from './client-host.ts'
import { networkApi } from './client-network.ts'
import { membershipApi, swarmApi } from './client-swarm.ts'
import type { Engine } from './engine.ts'
import { Transport } from './transport.ts'

/** Time allowed for a call unless it has its own: listing a thousand tasks takes a tenth of it. */
const CALL_LIMIT_MS = 15_000

export interface ConnectOptions {
  /** As DOCKER_HOST. Default: DOCKER_HOST, then the docker context, then the usual socket. */
  host?: string
  env?: EngineEnvironment
  /** Time limit of a call that has none of its own; default 15 s. */
  limitMs?: number
}

/**
 * The Docker Engine at an address. Connects at the first call, and again by itself after the
 * engine was away. `await using` closes idle connections.
 * @throws MusterError USAGE if the address makes no sense
 */
export const connectEngine = (options: ConnectOptions = {}): Engine => {
  const { host, env = process.env, limitMs = CALL_LIMIT_MS } = options
  const transport = new Transport(resolveAddress(env, host), limitMs)
  return {
    ...swarmApi(transport),
    ...membershipApi(transport),
    ...networkApi(transport),
    ...hostApi(transport),
    [Symbol.asyncDispose]: async () => transport[Symbol.dispose](),
  }
}
