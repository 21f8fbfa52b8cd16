import type { EdgeConfig, EdgeServer } from './config.ts'
import type { Departure } from './departure.ts'

/**
 * What a server of a running HAProxy may do.
 * - `ready`: takes connections
 * - `drain`: finishes its open ones
 * - `maint`: none; can be deleted once its last connection is closed
 */
export type AdminState = 'ready' | 'drain' | 'maint'

/** A server as it is in a running HAProxy. */
export interface LiveServer {
  address: string
  port: number
  state: AdminState
}

/** Servers of a running HAProxy, by backend name and server name. */
export type LiveServers = ReadonlyMap<string, ReadonlyMap<string, LiveServer>>

/** One step of a change at run time. Each can be repeated without harm, but for `add`. */
export type RuntimeStep =
  | { verb: 'add'; backend: string; server: EdgeServer }
  | { verb: 'move'; backend: string; server: EdgeServer }
  | { verb: 'ready' | 'drain' | 'maint' | 'shutdown' | 'delete'; backend: string; name: string }

export interface ReconcileInput {
  live: LiveServers
  wanted: EdgeConfig
  /** Why a server that is not wanted left its backend. */
  departure: (backend: string, name: string) => Departure
  /** Whether a server has no open connection, so that a drained one may be deleted. */
  idle: (backend: string, name: string) => boolean
}

/** Steps are ordered so that replacements are there before anything is taken away. */
const ORDER = ['add', 'move', 'ready', 'drain', 'maint', 'shutdown', 'delete'] as const

/**
 * The steps that bring the servers of a running HAProxy to what is wanted. Backends that HAProxy does
 * not have are left out: they need a reload, which brings their servers along.
 */
export const reconcile = (input: ReconcileInput): RuntimeStep[] => {
  const steps: RuntimeStep[] = []
  const wanted = new Map(input.wanted.backends.map((backend) => [backend.name, backend.servers]))
  for (const [backend, live] of input.live) {
    const servers = wanted.get(backend) ?? []
    const names = new Set(servers.map((server) => server.name))
    for (const server of servers) steps.push(...arrive(backend, live.get(server.name), server))
    for (const [name, server] of live) {
      if (!names.has(name)) steps.push(...leave(input, { backend, name }, server))
    }
  }
  return steps.sort((a, b) => ORDER.indexOf(a.verb) - ORDER.indexOf(b.verb))
}

const arrive = (
  backend: string,
  live: LiveServer | undefined,
  server: EdgeServer,
): RuntimeStep[] => {
  if (live === undefined) return [{ verb: 'add', backend, server }]
  const moved = live.address !== server.address || live.port !== server.port
  return [
    ...(moved ? [{ verb: 'move' as const, backend, server }] : []),
    ...(live.state === 'ready' ? [] : [{ verb: 'ready' as const, backend, name: server.name }]),
  ]
}

const leave = (
  input: ReconcileInput,
  { backend, name }: { backend: string; name: string },
  server: LiveServer,
): RuntimeStep[] => {
  const step = (verb: 'drain' | 'maint' | 'shutdown' | 'delete') => ({ verb, backend, name })
  if (server.state === 'maint') return input.idle(backend, name) ? [step('delete')] : []
  if (input.departure(backend, name) === 'lost') {
    return [step('maint'), step('shutdown'), step('delete')]
  }
  if (server.state === 'ready') return [step('drain')]
  return input.idle(backend, name) ? [step('maint'), step('delete')] : []
}

/** What a step that succeeded does to the servers. `shutdown` ends connections only. */
export const applyStep = (
  servers: Map<string, Map<string, LiveServer>>,
  step: RuntimeStep,
): void => {
  const backend = servers.get(step.backend)
  if (backend === undefined) return
  switch (step.verb) {
    case 'add': {
      const { address, port } = step.server
      backend.set(step.server.name, { address, port, state: 'ready' })
      return
    }
    case 'move': {
      const { name, address, port } = step.server
      const server = backend.get(name)
      if (server !== undefined) backend.set(name, { ...server, address, port })
      return
    }
    case 'ready':
    case 'drain':
    case 'maint': {
      const server = backend.get(step.name)
      if (server !== undefined) backend.set(step.name, { ...server, state: step.verb })
      return
    }
    case 'delete':
      backend.delete(step.name)
      return
    case 'shutdown':
      return
  }
}
