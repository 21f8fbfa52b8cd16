/** The same service twice: as Muster deploys it, and as plain Swarm does at its best. */
import { until } from '../../src/base/index.ts'
import type { Engine } from '../../src/engine/index.ts'
import type { Lab, LoadOptions } from '../../src/lab/index.ts'
import { on, untilRunning } from '../support.ts'

type Target = Pick<LoadOptions, 'host' | 'port' | 'resolve'>

export interface Side {
  name: string
  edgeName: string
  insideName: string
  /** Full name of the service under load. */
  service: string
  deploy(lab: Lab): Promise<void>
  remove(lab: Lab): Promise<void>
  scale(lab: Lab, host: string, count: number): Promise<void>
  /** A rolling update to the other image. */
  update(lab: Lab, host: string): Promise<void>
  /** Waits until clients on any host are served by every replica. */
  settle(lab: Lab, engine: Engine): Promise<void>
  /** Where the two clients connect to, on the observer. */
  paths(
    lab: Lab,
    engine: Engine,
    observer: string,
  ): Promise<{ edge: Target; inside: Target; client: { host: string; id: string } }>
}

const WEB = (image: string) => `    image: registry:5000/bench/web:${image}
    stop_grace_period: 10s`

const musterFile = (image: string) => `
services:
  web:
${WEB(image)}
    ports: [{ target: 8080, published: 8000, app_protocol: http }]
    deploy:
      replicas: 6
      placement: { preferences: [{ spread: node.labels.spread }] }
  client:
    image: registry:5000/bench/web:1
    deploy: { mode: global }
`

const plainFile = (image: string) => `
version: "3.8"
services:
  web:
${WEB(image)}
    deploy:
      endpoint_mode: dnsrr
      replicas: 6
      placement: { preferences: [{ spread: node.labels.spread }] }
      update_config: { order: start-first }
  balancer:
    image: registry:5000/bench/resolver:1
    ports: [{ target: 8081, published: 8001, mode: host }]
    deploy: { mode: global }
`

const upFile = async (lab: Lab, host: string, file: string) => {
  await on(lab, host, {
    argv: ['muster', 'up', '--yes', '-n', 'bench', '-f', '-'],
    input: file,
  })
}
const stackDeploy = async (lab: Lab, host: string, file: string) => {
  await on(lab, host, {
    argv: ['docker', 'stack', 'deploy', '--detach=false', '-c', '-', 'plain'],
    input: file,
  })
}

let image = '1'
const otherImage = () => (image = image === '1' ? '2' : '1')

/** The container of a global service on one host. */
const containerOn = async (lab: Lab, host: string, service: string): Promise<string> =>
  until(
    `a container of ${service} on ${host}`,
    async () =>
      (
        await on(lab, host, [
          'docker',
          'ps',
          '-q',
          '--filter',
          `label=com.docker.swarm.service.name=${service}`,
        ])
      ).split('\n')[0] || undefined,
    { timeoutMs: 30_000 },
  )

export const MUSTER_STACK: Side = {
  name: 'muster',
  edgeName: 'Muster, edge',
  insideName: 'Muster, virtual IP',
  service: 'bench_web',
  deploy: (lab) => upFile(lab, lab.hosts[0] ?? '', musterFile(image)),
  remove: async (lab) => {
    await on(lab, lab.hosts[0] ?? '', ['muster', 'down', '--yes', 'bench'])
  },
  scale: async (lab, host, count) => {
    await on(lab, host, ['muster', 'scale', `bench_web=${count}`])
  },
  update: (lab, host) => upFile(lab, host, musterFile(otherImage())),
  settle: async (lab) => {
    for (const host of lab.hosts) {
      await until(
        `the agent of ${host} to know 6 endpoints`,
        async () => {
          const status = await lab.exec(host, ['muster', 'ps', 'bench', '--format', 'json'], {
            timeoutMs: 20_000,
          })
          if (status.exitCode !== 0) return false
          const rows = JSON.parse(status.stdout) as { service: string; serving: number }[]
          return rows.some((row) => row.service.endsWith('web') && row.serving === 6)
        },
        { timeoutMs: 60_000, intervalMs: 300 },
      )
    }
  },
  paths: async (lab, engine, observer) => {
    const web = await engine.inspectService('bench_web')
    const vip = web.Endpoint?.VirtualIPs?.[0]?.Addr?.split('/')[0] ?? ''
    return {
      edge: { host: lab.address(observer), port: 8000 },
      inside: { host: vip, port: 8080 },
      client: { host: observer, id: await containerOn(lab, observer, 'bench_client') },
    }
  },
}

export const PLAIN_STACK: Side = {
  name: 'plain',
  edgeName: 'plain Swarm, nginx',
  insideName: 'plain Swarm, DNS',
  service: 'plain_web',
  deploy: async (lab) => {
    await stackDeploy(lab, lab.hosts[0] ?? '', plainFile(image))
  },
  remove: async (lab) => {
    await on(lab, lab.hosts[0] ?? '', ['docker', 'stack', 'rm', 'plain'])
  },
  scale: async (lab, host, count) => {
    await on(lab, host, ['docker', 'service', 'scale', '--detach', `plain_web=${count}`])
  },
  update: (lab, host) => stackDeploy(lab, host, plainFile(otherImage())),
  settle: (lab, engine) => untilRunning(engine, 'plain_balancer', lab.hosts.length),
  paths: async (lab, _engine, observer) => ({
    edge: { host: lab.address(observer), port: 8001 },
    inside: { host: 'web', port: 8080, resolve: '127.0.0.11' },
    client: { host: observer, id: await containerOn(lab, observer, 'plain_balancer') },
  }),
}
