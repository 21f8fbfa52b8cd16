/** A lab: several virtual hosts on this machine, each with its own engine. */
import type { ExecResult } from './exec.ts'
import type { LabNetwork } from './network.ts'
import type { HostState } from './plan.ts'

/** Lines that say what is being done, before it is done. */
export type OnProgress = (line: string) => void

/** A host as `muster lab ls` shows it. */
export interface HostStatus {
  name: string
  state: HostState
  address: string
  /** Its engine answers. */
  docker: boolean
}

/** A lab as `muster lab ls` shows it. */
export interface LabStatus {
  name: string
  subnet: string
  /** The registry, as this machine reaches it. */
  registry: string
  hosts: HostStatus[]
}

/** A lab that is up. Disposing of it takes it down. */
export interface Lab extends AsyncDisposable {
  readonly name: string
  readonly hosts: readonly string[]
  readonly network: LabNetwork
  /** Address of a host, on the lab's network and from this machine. */
  address(host: string): string
  /** DOCKER_HOST of a host's engine, for use on this machine; changes with every start of the host. */
  dockerHost(host: string): string
  /** Where this machine sees a file of a running host; changes with every start of the host. */
  hostPath(host: string, path: string): string
  /** Runs a command on a host, with `muster` in its PATH. */
  exec(
    host: string,
    argv: readonly string[],
    options?: { timeoutMs?: number; input?: string; env?: Record<string, string> },
  ): Promise<ExecResult>
  /** Off the network, without the host's noticing. */
  cut(host: string): Promise<void>
  heal(host: string): Promise<void>
  /** The power cord. */
  kill(host: string): Promise<void>
  /** Power on; resolves when its engine answers. */
  start(host: string): Promise<void>
  status(): Promise<LabStatus>
  down(): Promise<void>
}
