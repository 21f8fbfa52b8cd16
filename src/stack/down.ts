import { type Clock, ignoreMissing, LABEL, MusterError, until } from '../base/index.ts'
import { headOf, isMemberService } from '../catalog/index.ts'
import type { Engine, Service, Task } from '../engine/index.ts'
import { removeNetwork } from './execute.ts'
import { notFound } from './names.ts'
import { scaleService } from './scale.ts'

/** Everything that a stack has in the cluster. */
export interface StackObjects {
  stack: string
  services: { id: string; name: string }[]
  /** Those of them that are clustered: their members are stopped in order. */
  heads: Service[]
  /** Services of members, with the name of their cluster. */
  members: { name: string; cluster: string }[]
  networks: { id: string; name: string }[]
  configs: string[]
  secrets: string[]
  /** Named volumes that its services mount; they stay. */
  volumes: string[]
}

/** What `down` removes. Throws NOT_FOUND if there is nothing of the stack. */
export const stackObjects = async (engine: Engine, stack: string): Promise<StackObjects> => {
  const filters = { label: [`${LABEL.stack}=${stack}`] }
  const [services, networks, configs, secrets] = await Promise.all([
    engine.listServices(filters),
    engine.listNetworks(filters),
    engine.listConfigs(filters),
    engine.listSecrets(filters),
  ])
  const found = {
    stack,
    services: services.map((each) => ({ id: each.ID, name: each.Spec.Name })),
    heads: services.filter((each) => each.Spec.Labels?.[LABEL.recipe] !== undefined),
    members: services
      .filter((each) => isMemberService(each.Spec))
      .map((each) => ({ name: each.Spec.Name, cluster: each.Spec.Labels?.[LABEL.cluster] ?? '' })),
    networks: networks
      .filter((each) => each.Scope === 'swarm')
      .map((each) => ({ id: each.Id, name: each.Name })),
    configs: configs.map((each) => each.ID),
    secrets: secrets.map((each) => each.ID),
    volumes: [
      ...new Set(
        services.flatMap((each) =>
          (each.Spec.TaskTemplate?.ContainerSpec?.Mounts ?? []).flatMap((mount) =>
            mount.Type === 'volume' && mount.Source ? [mount.Source] : [],
          ),
        ),
      ),
    ].sort(),
  }
  const parts = [found.services, found.networks, found.configs, found.secrets]
  if (parts.every((each) => each.length === 0)) {
    const others = (await engine.listServices()).map(
      (each) => each.Spec.Labels?.[LABEL.stack] ?? '',
    )
    throw notFound('stack', stack, others)
  }
  return found
}

export interface DownOptions {
  clock: Clock
  timeoutMs: number
  /** Tasks that are not gone yet. */
  onProgress: (left: number) => void
  /** Members of clustered services that still run, and what they do. */
  onMembers?: (text: string) => void
}

/** How long the members of a clustered service may take to stop in order. */
const ORDERLY_MS = 180_000
/** The leader's agent begins at once, if there is one. */
const LEADER_MS = 15_000

/**
 * Removes a stack: services, then, when the last task is gone, its configs, secrets and networks.
 * Volumes stay.
 */
export const removeStack = async (
  engine: Engine,
  objects: StackObjects,
  options: DownOptions,
): Promise<void> => {
  const { stack } = objects
  const removeServices = (services: StackObjects['services']) =>
    Promise.all(services.map((each) => ignoreMissing(engine.removeService(each.id))))
  if (objects.heads.length > 0) {
    // Clients first: a database is the last to go, and its last writer the last of all.
    const clustered = clusteredIds(objects, await engine.listServices(stackFilterOf(stack)))
    await removeServices(objects.services.filter((each) => !clustered.has(each.id)))
    await stopMembers(engine, objects, options)
  }
  await removeServices(
    (await engine.listServices(stackFilterOf(stack))).map((each) => ({
      id: each.ID,
      name: each.Spec.Name,
    })),
  )
  await until(
    `the tasks of ${stack} to stop`,
    async () => {
      const left = (await remaining(engine, stack)).length
      options.onProgress(left)
      return left === 0
    },
    {
      timeoutMs: options.timeoutMs,
      // Tasks have no events in Docker's API.
      intervalMs: 250,
      clock: options.clock,
      hint: `Run muster down ${stack} again to go on; docker service ps and muster ps show what still runs.`,
    },
  )
  await Promise.all([
    ...objects.configs.map((id) => removeWhenFree(() => engine.removeConfig(id), options.clock)),
    ...objects.secrets.map((id) => removeWhenFree(() => engine.removeSecret(id), options.clock)),
    ...objects.networks.map((network) => removeNetwork(engine, network, options.clock)),
  ])
}

const stackFilterOf = (stack: string) => ({ label: [`${LABEL.stack}=${stack}`] })

/** Heads and members. */
const clusteredIds = ({ heads }: StackObjects, services: readonly Service[]): Set<string> =>
  new Set(
    services
      .filter((each) => heads.some((head) => head.ID === each.ID) || isMemberService(each.Spec))
      .map((each) => each.ID),
  )

/**
 * Asks the leader to stop the members one after another, the writer last, and waits for it; not for
 * ever, and not for a leader whose agent does nothing.
 */
const stopMembers = async (
  engine: Engine,
  objects: StackObjects,
  options: DownOptions,
): Promise<void> => {
  const { clock } = options
  for (const service of objects.heads) {
    const from = headOf(service.Spec)?.members ?? 0
    if (from > 0) await scaleService(engine, { service, from, to: 0 })
  }
  const started = clock.now()
  let before = ''
  let movedAt = started
  for (;;) {
    const services = await engine.listServices(stackFilterOf(objects.stack))
    const members = services.filter((each) => isMemberService(each.Spec))
    const tasks = await remaining(engine, objects.stack)
    const left = members.filter(
      (each) =>
        each.Spec.Mode?.Replicated?.Replicas !== 0 ||
        tasks.some((task) => task.ServiceID === each.ID),
    )
    if (left.length === 0) return
    const text = left
      .map((each) => each.Spec.Name)
      .sort()
      .join(', ')
    if (text !== before) {
      before = text
      movedAt = clock.now()
      options.onMembers?.(text)
    }
    const now = clock.now()
    const begun =
      left.some((each) => each.Spec.Mode?.Replicated?.Replicas === 0) ||
      left.length < members.length
    if (now - started > ORDERLY_MS || (!begun && now - movedAt > LEADER_MS)) return
    await clock.sleep(200)
  }
}

/**
 * Tasks that still have a container. Those of a host that is lost cannot be waited for: they end
 * when it comes back.
 */
const remaining = async (engine: Engine, stack: string): Promise<Task[]> => {
  const [tasks, nodes] = await Promise.all([
    engine.listTasks({ label: [`${LABEL.stack}=${stack}`] }),
    engine.listNodes(),
  ])
  const lost = new Set(nodes.filter((node) => node.Status?.State === 'down').map((node) => node.ID))
  return tasks.filter(
    (task) => !ENDED.has(task.Status?.State ?? '') && !lost.has(task.NodeID ?? ''),
  )
}

const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'])

/** Swarm forgets who used a config a moment after the service is gone. */
const removeWhenFree = async (remove: () => Promise<void>, clock: Clock): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ignoreMissing(remove())
    } catch (error) {
      const busy = error instanceof MusterError && /in use/i.test(error.message)
      if (!busy || attempt === 20) throw error
      await clock.sleep(250)
    }
  }
}
