/** The Swarm service of one member, made from its head. Pure. */
import { LABEL } from '../base/index.ts'
import { type ClusterName, type HostId, type MemberId, memberHash } from '../catalog/index.ts'
import type { Mount, Service, ServiceSpec } from '../engine/index.ts'
import { type ContainerParts, outsideOf, type Recipe } from '../recipes/index.ts'

/** Where a member finds what is rendered for it. */
export const RUN_FOLDER = '/muster'
/** Name of the volume driver. */
export const VOLUME_DRIVER = 'muster'

export interface MemberPlace {
  cluster: ClusterName
  member: MemberId
  host: HostId
  /** False: stopped on purpose. */
  running: boolean
}

/** Secrets of the recipe by name: ids and names in the engine. */
export type MemberSecrets = ReadonlyMap<string, { id: string; name: string }>

/** Name of the data volume of a member. */
export const dataVolume = (member: MemberId): string => member
/** Name of the volume that files are rendered into. */
export const runVolume = (member: MemberId): string => `${member}.run`
/** Name of a secret that a recipe asks for; kept as long as the data. */
export const secretName = (cluster: ClusterName, name: string): string => `${cluster}.${name}`
/** Name of the config whose label is the ledger. */
export const ledgerName = (cluster: ClusterName): string => `muster.ledger.${cluster}`

/** `db-2` for the member `shop_db-2` of the stack `shop`. */
export const memberKey = (member: MemberId, stack: string | undefined): string =>
  stack !== undefined && member.startsWith(`${stack}_`) ? member.slice(stack.length + 1) : member

/** The spec of a member's service, as it is posted. */
export const memberSpec = (
  head: Service['Spec'],
  place: MemberPlace,
  {
    recipe,
    options,
    secrets,
  }: { recipe: Recipe; options: Record<string, unknown>; secrets: MemberSecrets },
): ServiceSpec => {
  const parts = recipe.container(options)
  const { TaskTemplate: template = {}, Labels: labels = {} } = head
  const stack = labels[LABEL.stack]
  const {
    [LABEL.recipe]: _recipe,
    [LABEL.recipeFrom]: _from,
    [LABEL.members]: _members,
    [LABEL.ports]: _ports,
    [LABEL.http]: _http,
    ...kept
  } = labels
  const restart = template.RestartPolicy ?? {}
  const container = template.ContainerSpec ?? {}
  const hash = memberHash(head)
  return {
    Name: place.member,
    Labels: { ...kept, [LABEL.cluster]: place.cluster, [LABEL.memberOf]: hash },
    Mode: { Replicated: { Replicas: place.running ? 1 : 0 } },
    TaskTemplate: {
      ...template,
      ContainerSpec: {
        ...container,
        ...containerParts(container, parts),
        ...NO_HEALTHCHECK,
        Hostname: container.Hostname || memberKey(place.member, stack),
        // Says of a task from which state of the head it was made.
        Labels: { ...container.Labels, [LABEL.memberOf]: hash },
        Mounts: [...(container.Mounts ?? []), ...memberMounts(place, recipe)],
        Secrets: [
          ...(container.Secrets ?? []),
          ...recipe.secrets.flatMap(({ name }) => {
            const secret = secrets.get(name)
            return secret === undefined
              ? []
              : [
                  {
                    SecretID: secret.id,
                    SecretName: secret.name,
                    File: { Name: name, UID: '0', GID: '0', Mode: 0o444 },
                  },
                ]
          }),
        ],
      },
      // A member is never given up: what keeps it from starting is said, not counted.
      RestartPolicy: {
        Condition: 'any',
        ...(restart.Delay === undefined ? {} : { Delay: restart.Delay }),
      },
      Placement: {
        ...(template.Placement?.Platforms === undefined
          ? {}
          : { Platforms: template.Placement.Platforms }),
        Constraints: [...(template.Placement?.Constraints ?? []), `node.id==${place.host}`],
      },
      Networks: (template.Networks ?? []).map((each) => ({
        ...each,
        // The head has no tasks, so Swarm tells nobody its name: its members do.
        Aliases: [
          ...new Set([...(each.Aliases ?? []), place.cluster, memberKey(place.member, stack)]),
        ],
      })),
    },
    // Whether it went well is the leader's to judge, not Swarm's.
    UpdateConfig: { Parallelism: 1, Order: 'stop-first', FailureAction: 'continue', Monitor: 1e9 },
    EndpointSpec: endpointSpec(outsideOf(recipe, options)?.ports ?? []),
  }
}

/**
 * Whether a member is well is for the recipe to say: the image's own check would have one ended that
 * takes long to join. The engine writes the key so; its description does not.
 */
const NO_HEALTHCHECK: object = { Healthcheck: { Test: ['NONE'] } }

/** Ports for members outside: each leads to the one member on that host. */
const endpointSpec = (ports: readonly number[]): NonNullable<ServiceSpec['EndpointSpec']> => ({
  Mode: 'vip',
  ...(ports.length === 0
    ? {}
    : {
        Ports: ports.map((port) => ({
          Protocol: 'tcp' as const,
          TargetPort: port,
          PublishedPort: port,
          PublishMode: 'host' as const,
        })),
      }),
})

type Container = NonNullable<NonNullable<ServiceSpec['TaskTemplate']>['ContainerSpec']>

/** What the recipe says, where the user has not said it. */
const containerParts = (own: Container, parts: ContainerParts): Container => {
  const env = new Map(
    [...Object.entries(parts.env).map(([key, value]) => `${key}=${value}`), ...(own.Env ?? [])].map(
      (each) => [each.split('=', 1)[0], each],
    ),
  )
  return {
    ...(parts.entrypoint === null ? {} : { Command: parts.entrypoint }),
    ...(parts.command === null ? {} : { Args: [...parts.command, ...(own.Args ?? [])] }),
    ...(env.size === 0 ? {} : { Env: [...env.values()] }),
    ...(parts.user === null || own.User ? {} : { User: parts.user }),
    StopGracePeriod: Math.max(own.StopGracePeriod ?? 0, parts.stopGraceMs * 1e6),
    ...(parts.stopSignal === null || own.StopSignal ? {} : { StopSignal: parts.stopSignal }),
    ...(parts.sysctls === undefined ? {} : { Sysctls: { ...parts.sysctls, ...own.Sysctls } }),
  }
}

const memberMounts = ({ cluster, member }: MemberPlace, recipe: Recipe): Mount[] => [
  {
    Type: 'volume',
    Source: dataVolume(member),
    Target: recipe.data,
    VolumeOptions: {
      // The image's own files there would look like data.
      NoCopy: true,
      DriverConfig: { Name: VOLUME_DRIVER, Options: { type: 'local', cluster, member } },
    },
  },
  {
    Type: 'volume',
    Source: runVolume(member),
    Target: RUN_FOLDER,
    ReadOnly: true,
    VolumeOptions: {
      NoCopy: true,
      DriverConfig: { Name: VOLUME_DRIVER, Options: { type: 'run', cluster, member } },
    },
  },
]
