import { type Clock, LABEL, MusterError, until } from '../base/index.ts'
import type { Engine, Task } from '../engine/index.ts'
import { ignoreMissing, removeNetwork } from './execute.ts'
import { notFound } from './names.ts'

/** Everything that a stack has in the cluster. */
export interface StackObjects {
  stack: string
  services: { id: string; name: string }[]
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
}

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
  await Promise.all(objects.services.map((each) => ignoreMissing(engine.removeService(each.id))))
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
