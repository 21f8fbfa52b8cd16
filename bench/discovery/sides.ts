/** The same five services three times: as Muster deploys them, and behind two well-known set-ups. */
import { until } from '../../src/base/index.ts'
import type { Engine } from '../../src/engine/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { on, untilRunning } from '../support.ts'
import { type Prober, type Target, proberHere, proberIn } from './prober.ts'

/** Services of each side: they start in turn and are stopped together. */
export const SERVICES = 5
/** Port of a balancer's first service, published and in its container. */
const FIRST_PORT = { muster: 8101, dns: 8201, serf: 8301, container: 8101 }
const service = (n: number): string => `app-${n + 1}`

/** Who runs what. The manager is the Raft leader, where commands are given. */
export interface Roles {
  lab: Lab
  manager: string
  /** Where containers start. */
  starter: string
  /** Where clients are, and what stands between them and the services. */
  observer: string
  /** Engine of the manager. */
  engine: Engine
}

/** One way to reach the services. */
export interface Path {
  name: string
  prober: Prober
  /** Address of service number n, 0 to SERVICES - 1. */
  target: (n: number) => Target
}

export interface Side {
  stack: string
  /** Full name of service number n, 0 to SERVICES - 1. */
  service: (n: number) => string
  deploy(roles: Roles, listenAfterMs: string): Promise<void>
  remove(roles: Roles): Promise<void>
  /** Clients of the deployed services. */
  paths(roles: Roles): Promise<Path[]>
}

const each = (line: (name: string, n: number) => string): string =>
  Array.from({ length: SERVICES }, (_, n) => line(service(n), n)).join('')

const pinned = (host: string) => `placement: { constraints: [node.hostname == ${host}] }`

const musterFile = ({ starter, observer }: Roles, listenAfterMs: string) => `
services:
${each(
  (name, n) => `  ${name}:
    image: registry:5000/bench/starter:1
    environment: { LISTEN_AFTER_MS: "${listenAfterMs}" }
    ports: [{ target: 8080, published: ${FIRST_PORT.muster + n}, app_protocol: http }]
    deploy: { replicas: 0, ${pinned(starter)} }
`,
)}  client:
    image: registry:5000/bench/starter:1
    deploy: { ${pinned(observer)} }
`

/** Without a balancer of the cluster, one container on the observer does the balancing. */
const plainFile = (
  { starter, observer }: Roles,
  options: { listenAfterMs: string; firstPort: number; balancer: string; command?: string },
) => `
version: "3.8"
services:
${each(
  (name) => `  ${name}:
    image: registry:5000/bench/starter:1
    ${options.command === undefined ? '' : `command: ["${options.command}"]`}
    environment: { LISTEN_AFTER_MS: "${options.listenAfterMs}", ROLE: "${name}" }
    deploy: { replicas: 0, endpoint_mode: dnsrr, ${pinned(starter)} }
`,
)}  balancer:
    image: registry:5000/bench/${options.balancer}:1
    ports: [${each((_, n) => `{ target: ${FIRST_PORT.container + n}, published: ${options.firstPort + n}, mode: host }, `)}]
    deploy: { endpoint_mode: dnsrr, ${pinned(observer)} }
`

const stackDeploy = async ({ lab, manager }: Roles, stack: string, file: string) => {
  const argv = ['docker', 'stack', 'deploy', '--detach=true', '-c', '-', stack]
  await on(lab, manager, { argv, input: file })
}

const stackRemove = async ({ lab, manager, engine }: Roles, stack: string) => {
  await on(lab, manager, ['docker', 'stack', 'rm', '--detach=false', stack])
  await until(
    `the network of ${stack} to be gone`,
    async () =>
      (await engine.listNetworks({ label: [`com.docker.stack.namespace=${stack}`] })).length === 0,
    { timeoutMs: 60_000 },
  )
}

/** Where the observer answers for the services. */
const published =
  ({ lab, observer }: Roles, firstPort: number) =>
  (n: number): Target => ({ host: lab.address(observer), port: firstPort + n })

export const MUSTER: Side = {
  stack: 'disco',
  service: (n) => `disco_${service(n)}`,
  deploy: async (roles, listenAfterMs) => {
    const argv = ['muster', 'up', '--yes', '-n', 'disco', '-f', '-']
    await on(roles.lab, roles.manager, { argv, input: musterFile(roles, listenAfterMs) })
    await untilRunning(roles.engine, 'disco_client', 1)
  },
  remove: async ({ lab, manager }) => {
    await on(lab, manager, ['muster', 'down', '--yes', 'disco'])
  },
  paths: async (roles) => [
    {
      name: 'Muster, edge of another host',
      prober: await proberHere(),
      target: published(roles, FIRST_PORT.muster),
    },
    { name: 'Muster, virtual IP', ...(await insideMuster(roles)) },
  ],
}

/** A client in the container of the stack's client, which asks the services' virtual IPs. */
const insideMuster = async ({ lab, engine, observer }: Roles) => {
  const services = await engine.listServices({ label: ['com.docker.stack.namespace=disco'] })
  const addresses = Array.from({ length: SERVICES }, (_, n) => {
    const found = services.find(({ Spec }) => Spec.Name === MUSTER.service(n))
    return found?.Endpoint?.VirtualIPs?.[0]?.Addr?.split('/')[0] ?? ''
  })
  const [task] = await engine.listTasks({ service: ['disco_client'], 'desired-state': ['running'] })
  const container = task?.Status?.ContainerStatus?.ContainerID ?? ''
  return {
    prober: await proberIn(lab, observer, container),
    target: (n: number): Target => ({ host: addresses[n] ?? '', port: 8080 }),
  }
}

export const DNS_POLLING: Side = {
  stack: 'dns',
  service: (n) => `dns_${service(n)}`,
  deploy: async (roles, listenAfterMs) => {
    const options = { listenAfterMs, firstPort: FIRST_PORT.dns, balancer: 'dns-haproxy' }
    await stackDeploy(roles, 'dns', plainFile(roles, options))
    await untilRunning(roles.engine, 'dns_balancer', 1)
  },
  remove: (roles) => stackRemove(roles, 'dns'),
  paths: async (roles) => [
    {
      name: 'HAProxy, Swarm DNS each 1 s',
      prober: await proberHere(),
      target: published(roles, FIRST_PORT.dns),
    },
  ],
}

export const SERF: Side = {
  stack: 'serf',
  service: (n) => `serf_${service(n)}`,
  deploy: async (roles, listenAfterMs) => {
    const options = {
      listenAfterMs,
      firstPort: FIRST_PORT.serf,
      balancer: 'serf-nginx',
      command: '/with-serf.sh',
    }
    await stackDeploy(roles, 'serf', plainFile(roles, options))
    await untilRunning(roles.engine, 'serf_balancer', 1)
  },
  remove: (roles) => stackRemove(roles, 'serf'),
  paths: async (roles) => [
    {
      name: 'serf, nginx reloaded',
      prober: await proberHere(),
      target: published(roles, FIRST_PORT.serf),
    },
  ],
}
