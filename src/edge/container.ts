import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { EDGE_DIR, LABEL, MusterError, NETNS_DIR } from '../base/index.ts'
import type { NetworkId } from '../catalog/index.ts'
import type { ContainerInspectResponse, Engine } from '../engine/index.ts'
import { bindHostNamespace } from './host-namespace.ts'
import { ADMIN_SOCKET, CONFIG_FILE, type EdgeProcess, type NetworkFailure } from './process.ts'
import { EDGE_SYSCTLS } from './tunables.ts'

const CONTAINER = 'muster-edge'
const MOUNTED_DIR = '/etc/edge'
/** Name under /var/run/netns in the container; see host-namespace.ts. */
const NAMESPACE = 'host'

/**
 * Runs HAProxy, and again 0.1 s after it has died: the container keeps its networks, which to join anew
 * would take longer than all the rest. SIGUSR2 (load the file anew) is passed on.
 */
export const superviseHaproxy = (configFile: string): string =>
  [
    "trap 'kill -USR2 $pid' USR2",
    "trap 'ending=1; kill -TERM $pid' TERM",
    'while [ -z "$ending" ]; do',
    `  haproxy -W -db -f ${configFile} & pid=$!`,
    // A signal ends `wait`, not HAProxy.
    '  while kill -0 $pid 2>/dev/null; do wait $pid; done',
    '  [ -n "$ending" ] || sleep 0.1',
    'done',
  ].join('\n')

/** How the container is made: whatever differs from this is made anew. */
export const edgeContainerSpec = (image: string): Record<string, unknown> => ({
  Image: image,
  // By number: the image may know no names. HAProxy itself goes on as another user where it can
  // (haproxy-config.ts).
  User: '0',
  Entrypoint: ['sh', '-c', superviseHaproxy(`${MOUNTED_DIR}/${CONFIG_FILE}`)],
  Cmd: [],
  StopSignal: 'SIGTERM',
  Healthcheck: { Test: ['NONE'] },
  HostConfig: {
    // A network of its own, so that no stack's network can keep it from starting.
    NetworkMode: 'bridge',
    RestartPolicy: { Name: 'always' },
    Binds: [`${EDGE_DIR}:${MOUNTED_DIR}`, `${NETNS_DIR}:/var/run/netns:ro`],
    ReadonlyRootfs: true,
    SecurityOpt: ['no-new-privileges'],
    UsernsMode: 'host',
    CapDrop: ['ALL'],
    CapAdd: [
      // Listening in the host's network namespace, also on ports below 1024.
      'SYS_ADMIN',
      'NET_BIND_SERVICE',
      // Speaking to services under the addresses of clients.
      'NET_ADMIN',
      // Giving all of that up once it listens, and ending old workers, which have.
      'SETUID',
      'SETGID',
      'KILL',
    ],
    Sysctls: EDGE_SYSCTLS,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
  },
})

const specHash = (spec: Record<string, unknown>): string =>
  createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16)

const isNotFound = (error: unknown): boolean =>
  error instanceof MusterError && error.code === 'NOT_FOUND'

/**
 * HAProxy in a container of this host's engine, started by the agent and no part of the swarm. It is in
 * the overlay networks that it serves, and listens in the host's network namespace. Needs root, and
 * the mount and network namespaces of the host.
 */
export class EdgeContainer implements EdgeProcess {
  readonly dir = EDGE_DIR
  readonly render = {
    adminSocket: `${MOUNTED_DIR}/${ADMIN_SOCKET}`,
    namespace: NAMESPACE,
  }
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async ensure(image: string): Promise<'started' | 'running'> {
    const mounted = await bindHostNamespace(NETNS_DIR, NAMESPACE)
    await mkdir(EDGE_DIR, { recursive: true, mode: 0o700 })
    const spec = edgeContainerSpec(image)
    const hash = specHash(spec)
    const found = await this.#find()
    if (found?.Config?.Labels?.[LABEL.edge] === hash) {
      // True also between two tries of the restart policy.
      const running = found.State?.Running === true
      if (running && mounted === 'there') return 'running'
      if (await this.#startAgain(running)) return 'started'
    }
    // The old one serves until the new one can start.
    await this.#haveImage(image)
    await this.#remove()
    await this.#engine.createContainer(CONTAINER, { ...spec, Labels: { [LABEL.edge]: hash } })
    await this.#engine.startContainer(CONTAINER)
    return 'started'
  }

  /** False when it cannot run as it is, for example because a network of it is gone. */
  async #startAgain(running: boolean): Promise<boolean> {
    try {
      if (running) await this.restart()
      else await this.#engine.startContainer(CONTAINER)
      return true
    } catch (error) {
      if (error instanceof MusterError && error.code === 'ENGINE_UNREACHABLE') throw error
      return false
    }
  }

  async restart(): Promise<void> {
    await this.#engine.stopContainer(CONTAINER, { timeoutSeconds: 1 })
    await this.#engine.startContainer(CONTAINER)
  }

  async reload(): Promise<void> {
    await this.#engine.killContainer(CONTAINER, 'SIGUSR2')
  }

  async setNetworks(networks: readonly NetworkId[]): Promise<NetworkFailure[]> {
    const found = await this.#find()
    if (found === null) {
      throw new MusterError('NOT_FOUND', `The container ${CONTAINER} is gone.`)
    }
    const joined = new Set(
      Object.entries(found.NetworkSettings?.Networks ?? {}).flatMap(([name, network]) =>
        name === 'bridge' ? [] : (network.NetworkID ?? []),
      ),
    )
    const changes = [
      ...networks
        .filter((network) => !joined.has(network))
        .map((network) => ({ network, work: () => this.#join(network) })),
      ...[...joined.difference(new Set(networks))].map((network) => ({
        network,
        work: () => this.#leave(network),
      })),
    ]
    const failures: NetworkFailure[] = []
    for (const { network, work } of changes) {
      try {
        await work()
      } catch (error) {
        failures.push({ network, error })
      }
    }
    return failures
  }

  async #join(network: NetworkId): Promise<void> {
    await this.#engine.connectNetwork(network, CONTAINER)
  }

  async #leave(network: NetworkId): Promise<void> {
    try {
      await this.#engine.disconnectNetwork(network, CONTAINER, { force: true })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async remove(): Promise<void> {
    await this.#remove()
  }

  async #remove(): Promise<void> {
    try {
      await this.#engine.removeContainer(CONTAINER, { force: true })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async #find(): Promise<ContainerInspectResponse | null> {
    try {
      return await this.#engine.inspectContainer(CONTAINER)
    } catch (error) {
      if (isNotFound(error)) return null
      throw error
    }
  }

  async #haveImage(image: string): Promise<void> {
    try {
      await this.#engine.inspectImage(image)
    } catch (error) {
      if (!isNotFound(error)) throw error
      await this.#engine.pullImage(image)
    }
  }
}
