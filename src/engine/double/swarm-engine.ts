import type { SwarmApi } from '../engine.ts'
import { messageOf } from '../../base/index.ts'
import { giveBack } from './control/allocator.ts'
import { isJob } from './control/service-mode.ts'
import type { Facade } from './facade.ts'
import { applyFilters, type Matchers, matchesLabel, withAllLabels } from './filters.ts'
import { containerLogs } from './logs.ts'
import { checkChange, normaliseService, plain } from './normalise.ts'
import { showCluster, showConfig, showNode, showSecret, showService, showTask } from './present.ts'
import type {
  ConfigRecord,
  NodeRecord,
  SecretRecord,
  ServiceRecord,
  TaskRecord,
} from './records.ts'
import { isWanted } from './states.ts'
import type { Filters, ServiceSpec } from '../types.ts'

const MEMBERS = ['config', 'secret'] as const
type Blob = (typeof MEMBERS)[number]

const serviceMatchers: Matchers<ServiceRecord> = {
  id: ({ id }, wanted) => id.startsWith(wanted),
  name: ({ spec }, wanted) => spec.Name.startsWith(wanted),
  label: ({ spec }, wanted) => matchesLabel(spec.Labels, wanted),
  mode: ({ spec }, wanted) => (spec.Mode?.Global === undefined) === (wanted === 'replicated'),
}
const nodeMatchers: Matchers<NodeRecord> = {
  id: ({ id }, wanted) => id.startsWith(wanted),
  name: ({ hostname }, wanted) => hostname.startsWith(wanted),
  'node.label': ({ spec }, wanted) => matchesLabel(spec.Labels, wanted),
  role: ({ spec }, wanted) => spec.Role === wanted,
  membership: (_node, wanted) => wanted === 'accepted',
}
const blobMatchers: Matchers<ConfigRecord | SecretRecord> = {
  id: ({ id }, wanted) => id.startsWith(wanted),
  name: ({ spec }, wanted) => spec.Name.startsWith(wanted),
  label: ({ spec }, wanted) => matchesLabel(spec.Labels, wanted),
}

/** SwarmApi of one host of the double. */
export const swarmEngine = (facade: Facade): SwarmApi => {
  const { store, world } = facade
  const cluster = () => {
    const [only] = store.all('cluster')
    if (only === undefined) throw new Error('a manager without a cluster')
    return only
  }

  const referencesOf = () => ({
    network: (wanted: string) =>
      store.all('network').find(({ id, name }) => id === wanted || name === wanted),
    hasConfig: (id: string) => store.get('config', id) !== undefined,
    hasSecret: (id: string) => store.get('secret', id) !== undefined,
  })
  const checked = <T>(doing: string, check: () => T): T => {
    try {
      return check()
    } catch (error) {
      throw facade.refuse(400, messageOf(error), doing)
    }
  }

  const listBlobs = (kind: Blob, filters: Filters | undefined) => {
    const doing = `list ${kind}s`
    facade.manage(doing)
    const all: (ConfigRecord | SecretRecord)[] = store.all(kind)
    const found = applyFilters(all, filters, { matchers: blobMatchers, doing })
    return withAllLabels(found, filters, ({ spec }) => spec.Labels)
  }
  const createBlob = (kind: Blob, given: ConfigRecord['spec'] | { Name?: string }) => {
    const spec = { Labels: {}, ...plain(given), Name: given.Name ?? '' }
    const doing = `create ${kind} ${spec.Name}`
    facade.manage(doing)
    if (spec.Name === '') throw facade.refuse(400, 'name must be provided', doing)
    if (store.all(kind).some((other) => other.spec.Name === spec.Name)) {
      throw facade.refuse(409, `${kind} ${spec.Name} already exists`, doing)
    }
    return { ID: store.create(kind, world.random.id(), { spec }).id }
  }
  const removeBlob = (kind: Blob, wanted: string) => {
    const doing = `remove ${kind} ${wanted}`
    facade.manage(doing)
    const { id, spec } = facade.find(kind, wanted, doing)
    const users = store
      .all('service')
      .filter((service) => refersTo(service.spec, kind, id))
      .map((service) => service.spec.Name)
    if (users.length > 0) {
      const services = `service${users.length > 1 ? 's' : ''}: ${users.join(', ')}`
      const text = `${kind} '${spec.Name}' is in use by the following ${services}`
      throw facade.refuse(400, text, doing)
    }
    store.remove(kind, id)
  }

  const taskMatchers: Matchers<TaskRecord> = {
    id: ({ id }, wanted) => id.startsWith(wanted),
    name: ({ serviceName }, wanted) => serviceName.startsWith(wanted),
    label: ({ serviceLabels }, wanted) => matchesLabel(serviceLabels, wanted),
    service: ({ serviceId }, wanted) =>
      facade.find('service', wanted, 'list tasks').id === serviceId,
    node: ({ nodeId }, wanted) => facade.find('node', wanted, 'list tasks').id === nodeId,
    'desired-state': ({ desired }, wanted) =>
      wanted === 'running' ? isWanted(desired) : desired === wanted,
  }

  return {
    inspectSwarm: async () => {
      facade.manage('read the cluster')
      return showCluster(cluster())
    },
    updateSwarm: async (version, spec) => {
      const doing = 'change the cluster'
      facade.manage(doing)
      facade.compareAndSwap(doing, () =>
        store.update('cluster', cluster().id, { version, spec: plain(spec) }),
      )
    },
    listNodes: async (filters) => {
      facade.manage('list hosts')
      const how = { matchers: nodeMatchers, doing: 'list hosts' }
      return applyFilters(store.all('node'), filters, how).map(showNode)
    },
    inspectNode: async (id) => {
      facade.manage(`read host ${id}`)
      return showNode(facade.find('node', id, `read host ${id}`))
    },
    updateNode: async (id, version, spec) => {
      const doing = `change host ${id}`
      facade.manage(doing)
      const node = facade.find('node', id, doing)
      const managers = store.all('node').filter((other) => other.spec.Role === 'manager')
      if (node.spec.Role === 'manager' && spec.Role === 'worker' && managers.length === 1) {
        throw facade.refuse(400, 'attempting to demote the last manager of the swarm', doing)
      }
      facade.compareAndSwap(doing, () =>
        store.update('node', node.id, { version, spec: plain(spec) }),
      )
    },
    removeNode: async (id, { force = false } = {}) => {
      const doing = `remove host ${id}`
      facade.manage(doing)
      const node = facade.find('node', id, doing)
      if (node.spec.Role === 'manager') {
        const text = `node ${node.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`
        throw facade.refuse(400, text, doing)
      }
      if (node.state !== 'down' && !force) {
        throw facade.refuse(400, `node ${node.id} is not down and can't be removed`, doing)
      }
      world.cluster.removeNode(node.id)
    },

    listServices: async (filters) => {
      const doing = 'list services'
      facade.manage(doing)
      const how = { matchers: serviceMatchers, doing }
      const found = applyFilters(store.all('service'), filters, how)
      return withAllLabels(found, filters, ({ spec }) => spec.Labels).map(showService)
    },
    inspectService: async (id) => {
      facade.manage(`read service ${id}`)
      return showService(facade.find('service', id, `read service ${id}`))
    },
    createService: async (given) => {
      const doing = `create service ${given.Name ?? '(no name)'}`
      facade.manage(doing)
      const spec = checked(doing, () => normaliseService(given, referencesOf()))
      if (store.all('service').some((other) => other.spec.Name === spec.Name)) {
        const text = `name conflicts with an existing object: service ${spec.Name} already exists`
        throw facade.refuse(409, text, doing)
      }
      const { id } = store.create('service', world.random.id(), {
        spec,
        specVersion: 0,
        previous: undefined,
        virtualIps: [],
        updateStatus: undefined,
        job: isJob(spec) ? { iteration: 0, lastExecution: world.clock.wall() } : undefined,
      })
      return { ID: id, Warnings: [] }
    },
    // oxlint-disable-next-line max-params -- the contract's own
    updateService: async (wanted, version, given) => {
      const doing = `update service ${given.Name ?? wanted}`
      facade.manage(doing)
      const service = facade.find('service', wanted, doing)
      const spec = checked(doing, () => {
        const next = normaliseService(given, referencesOf())
        checkChange(service.spec, next)
        return next
      })
      facade.compareAndSwap(doing, () =>
        store.update('service', service.id, {
          version,
          spec,
          specVersion: service.specVersion + 1,
          previous: { spec: service.spec, specVersion: service.specVersion },
          updateStatus: undefined,
          job: nextJob(service, world.clock.wall()),
        }),
      )
      return { Warnings: [] }
    },
    removeService: async (wanted) => {
      const doing = `remove service ${wanted}`
      facade.manage(doing)
      const service = facade.find('service', wanted, doing)
      giveBack(store, service.virtualIps)
      store.remove('service', service.id)
    },

    listTasks: async (filters) => {
      const doing = 'list tasks'
      facade.manage(doing)
      // A service that is not there is an error even when there are no tasks at all.
      for (const wanted of filters?.['service'] ?? []) facade.find('service', wanted, doing)
      for (const wanted of filters?.['node'] ?? []) facade.find('node', wanted, doing)
      const found = applyFilters(store.all('task'), filters, { matchers: taskMatchers, doing })
      return withAllLabels(found, filters, ({ serviceLabels }) => serviceLabels).map((task) =>
        showTask(task, (id) => store.get('network', id)),
      )
    },
    async *taskLogs(id, options) {
      const doing = `read the logs of task ${id}`
      facade.manage(doing)
      const task = store.get('task', id)
      if (task === undefined) throw facade.refuse(404, `task ${id} not found`, doing)
      const host = task.nodeId === undefined ? undefined : world.cluster.hostOf(task.nodeId)
      const container = task.status.container && host?.containers.get(task.status.container.id)
      if (container !== undefined && host?.answers === true) {
        yield* containerLogs(container, options)
      }
    },

    listConfigs: async (filters) =>
      (listBlobs('config', filters) as ConfigRecord[]).map(showConfig),
    createConfig: async (spec) => createBlob('config', spec),
    updateConfig: async (wanted, version, given) => {
      const doing = `change config ${wanted}`
      facade.manage(doing)
      const config = facade.find('config', wanted, doing)
      const spec = { ...config.spec, ...plain(given) }
      if (spec.Data !== config.spec.Data || spec.Name !== config.spec.Name) {
        throw facade.refuse(400, 'only updates to Labels are allowed', doing)
      }
      facade.compareAndSwap(doing, () => store.update('config', config.id, { version, spec }))
    },
    removeConfig: async (wanted) => removeBlob('config', wanted),
    listSecrets: async (filters) =>
      (listBlobs('secret', filters) as SecretRecord[]).map(showSecret),
    createSecret: async (spec) => createBlob('secret', spec),
    removeSecret: async (wanted) => removeBlob('secret', wanted),
  }
}

/** A job runs again after every update, even of its labels alone. */
const nextJob = ({ job }: ServiceRecord, now: number): ServiceRecord['job'] =>
  job === undefined ? undefined : { iteration: job.iteration + 1, lastExecution: now }

const refersTo = ({ TaskTemplate }: ServiceSpec, kind: Blob, id: string): boolean => {
  const { Configs = [], Secrets = [] } = TaskTemplate?.ContainerSpec ?? {}
  return kind === 'config'
    ? Configs.some(({ ConfigID }) => ConfigID === id)
    : Secrets.some(({ SecretID }) => SecretID === id)
}
