import { LABEL, ignoreMissing, type Clock, MusterError } from '../base/index.ts'
import type { Engine, SecretSpec, Service, ServiceSpec } from '../engine/index.ts'
import { canonicalSpec } from './canonical.ts'
import type { Current } from './current.ts'
import { type Dependency, HOLD_CONSTRAINT, LOST_CONSTRAINT } from '../leader/index.ts'
import type { DesiredFile, SettledService, SwarmServiceSpec } from './desired.ts'
import type { Operation, UpdateService } from './operations.ts'
import { baseName } from './files.ts'

/** What operations need to execute themselves. Ids are added as things are made. */
export interface ExecuteContext {
  engine: Engine
  clock: Clock
  /** Ids by name. */
  networks: Map<string, string>
  files: Map<string, string>
  /** Credentials for the registry of an image, as the engine takes them; undefined: none. */
  registryAuth: (image: string) => string | undefined
}

/** The context of one deployment: its ids are those of `current`. */
export const executeContext = (
  tools: Pick<ExecuteContext, 'engine' | 'clock' | 'registryAuth'>,
  current: Current,
): ExecuteContext => ({
  engine: tools.engine,
  clock: tools.clock,
  registryAuth: tools.registryAuth,
  networks: new Map(current.networks.map((each) => [each.Name, each.Id])),
  files: new Map([
    ...current.configs.map((each) => [`config ${each.Spec.Name}`, each.ID] as const),
    ...current.secrets.map((each) => [`secret ${each.Spec.Name}`, each.ID] as const),
  ]),
})

/** Does one operation. Warnings of the engine come back as they are. */
export const execute = async (operation: Operation, context: ExecuteContext): Promise<string[]> => {
  const { engine } = context
  switch (operation.kind) {
    case 'create-network': {
      const { request, name } = operation.network
      context.networks.set(name, (await engine.createNetwork(request)).Id)
      return []
    }
    case 'create-file':
      context.files.set(
        `${operation.file.kind} ${operation.file.name}`,
        await createFile(engine, operation.file),
      )
      return []
    case 'create-service': {
      const spec = wireSpec(operation.service, context, { held: operation.held, forceUpdate: 0 })
      return (await engine.createService(spec, authFor(operation.service, context))).Warnings
    }
    case 'update-service':
      return updateService(operation, context)
    case 'recreate-service': {
      await engine.removeService(operation.id)
      const spec = wireSpec(operation.service, context, { held: operation.held, forceUpdate: 0 })
      return (await engine.createService(spec, authFor(operation.service, context))).Warnings
    }
    case 'remove-service':
      await ignoreMissing(engine.removeService(operation.id))
      return []
    case 'remove-network':
      await removeNetwork(engine, operation, context.clock)
      return []
  }
}

const createFile = async (engine: Engine, file: DesiredFile): Promise<string> => {
  const spec = fileSpec(file)
  return file.kind === 'config'
    ? (await engine.createConfig(spec)).ID
    : (await engine.createSecret(spec)).ID
}

/** A config or secret as it is posted. */
export const fileSpec = (file: DesiredFile): SecretSpec => ({
  Name: file.name,
  Labels: file.labels,
  ...(file.data === undefined ? {} : { Data: file.data }),
  ...(file.templateDriver === undefined ? {} : { Templating: { Name: file.templateDriver } }),
  ...(file.driver === undefined
    ? {}
    : { Driver: { Name: file.driver.name, Options: file.driver.options } }),
})

const authFor = (
  service: SettledService,
  context: ExecuteContext,
): { registryAuth: string } | undefined => {
  const auth = context.registryAuth(service.spec.TaskTemplate.ContainerSpec.Image ?? '')
  return auth === undefined ? undefined : { registryAuth: auth }
}

/** How often a refused update is tried with a newer version before somebody has to look. */
const ATTEMPTS = 10

/**
 * Updates a service if it still is what the plan was made for. Swarm counts a new version for its
 * own bookkeeping too, so a refused version alone is no conflict: another spec is.
 */
const updateService = async (
  operation: UpdateService,
  context: ExecuteContext,
): Promise<string[]> => {
  const { engine } = context
  const { service, id } = operation
  let { version, held } = operation
  for (let attempt = 1; ; attempt++) {
    const spec = wireSpec(service, context, { held, forceUpdate: operation.forceUpdate })
    try {
      return (await engine.updateService(id, version, spec, authFor(service, context))).Warnings
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'CONFLICT') throw error
      const now = await engine.inspectService(id)
      const same = canonicalJson(now, context) === operation.before
      if (!same || attempt === ATTEMPTS) {
        throw new MusterError(
          'CONFLICT',
          `Somebody else changed ${service.name} at the same time.`,
          { hint: 'Look at `muster plan` and run it again.', cause: error },
        )
      }
      version = now.Version.Index
      held = now.Spec.Labels?.[LABEL.after] !== undefined
    }
  }
}

const canonicalJson = (service: Service, context: ExecuteContext): string => {
  const networks = new Map([...context.networks].map(([name, id]) => [id, name]))
  return JSON.stringify(canonicalSpec(service.Spec, { networks }))
}

/** The spec as it is posted: ids for names, and held back if the service has to wait. */
export const wireSpec = (
  service: SettledService,
  context: Pick<ExecuteContext, 'networks' | 'files'>,
  options: { held: boolean; forceUpdate: number },
): ServiceSpec => {
  const movable = withLostConstraint(service.spec)
  const spec = options.held ? heldBack(movable, service.after) : movable
  const { Healthcheck: healthcheck, ...container } = spec.TaskTemplate.ContainerSpec
  const fileId = (kind: 'config' | 'secret', name: string): string => {
    const id = context.files.get(`${kind} ${name}`)
    if (id === undefined) {
      throw new MusterError('NOT_FOUND', `The ${kind} ${baseName(name)} is not in the cluster.`)
    }
    return id
  }
  const wire = {
    ...spec,
    TaskTemplate: {
      ...spec.TaskTemplate,
      ForceUpdate: options.forceUpdate,
      Networks: (spec.TaskTemplate.Networks ?? []).map((each) => ({
        ...each,
        Target: context.networks.get(each.Target ?? '') ?? each.Target ?? '',
      })),
      ContainerSpec: {
        ...container,
        // The API description's spelling; engines take either and give back the other.
        ...(healthcheck === undefined ? {} : { HealthCheck: healthcheck }),
        ...(container.Configs === undefined
          ? {}
          : {
              Configs: container.Configs.map((each) => ({
                ...each,
                ConfigID: fileId('config', each.ConfigName ?? ''),
              })),
            }),
        ...(container.Secrets === undefined
          ? {}
          : {
              Secrets: container.Secrets.map((each) => ({
                ...each,
                SecretID: fileId('secret', each.SecretName ?? ''),
              })),
            }),
      },
    },
  }
  return wire as ServiceSpec
}

/**
 * Members of a clustered service stay where their data are, and a global service has nowhere to go. The
 * constraint is no part of a plan: nobody wrote it, and canonicalSpec does not see it.
 */
const withLostConstraint = (spec: SwarmServiceSpec): SwarmServiceSpec => {
  const { Mode: mode, TaskTemplate: template } = spec
  const moves = mode?.Replicated !== undefined || mode?.ReplicatedJob !== undefined
  if (!moves || spec.Labels?.[LABEL.recipe] !== undefined) return spec
  const constraints = [...(template.Placement?.Constraints ?? []), LOST_CONSTRAINT]
  const placement = { ...template.Placement, Constraints: constraints }
  return { ...spec, TaskTemplate: { ...template, Placement: placement } }
}

/** No tasks yet, and what the leader has to know to give the service its tasks. */
const heldBack = (spec: SwarmServiceSpec, after: readonly Dependency[]): SwarmServiceSpec => {
  const { Mode: mode, TaskTemplate: template } = spec
  const replicas = mode?.ReplicatedJob?.TotalCompletions ?? mode?.Replicated?.Replicas
  const labels = { ...spec.Labels, [LABEL.after]: JSON.stringify(after) }
  if (replicas === undefined) {
    const constraints = [...(template.Placement?.Constraints ?? []), HOLD_CONSTRAINT]
    const placement = { ...template.Placement, Constraints: constraints }
    return { ...spec, Labels: labels, TaskTemplate: { ...template, Placement: placement } }
  }
  return {
    ...spec,
    Labels: { ...labels, [LABEL.replicas]: String(replicas) },
    Mode:
      mode?.ReplicatedJob === undefined
        ? { Replicated: { Replicas: 0 } }
        : { ReplicatedJob: { MaxConcurrent: 0, TotalCompletions: 0 } },
  }
}

const NETWORK_TIMEOUT_MS = 60_000
const NETWORK_RETRY_MS = 300

/**
 * Removes a network as soon as the last task and the last edge have left it. Swarm tells nobody when
 * that is (tasks and attachments have no events), so it is tried again.
 */
export const removeNetwork = async (
  engine: Engine,
  network: { id: string; name: string },
  clock: Clock,
): Promise<void> => {
  const deadline = clock.now() + NETWORK_TIMEOUT_MS
  for (;;) {
    try {
      await engine.removeNetwork(network.id)
      return await untilForgotten(engine, network.id, clock)
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      if (error.code === 'NOT_FOUND') return await untilForgotten(engine, network.id, clock)
      const inUse = /in use|active endpoints/i.test(error.message)
      if (!inUse) throw error
      if (clock.now() >= deadline) {
        throw new MusterError(
          'TIMEOUT',
          `The network ${network.name} is still in use after ${NETWORK_TIMEOUT_MS / 1000} s: ${error.message}`,
          { hint: `See who uses it: docker network inspect ${network.name}`, cause: error },
        )
      }
      await clock.sleep(NETWORK_RETRY_MS)
    }
  }
}

const FORGET_TIMEOUT_MS = 15_000

/**
 * An engine goes on listing a network that the cluster has removed while something local is still in
 * it, and the next deployment would take it for one that is there. The cluster has no more of it, so
 * it is not waited for without end.
 */
const untilForgotten = async (engine: Engine, id: string, clock: Clock): Promise<void> => {
  const deadline = clock.now() + FORGET_TIMEOUT_MS
  while ((await engine.listNetworks()).some((each) => each.Id === id)) {
    if (clock.now() >= deadline) return
    await clock.sleep(NETWORK_RETRY_MS)
  }
}
