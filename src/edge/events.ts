import type { NetworkId } from '../catalog/index.ts'
import type { EdgeConflict } from './config.ts'

/** What happens in an edge, for logs and metrics. */
export type EdgeEvent =
  /** A catalog has taken effect. `latencyMs` since it was given to `apply`; `steps` at run time. */
  | { type: 'applied'; latencyMs: number; steps: number }
  /** A new set of ports or backends runs. */
  | { type: 'reloaded'; latencyMs: number }
  /** HAProxy did not take a configuration; what ran before still runs. */
  | { type: 'reload-failed'; reason: string }
  /** HAProxy refused a command; its servers are read anew and the change is tried again. */
  | { type: 'command-failed'; command: string; answer: string }
  /** haproxy.cfg could not be written (full disk): endpoints still change, ports do not. */
  | { type: 'write-failed'; error: unknown }
  /** HAProxy answers (again): it was started, or died and came back. */
  | { type: 'connected'; pid: number }
  | { type: 'disconnected'; error?: unknown }
  /** The container could not be made or started. */
  | { type: 'process-failed'; error: unknown }
  | { type: 'network-failed'; network: NetworkId; error: unknown }
  /** Anything else; what was being done is tried again. */
  | { type: 'failed'; error: unknown }
  /** The whole list, whenever it changes. */
  | { type: 'conflicts'; conflicts: EdgeConflict[] }

/** The edge now. */
export interface EdgeStatus {
  /** HAProxy answers and has the newest catalog. */
  serving: boolean
  /** Ports that the edge listens on. */
  ports: number[]
  backends: number
  servers: number
  networks: number
  conflicts: EdgeConflict[]
}
