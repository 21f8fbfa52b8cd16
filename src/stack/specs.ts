import { LABEL } from '../base/index.ts'
import type { Service, Stack } from '../compose/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { renderedService, renderedSpec } from './rendered.ts'
import { checkKeys, type Problem } from './check.ts'
import { clusteredService, headSpec, withoutData } from './clustered.ts'
import { containerSpec } from './container-spec.ts'
import {
  isJob,
  placement,
  resources,
  restartPolicy,
  serviceMode,
  updateConfigs,
} from './deploy-spec.ts'
import type { Dependency } from '../leader/index.ts'
import type {
  DesiredService,
  DesiredStack,
  SwarmServiceSpec,
  SwarmTaskTemplate,
} from './desired.ts'
import { desiredFiles, type FileContents, type FileNames } from './files.ts'
import type { ImageRecipes } from './image-recipes.ts'
import { familiarImage, parseImage } from './image.ts'
import { serviceMounts } from './mounts.ts'
import { desiredNetworks } from './networks.ts'
import { attachments, containerNameNotes, linkAliases } from './attachments.ts'
import { isolationNotes, withModesAsNetworks } from './network-modes.ts'
import { withPreStartJobs } from './pre-start.ts'
import { servicePorts } from './ports.ts'
import type { RecipeFiles } from './recipe-files.ts'
import { tolerances } from './tolerance.ts'
import { httpRoutes, type MusterOptions, parseMusterOptions } from './x-muster.ts'

export interface SpecOptions {
  /** API version of the engine, `1.41`. */
  api: string
  /** Milliseconds before a task that ended is replaced, where the file says nothing. */
  restartDelayMs: number
  /** Content of the files that configs and secrets come from. */
  contents: FileContents
  /** Keys that the user accepts to lose (`--tolerate`). */
  tolerate?: readonly string[]
  /** Recipes that services can have. */
  recipes?: readonly Recipe[]
  /** Those that lie beside the Compose file. */
  recipeFiles?: RecipeFiles
  /** Those that images ask for, by key of the service. */
  imageRecipes?: ImageRecipes
}

/** The stack, or everything in the file that the cluster cannot do. */
export type SpecResult = { desired: DesiredStack; problems: [] } | { problems: Problem[] }

/** What a Compose project wants to exist in the cluster. Pure. */
export const toDesired = (written: Stack, options: SpecOptions): SpecResult => {
  const problems: Problem[] = []
  const musters = new Map(
    Object.entries(written.services).map(([key, service]) => [
      key,
      parseMusterOptions(key, service, problems),
    ]),
  )
  const tolerated = tolerances(written, musters, { flags: options.tolerate ?? [], problems })
  const checked = checkKeys(written, { api: options.api, tolerated })
  problems.push(...checked.problems)
  const notes = [...checked.notes, ...containerNameNotes(written), ...isolationNotes(written)]
  const stack = withPreStartJobs(withModesAsNetworks(written))
  const { files, names } = desiredFiles(stack, options.contents, problems)
  const shared: Shared = {
    stack,
    options,
    names,
    problems,
    notes,
    awaited: awaitedToComplete(stack),
    aliases: linkAliases(stack, problems),
  }
  const services = Object.entries(stack.services).map(([key, service]) =>
    desiredService(key, service, { ...shared, muster: musters.get(key) ?? {} }),
  )
  const networks = desiredNetworks(stack, { api: options.api, notes })
  if (problems.length > 0) return { problems }
  return { desired: { name: stack.name, networks, files, services, notes }, problems: [] }
}

interface Shared {
  stack: Stack
  options: SpecOptions
  names: FileNames
  problems: Problem[]
  notes: string[]
  /** Services whose completion others wait for. */
  awaited: ReadonlySet<string>
  /** More names of a service on its networks, from `links` of others. */
  aliases: ReadonlyMap<string, string[]>
}

const desiredService = (
  key: string,
  service: Service,
  shared: Shared & { muster: MusterOptions },
): DesiredService => {
  const { stack, options, problems, muster } = shared
  const mode = serviceMode(service, shared.awaited.has(key))
  const job = isJob(mode)
  const rendered = renderedService(key, service, {
    muster,
    config: (name) => configText(stack, name, options.contents),
    problems,
  })
  const clustered =
    rendered === undefined
      ? clusteredService(key, service, {
          muster,
          recipes: options.recipes ?? [],
          recipeFiles: options.recipeFiles ?? new Map(),
          imageRecipes: options.imageRecipes ?? new Map(),
          problems,
        })
      : undefined
  const written = serviceMounts(key, service, { stack, api: options.api, problems })
  const { kept: mounts, replaced } =
    clustered === undefined ? { kept: written, replaced: [] } : withoutData(written, clustered)
  if (replaced.length > 0) {
    shared.notes.push(
      `${key}: each member keeps its data in a volume of its own on its host; ${replaced.join(', ')} is not used.`,
    )
  }
  if (clustered !== undefined && service.healthcheck && !service.healthcheck.disable) {
    shared.notes.push(
      `${key}: its healthcheck is not used. Muster asks each member itself, and one that is busy joining must not be ended for it.`,
    )
  }
  const ports = servicePorts(key, service, { muster, problems })
  const image = imageOf(key, service, problems)
  const labels = ownLabels(key, service, problems)
  const template: SwarmTaskTemplate = {
    ContainerSpec: containerSpec(key, service, {
      stack,
      api: options.api,
      image: image.familiar,
      mounts,
      files: shared.names,
      problems,
    }),
    Resources: resources(service) ?? {},
    RestartPolicy: restartPolicy(service, {
      job,
      delay: options.restartDelayMs * 1e6,
      path: ['services', key],
      problems,
    }),
    Placement: placement(service),
    Networks: attachments(key, service, shared),
    ...(service.logging?.driver === undefined && service.logging?.options === undefined
      ? {}
      : {
          LogDriver: {
            ...(service.logging.driver === undefined ? {} : { Name: service.logging.driver }),
            ...(service.logging.options === undefined ? {} : { Options: service.logging.options }),
          },
        }),
  }
  const name = fullName(stack, key)
  if (clustered !== undefined && name.length > MAX_CLUSTER_NAME) {
    problems.push({
      path: ['services', key],
      message: `the service would be called ${name}; clustered services have names of at most ${MAX_CLUSTER_NAME} characters, so that their members' fit.`,
      hint: 'Give the stack a shorter name (-n), or the service.',
    })
  } else if (name.length > MAX_NAME) {
    problems.push({
      path: ['services', key],
      message: `the service would be called ${name}; Swarm takes names of at most ${MAX_NAME} characters.`,
      hint: 'Give the stack a shorter name (-n), or the service.',
    })
  }
  const endpointMode = service.deploy?.endpoint_mode
  const spec: SwarmServiceSpec = {
    Name: name,
    Labels: { ...labels, [LABEL.stack]: stack.name, [LABEL.image]: image.written },
    TaskTemplate: template,
    Mode: mode,
    ...(job ? {} : updateConfigs(service, mounts)),
    EndpointSpec: {
      ...(endpointMode === 'vip' || endpointMode === 'dnsrr' ? { Mode: endpointMode } : {}),
      ...(ports.swarm.length > 0 ? { Ports: ports.swarm } : {}),
    },
  }
  return {
    key,
    name,
    image: image.written,
    pin: service.pull_policy !== 'never',
    ports: ports.edge,
    http: httpRoutes(key, service, { muster, problems }),
    after: dependencies(key, service, shared),
    restartWith: Object.entries(service.depends_on ?? {})
      .filter(([name, each]) => each.restart === true && stack.services[name] !== undefined)
      .map(([name]) => fullName(stack, name)),
    spec:
      clustered !== undefined
        ? headSpec(spec, clustered)
        : rendered !== undefined
          ? renderedSpec(spec, rendered)
          : spec,
  }
}

const configText = (stack: Stack, name: string, contents: FileContents): string | null => {
  const config = stack.configs[name]
  return config?.content ?? contents.get(config?.file ?? '')?.toString() ?? null
}

/** The name of a service is a DNS label. */
const MAX_NAME = 63
/** Members and secrets have the name of their service and more. */
const MAX_CLUSTER_NAME = 40

const fullName = (stack: Stack, key: string): string => `${stack.name}_${key}`

const imageOf = (
  key: string,
  service: Service,
  problems: Problem[],
): { written: string; familiar: string } => {
  const written = service.image ?? ''
  const parsed = parseImage(written)
  // Without image there is build or a provider, which the table of keys refuses, or nothing.
  const refused = service.build !== undefined || service.provider !== undefined
  if (parsed === undefined && (written !== '' || !refused)) {
    problems.push({
      path: ['services', key, ...(written === '' ? [] : ['image'])],
      message:
        written === ''
          ? 'the service has no image.'
          : `"${written}" is not the name of an image (name:tag, or registry/name:tag).`,
    })
  }
  return { written, familiar: parsed === undefined ? written : familiarImage(parsed) }
}

/** `deploy.labels`, without any that Docker or Muster sets itself. */
const ownLabels = (key: string, service: Service, problems: Problem[]): Record<string, string> => {
  const labels = service.deploy?.labels ?? {}
  for (const name of Object.keys(labels)) {
    if (!name.startsWith('muster.') && !name.startsWith('com.docker.stack.')) continue
    problems.push({
      path: ['services', key, 'deploy', 'labels', name],
      message: `the label ${name} belongs to Muster or Docker and cannot be set by hand.`,
    })
  }
  return labels
}

const awaitedToComplete = (stack: Stack): Set<string> =>
  new Set(
    Object.values(stack.services).flatMap((service) =>
      Object.entries(service.depends_on ?? {})
        .filter(([, each]) => each.condition === 'service_completed_successfully')
        .map(([name]) => name),
    ),
  )

const dependencies = (key: string, service: Service, shared: Shared): Dependency[] =>
  Object.entries(service.depends_on ?? {}).flatMap(([name, each]) => {
    const target = shared.stack.services[name]
    if (target === undefined) return []
    return [
      {
        service: fullName(shared.stack, name),
        condition: each.condition,
        required: each.required,
      },
    ]
  })
