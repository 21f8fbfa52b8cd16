import type { NetworkId } from '../catalog/index.ts'
import type { RenderOptions } from './haproxy-config.ts'

/**
 * Who runs HAProxy. The agent has it in a container (container.ts); tests run the plain process in a
 * network namespace. Every call has a time limit of its own.
 */
export interface EdgeProcess {
  /** Folder of haproxy.cfg and admin.sock, as the caller sees it. */
  readonly dir: string
  /** The same files as HAProxy sees them. */
  readonly render: RenderOptions
  /** Makes it run, with this image; `running`: it did already. haproxy.cfg is there by then. */
  ensure(image: string): Promise<'started' | 'running'>
  /** Ends and starts it again: it runs, but does not answer. */
  restart(): Promise<void>
  /** Makes it load haproxy.cfg anew without losing a connection. Returns before it has. */
  reload(): Promise<void>
  /**
   * Joins and leaves overlay networks until it is in these and no others. Tries every one; returns
   * those that did not work, with the reason.
   */
  setNetworks(networks: readonly NetworkId[]): Promise<NetworkFailure[]>
  /** Ends it for good and leaves nothing behind. */
  remove(): Promise<void>
}

export interface NetworkFailure {
  network: NetworkId
  error: unknown
}

/** File names in the folder that agent and HAProxy share. */
export const CONFIG_FILE = 'haproxy.cfg'
export const ADMIN_SOCKET = 'admin.sock'
