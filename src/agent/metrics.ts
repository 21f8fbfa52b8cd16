import { createServer, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type HostState, REFUSALS } from '../catalog/index.ts'

/** Counts that are read off the agent's state when somebody asks. */
export interface Readings {
  endpoints: Record<string, number>
  hosts: Record<HostState, number>
  leader: boolean
  followers: number
  /** Catalog version that this host acts on. */
  version: number
}

/** What the agent counts. Prometheus names; every name begins with `muster_`. */
export const createMetrics = (read: () => Readings) => {
  const registers = [new Registry()]
  const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: `muster_${name}_total`, help, labelNames, registers })
  const gauge = <L extends string = never>(
    name: string,
    help: string,
    options: {
      labelNames?: L[]
      collect: (set: (value: number, labels?: Record<L, string>) => void) => void
    },
  ) =>
    new Gauge<L>({
      name: `muster_${name}`,
      help,
      labelNames: options.labelNames ?? [],
      registers,
      collect() {
        this.reset()
        options.collect((value, labels) =>
          labels ? this.set(labels as Partial<Record<L, string>>, value) : this.set(value),
        )
      },
    })
  gauge('endpoints', 'Endpoints in the catalog, by state.', {
    labelNames: ['state'],
    collect: (set) => {
      for (const [state, count] of Object.entries(read().endpoints)) set(count, { state })
    },
  })
  gauge('hosts', 'Hosts in the catalog, by state.', {
    labelNames: ['state'],
    collect: (set) => {
      for (const [state, count] of Object.entries(read().hosts)) set(count, { state })
    },
  })
  gauge('leader', '1 on the host that leads.', { collect: (set) => set(read().leader ? 1 : 0) })
  gauge('followers', 'Agents that follow this manager.', {
    collect: (set) => set(read().followers),
  })
  gauge('catalog_version', 'Version of the catalog that this host acts on.', {
    collect: (set) => set(read().version),
  })
  gauge('process_resident_memory_bytes', 'Memory of the agent.', {
    collect: (set) => set(process.memoryUsage.rss()),
  })
  gauge('process_cpu_seconds', 'Processor time of the agent since it started.', {
    collect: (set) => {
      const { user, system } = process.cpuUsage()
      set((user + system) / 1e6)
    },
  })
  const refused = counter('refused_connections', 'Connections and requests refused.', ['reason'])
  // Shown before the first: an alarm cannot watch what is not there.
  for (const reason of REFUSALS) refused.inc({ reason }, 0)
  return {
    registry: registers[0] as Registry,
    pushes: counter('pushes', 'Pushes of catalog changes to followers.'),
    pushSeconds: new Histogram({
      name: 'muster_push_seconds',
      help: 'From the first change in a push until all followers have been written to.',
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    resyncs: counter('resyncs', 'Catalogs sent or received whole instead of by changes.'),
    leaderChanges: counter('leader_changes', 'Times that another host began to lead.'),
    refused,
    corrupt: counter('corrupt_messages', 'Messages that made no sense.'),
    engineReconnects: counter('engine_reconnects', 'Times that the Docker Engine went away.'),
    streamEnds: counter('stream_ends', 'Streams between agents that ended.', ['reason']),
    edgeReloads: counter('edge_reloads', 'New configurations of the edge.'),
    edgeErrors: counter('edge_errors', 'Failures to bring the edge up to date.'),
    vipApplies: counter('vip_applies', 'Changes of virtual IP rules.'),
    vipErrors: counter('vip_errors', 'Failures to change virtual IP rules.'),
    overlayRepairs: counter(
      'overlay_repairs',
      'Ways to containers on other hosts that the engine had not given the kernel.',
    ),
    overlayErrors: counter('overlay_errors', 'Failures to look at overlay networks.'),
    volumeErrors: counter('volume_errors', 'Requests of Docker that the volume driver refused.', [
      'operation',
    ]),
    gateSeconds: new Histogram({
      name: 'muster_gate_seconds',
      help: 'How long members waited for permission to start, by how it ended.',
      labelNames: ['outcome'],
      buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100],
      registers,
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

/** Serves them over plain HTTP, read only. Rejects if the port cannot be had. */
export const serveMetrics = async (
  registry: Registry,
  listen: { port: number; address: string },
): Promise<Server> => {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000 },
    (request, response) => {
      if (request.method !== 'GET') response.writeHead(405, { Allow: 'GET' }).end()
      else if (request.url !== '/metrics') response.writeHead(404).end()
      else void sendMetrics(registry, response)
    },
  )
  server.timeout = 10_000
  server.maxConnections = 100
  server.listen(listen.port, listen.address)
  await once(server, 'listening')
  return server
}

/** Answers with all metrics as text. */
export const sendMetrics = async (registry: Registry, response: ServerResponse): Promise<void> => {
  const text = await registry.metrics()
  response.writeHead(200, { 'Content-Type': registry.contentType }).end(text)
}
