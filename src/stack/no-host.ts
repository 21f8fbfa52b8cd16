import type { Node, Service, Task } from '../engine/index.ts'
import { LOST_CONSTRAINT } from '../leader/index.ts'

/** Why Swarm finds no host for a task, and what to do. */
export interface NoHost {
  sentence: string
  advice: string
}

/** `no suitable node (insufficient resources on 3 nodes; ...)`, as the scheduler says it. */
export const isUnplaced = (task: Task): boolean =>
  task.Status?.State === 'pending' && /no suitable node/i.test(task.Status.Err ?? '')

interface Cluster {
  nodes: readonly Node[]
  /** Of every service: what they reserve is not free. */
  tasks: readonly Task[]
}

/**
 * In words, what the scheduler of Swarm says in numbers: which constraint no host meets, or how much
 * of what is missing where.
 */
export const explainNoHost = (
  name: string,
  { task, service }: { task: Task; service: Service },
  cluster: Cluster,
): NoHost => {
  const err = task.Status?.Err ?? ''
  const usable = cluster.nodes.filter(
    (node) => node.Status?.State === 'ready' && node.Spec.Availability === 'active',
  )
  if (/insufficient resources/i.test(err)) {
    const lack = explainResources(name, service, { nodes: usable, tasks: cluster.tasks })
    if (lack !== undefined) return lack
  }
  if (/scheduling constraints/i.test(err)) {
    const constraints = (service.Spec.TaskTemplate?.Placement?.Constraints ?? []).filter(
      (each) => each !== LOST_CONSTRAINT,
    )
    return {
      sentence: `${name} has no host: none that takes tasks meets ${constraints.map((each) => `"${each}"`).join(' and ')}.`,
      advice:
        'Change deploy.placement.constraints, or label a host (muster node label HOST KEY=VALUE).',
    }
  }
  if (/host-mode port already in use/i.test(err)) {
    const ports = (service.Spec.EndpointSpec?.Ports ?? [])
      .filter((port) => port.PublishMode === 'host')
      .map((port) => port.PublishedPort)
    return {
      sentence: `${name} has no host: port ${ports.join(', ')} (mode: host) is taken on every host it may use.`,
      advice: 'Have at most one replica on each host, or leave out mode: host.',
    }
  }
  if (/max replicas per node/i.test(err)) {
    return {
      sentence: `${name} has no host: every host has as many replicas as max_replicas_per_node allows.`,
      advice: 'Join a host, or raise deploy.placement.max_replicas_per_node.',
    }
  }
  if (/missing plugin|plugin/i.test(err)) {
    return {
      sentence: `${name} has no host: none has the volume, network or log driver that it needs.`,
      advice: `The scheduler says: ${err}`,
    }
  }
  if (/unsupported platform/i.test(err)) {
    return {
      sentence: `${name} has no host: none is of the platform that it asks for.`,
      advice: 'Change platform, or join such a host.',
    }
  }
  return usable.length === 0
    ? {
        sentence: `${name} has no host: no host is ready to take tasks.`,
        advice: 'See muster node ls; muster node activate HOST ends a drain.',
      }
    : { sentence: `${name} has no host: ${err}.`, advice: 'See muster node ls.' }
}

const explainResources = (name: string, service: Service, cluster: Cluster): NoHost | undefined => {
  const wanted = service.Spec.TaskTemplate?.Resources?.Reservations ?? {}
  for (const [field, label, show] of [
    ['MemoryBytes', 'memory', gib],
    ['NanoCPUs', 'cpus', cores],
  ] as const) {
    const asked = wanted[field] ?? 0
    if (asked === 0) continue
    const free = cluster.nodes
      .map((node) => ({
        host: node.Description?.Hostname ?? node.ID,
        free: (node.Description?.Resources?.[field] ?? 0) - reserved(node, field, cluster.tasks),
      }))
      .sort((a, b) => b.free - a.free)[0]
    if (free === undefined || free.free >= asked) continue
    const sideBySide = service.Spec.UpdateConfig?.Order === 'start-first'
    const order = sideBySide && service.UpdateStatus?.State === 'updating' ? ORDER : ''
    return {
      sentence: `${name} has no host: it reserves ${show(asked)} and the most that is free is ${show(Math.max(0, free.free))}, on ${free.host}.`,
      advice: `Free some (muster node ls shows what is reserved), lower deploy.resources.reservations.${label}, or join a host.${order}`,
    }
  }
  return undefined
}

const ORDER =
  ' An update that stops the old task first (update_config.order: stop-first) needs less.'

const reserved = (node: Node, field: 'MemoryBytes' | 'NanoCPUs', tasks: readonly Task[]): number =>
  tasks
    .filter((task) => task.NodeID === node.ID && task.DesiredState === 'running')
    .reduce((total, task) => total + (task.Spec?.Resources?.Reservations?.[field] ?? 0), 0)

const gib = (count: number): string => {
  const size = count / 2 ** 30
  return size >= 1 ? `${Number(size.toFixed(1))} GiB` : `${Math.round(count / 2 ** 20)} MiB`
}

const cores = (nano: number): string => `${Number((nano / 1e9).toFixed(2))} cores`
