import { PassThrough } from 'node:stream'
import { MusterError } from '../../base/index.ts'
import type { ExecSession, HostApi } from '../engine.ts'
import type { HealthConfig } from '../types.ts'
import type { ExecResult } from './behaviour.ts'
import type { Container } from './container.ts'
import { giveBack } from './control/allocator.ts'
import { HOST_RESOURCES } from './control/scheduler.ts'
import type { Facade } from './facade.ts'
import { applyFilters, containerMatchers, withAllLabels } from './filters.ts'
import { imageDigestOf, imageIdOf } from './host.ts'
import { containerLogs } from './logs.ts'
import { plain } from './normalise.ts'
import { API_VERSION, ENGINE_VERSION, inspectContainer, showContainer } from './present.ts'

/** The parts of a container's body that the double understands. */
interface ContainerBody {
  Image?: string
  Cmd?: string[]
  Entrypoint?: string[]
  Env?: string[]
  Hostname?: string
  Labels?: Record<string, string>
  Healthcheck?: HealthConfig
}

/** HostApi of one host of the double. */
export const hostEngine = (facade: Facade): HostApi => {
  const { host, world, store } = facade
  const nameOf = (networkId: string) => store.get('network', networkId)?.name ?? networkId
  const find = (id: string, doing: string): Container => {
    facade.reach(doing)
    const container = host.find(id)
    if (container === undefined) throw facade.refuse(404, `No such container: ${id}`, doing)
    return container
  }
  const needImage = (image: string, doing: string) => {
    if (!host.images.has(image)) throw facade.refuse(404, `No such image: ${image}`, doing)
  }

  return {
    info: async () => {
      facade.reach('ask about this host')
      const { cluster } = world
      const node = cluster.nodeOf(host)
      const manager = cluster.isManager(host)
      const managers = store.all('node').filter(({ spec }) => spec.Role === 'manager')
      const running = [...host.containers.values()].filter(({ status }) => status === 'running')
      return {
        ID: imageIdOf(host.name).slice(7, 60),
        Name: host.name,
        Containers: host.containers.size,
        ContainersRunning: running.length,
        Images: host.images.size,
        DockerRootDir: '/var/lib/docker',
        ServerVersion: ENGINE_VERSION,
        OSType: 'linux',
        Architecture: 'x86_64',
        NCPU: HOST_RESOURCES.NanoCPUs / 1e9,
        MemTotal: HOST_RESOURCES.MemoryBytes,
        SystemTime: new Date(world.clock.wall()).toISOString(),
        Swarm: {
          NodeID: node?.id ?? '',
          NodeAddr: node === undefined ? '' : host.address,
          LocalNodeState: node === undefined ? 'inactive' : 'active',
          ControlAvailable: manager && cluster.hasQuorum(host),
          Error: '',
          RemoteManagers:
            node === undefined
              ? null
              : managers.map(({ id, address }) => ({ NodeID: id, Addr: `${address}:2377` })),
          ...(manager && { Nodes: store.all('node').length, Managers: managers.length }),
        },
      }
    },
    version: async () => {
      facade.reach('ask for the version')
      return { engine: ENGINE_VERSION, api: API_VERSION, minApi: '1.12' }
    },
    async *events({ since, filters = {}, signal, onOpen }) {
      facade.reach('follow events')
      if (signal.aborted) return
      const inbox = host.events.subscribe(filters, since)
      const end = () => inbox.close()
      signal.addEventListener('abort', end, { once: true })
      onOpen?.()
      try {
        for (;;) {
          const event = await inbox.next()
          if (event !== undefined) yield event
          else if (inbox.closed) return
        }
      } catch {
        facade.reach('follow events')
        throw new MusterError('ENGINE_UNREACHABLE', `Cannot follow events: connection lost`)
      } finally {
        signal.removeEventListener('abort', end)
        host.events.unsubscribe(inbox)
      }
    },
    listContainers: async ({ all = false, filters } = {}) => {
      const doing = 'list containers'
      facade.reach(doing)
      const anyState = all || filters?.['status'] !== undefined
      const containers = [...host.containers.values()]
        .filter(({ status }) => anyState || status === 'running')
        .toReversed()
        .map((container) => showContainer(container, nameOf))
      const found = applyFilters(containers, filters, { matchers: containerMatchers, doing })
      return withAllLabels(found, filters, ({ Labels }) => Labels)
    },
    inspectContainer: async (id) => inspectContainer(find(id, `read container ${id}`), nameOf),
    createContainer: async (name, body) => {
      const doing = `create container ${name}`
      facade.reach(doing)
      const {
        Image = '',
        Cmd,
        Entrypoint,
        Env,
        Hostname,
        Labels,
        Healthcheck,
      }: ContainerBody = body
      needImage(Image, doing)
      if ([...host.containers.values()].some(({ options }) => options.name === name)) {
        throw facade.refuse(409, `Conflict. The container name "/${name}" is already in use`, doing)
      }
      const container = host.create({
        name,
        image: Image,
        command: [...(Entrypoint ?? []), ...(Cmd ?? [])],
        env: Env ?? [],
        hostname: Hostname ?? '',
        labels: Labels ?? {},
        healthCheck: Healthcheck ?? world.behaviours.ofImage(Image).healthCheck,
        body: plain(body),
      })
      return { Id: container.id }
    },
    startContainer: async (id) => host.start(find(id, `start container ${id}`)),
    stopContainer: async (id, { timeoutSeconds = 10 } = {}) => {
      const container = find(id, `stop container ${id}`)
      host.stop(container, timeoutSeconds * 1000)
      await ended(container)
    },
    killContainer: async (id, signal = 'KILL') => {
      const doing = `kill container ${id}`
      const container = find(id, doing)
      if (container.status !== 'running') {
        throw facade.refuse(409, `Container ${id} is not running`, doing)
      }
      host.kill(container, signal)
    },
    removeContainer: async (id, { force = false } = {}) => {
      const doing = `remove container ${id}`
      const container = find(id, doing)
      if (container.status === 'running' && !force) {
        throw facade.refuse(409, `You cannot remove a running container ${id}`, doing)
      }
      host.remove(container)
      giveBack(store, standaloneAddresses(container))
    },
    async *containerLogs(id, options) {
      yield* containerLogs(find(id, `read the logs of container ${id}`), options)
    },
    createVolume: async ({ name, driver }) => {
      const doing = `create volume ${name}`
      facade.reach(doing)
      const old = host.volumes.get(name)
      if (old !== undefined && old !== driver) {
        throw facade.refuse(409, `volume ${name} already exists with driver ${old}`, doing)
      }
      host.volumes.set(name, driver)
    },
    removeVolume: async (name) => {
      const doing = `remove volume ${name}`
      facade.reach(doing)
      if (!host.volumes.delete(name)) {
        throw facade.refuse(404, `get ${name}: no such volume`, doing)
      }
    },
    exec: async (id, { command, tty = false, stdin = false }) => {
      const doing = `run ${command[0] ?? 'a command'} in container ${id}`
      const container = find(id, doing)
      if (container.status !== 'running') {
        throw facade.refuse(409, `Container ${id} is not running`, doing)
      }
      const answer = container.behaviour.exec ?? (() => ({ code: 0 }))
      const session = execSession((text) => answer(command, text), tty)
      if (!stdin) session.stdin.end()
      return session
    },
    pullImage: async (image, { onProgress } = {}) => {
      const doing = `pull ${image}`
      facade.reach(doing)
      if (world.behaviours.ofImage(image).missing === true) {
        throw facade.refuse(404, `manifest for ${image} not found`, doing)
      }
      onProgress?.(`Pulling from ${image}`)
      host.images.add(image)
    },
    inspectImage: async (image) => {
      const doing = `read image ${image}`
      facade.reach(doing)
      needImage(image, doing)
      const RepoDigests = [`${image}@${imageDigestOf(image)}`]
      return { Id: imageIdOf(image), RepoDigests, Labels: {} }
    },
    imageDigest: async (image) => {
      const doing = `ask the registry for ${image}`
      facade.reach(doing)
      if (world.behaviours.ofImage(image).missing === true) {
        throw facade.refuse(404, `manifest for ${image} not found`, doing)
      }
      return imageDigestOf(image)
    },
  }
}

const ended = (container: Container): Promise<void> =>
  new Promise((resolve) => {
    const look = () => {
      if (container.status === 'running') return
      unwatch()
      resolve()
    }
    const unwatch = container.watchLog(look)
    look()
  })

/** A task's addresses are the cluster's to give back. */
const standaloneAddresses = (container: Container) =>
  container.options.labels['com.docker.swarm.task.id'] === undefined
    ? [...container.attachments.values()].map(({ networkId, address, prefixLength }) => ({
        networkId,
        address: `${address}/${prefixLength}`,
      }))
    : []

/** Runs once stdin has ended, or at once if nothing is going to be sent. */
const execSession = (run: (stdin: string) => ExecResult, tty: boolean): ExecSession => {
  const stdin = new PassThrough()
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const finish = (text: string) => {
    const { code, stdout: out = '', stderr: err = '' } = run(text)
    stdout.end(tty ? out + err : out)
    stderr.end(tty ? '' : err)
    return code
  }
  const exited = (async () => {
    let text = ''
    for await (const chunk of stdin) text += String(chunk)
    return finish(text)
  })()
  return { stdin, stdout, stderr, exited, resize: async () => undefined }
}
