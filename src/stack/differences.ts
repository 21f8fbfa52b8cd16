/**
 * Where a stack becomes something else than `docker stack deploy` makes of it, on purpose. The same
 * list is a section of docs/compose.md and what the comparison with Docker's own requests allows.
 */
import { LABEL } from '../base/index.ts'
import { UPDATE_MONITOR } from './deploy-spec.ts'
import { baseName } from './files.ts'

/** An API body, or a part of one, as plain data without defaults. */
export type Body = { [key: string]: unknown }

/** What a rewriting may know beside the two bodies. */
export interface About {
  /** A `.env` lies beside the file. */
  dotEnv: boolean
}

export interface Difference {
  /** What Muster does, and why; a sentence of docs/compose.md. */
  says: string
  /** Of which requests; `files` are the Compose files themselves. */
  of: 'files' | 'services' | 'networks' | 'configs and secrets'
  /**
   * Docker's body as Muster posts it. `ours` is asked only for what the file leaves open (a hash, a
   * port that nobody named). Services come in canonical form.
   */
  rewrite?: (theirs: Body, ours: Body, about: About) => Body
}

/** `value` with `change` of what is at `path`; untouched if nothing is there and nothing is made. */
const at = (value: Body, path: readonly string[], change: (old: unknown) => unknown): Body => {
  const [key = '', ...rest] = path
  const changed =
    rest.length === 0 ? change(value[key]) : at((value[key] ?? {}) as Body, rest, change)
  const { [key]: _, ...others } = value
  return isNothing(changed) ? others : { ...others, [key]: changed }
}

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

const get = (value: Body, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Body | undefined)?.[key], value)

const list = (value: unknown): Body[] => (Array.isArray(value) ? (value as Body[]) : [])

const CONTAINER = ['TaskTemplate', 'ContainerSpec'] as const

/** The ports in a service's label. */
const edgePorts = (service: Body): Body[] => {
  const label = get(service, 'Labels', LABEL.ports)
  return typeof label === 'string' ? (JSON.parse(label) as Body[]) : []
}

const ports = (theirs: Body, ours: Body): Body => {
  const all = list(get(theirs, 'EndpointSpec', 'Ports'))
  // In canonical form neither tcp nor ingress is said.
  const edge = all.filter((port) => port.Protocol === undefined && port.PublishMode === undefined)
  if (edge.length === 0) return theirs
  const chosen = edgePorts(ours)
  const label = edge.map((port, i) => ({
    published: port.PublishedPort ?? chosen[i]?.published,
    target: port.TargetPort,
    mode: 'tcp',
    proxyProtocol: false,
  }))
  const without = at(theirs, ['EndpointSpec', 'Ports'], () =>
    all.filter((port) => !edge.includes(port)),
  )
  return at(without, ['Labels', LABEL.ports], () => JSON.stringify(label))
}

/** Addresses of published ports, which Docker drops. */
const hostIps = (theirs: Body, ours: Body): Body => {
  const mine = edgePorts(ours)
  if (!mine.some((port) => port.hostIp !== undefined)) return theirs
  const ports = edgePorts(theirs).map((port, i) => ({ ...port, ...some(mine[i]?.hostIp) }))
  return at(theirs, ['Labels', LABEL.ports], () => JSON.stringify(ports))
}

const some = (hostIp: unknown): Body => (hostIp === undefined ? {} : { hostIp })

const updates = (theirs: Body, ours: Body): Body => {
  const policy = (key: string, action: string) => ({
    Parallelism: 1,
    Monitor: UPDATE_MONITOR,
    FailureAction: action,
    Order: get(ours, key, 'Order'),
    ...(theirs[key] as Body | undefined),
  })
  return {
    ...theirs,
    UpdateConfig: policy('UpdateConfig', 'rollback'),
    RollbackConfig: policy('RollbackConfig', 'pause'),
  }
}

/** The name that ours has for the same file, with the hash of its content. */
const hashed = (theirs: unknown, candidates: readonly unknown[]): unknown =>
  candidates.find((name) => baseName(String(name)) === theirs) ?? theirs

const fileNames = (theirs: Body, ours: Body): Body =>
  (
    [
      ['Configs', 'ConfigName'],
      ['Secrets', 'SecretName'],
    ] as const
  ).reduce((body, [group, key]) => {
    const names = list(get(ours, ...CONTAINER, group)).map((each) => each[key])
    return at(body, [...CONTAINER, group], (old) =>
      old === undefined
        ? undefined
        : list(old).map((each) => ({ ...each, [key]: hashed(each[key], names) })),
    )
  }, theirs)

const mountpoints = (theirs: Body, ours: Body): Body => {
  const made = new Set(
    list(get(ours, ...CONTAINER, 'Mounts'))
      .filter((mount) => (mount.BindOptions as Body | undefined)?.CreateMountpoint === true)
      .map((mount) => mount.Target),
  )
  return at(theirs, [...CONTAINER, 'Mounts'], (old) =>
    old === undefined
      ? undefined
      : list(old).map((mount) =>
          mount.Type === 'bind' && made.has(cleanTarget(mount.Target))
            ? at(mount, ['BindOptions', 'CreateMountpoint'], () => true)
            : mount,
        ),
  )
}

/** The same folder, with and without a slash at its end. */
const cleanTarget = (target: unknown): string => String(target).replace(/(?<=.)\/$/, '')

const mountTargets = (theirs: Body): Body =>
  at(theirs, [...CONTAINER, 'Mounts'], (old) =>
    old === undefined
      ? undefined
      : list(old).map((mount) => ({ ...mount, Target: cleanTarget(mount.Target) })),
  )

/** Variables that Docker left empty and `.env` sets. */
const dotEnv = (theirs: Body, ours: Body, { dotEnv }: About): Body => {
  if (!dotEnv) return theirs
  const mine = (get(ours, ...CONTAINER, 'Env') ?? []) as string[]
  return at(theirs, [...CONTAINER, 'Env'], (old) =>
    (old as string[] | undefined)?.map((variable) =>
      variable.endsWith('=')
        ? (mine.find((each) => each.startsWith(variable)) ?? variable)
        : variable,
    ),
  )
}

/** What Docker left of nested defaults, `${A:-${B:-c}}`. */
const nested = (theirs: Body, ours: Body): Body => {
  const mine = (get(ours, ...CONTAINER, 'Env') ?? []) as string[]
  return at(theirs, [...CONTAINER, 'Env'], (old) =>
    (old as string[] | undefined)?.map((variable) => {
      const name = /^([^=]+=)\$\{.*\}$/.exec(variable)?.[1]
      return (name && mine.find((each) => each.startsWith(name))) || variable
    }),
  )
}

export const DIFFERENCES: readonly Difference[] = [
  {
    says: 'A file that `docker compose` refuses is refused, also where `docker stack deploy` ignores the key that is wrong.',
    of: 'files',
  },
  {
    says: '`.env` beside the file is read, as `docker compose` does.',
    of: 'services',
    rewrite: dotEnv,
  },
  {
    says: 'Nested defaults (`${A:-${B:-c}}`) are substituted; Docker sends half of their text.',
    of: 'services',
    rewrite: nested,
  },
  {
    says: "TCP ports are served by the edge of every host, not by Swarm's routing mesh: they are in a label, and `EndpointSpec.Ports` has only `mode: host` and UDP ports.",
    of: 'services',
    rewrite: ports,
  },
  {
    says: '`depends_on` is kept: a service that waits is posted without replicas and with a label that says what for.',
    of: 'services',
    rewrite: (theirs, ours) => (ours.Held === true ? { ...theirs, Held: true } : theirs),
  },
  {
    says: 'A failed update goes back by itself, and a service that keeps nothing of its own starts the new task before it stops the old one. `update_config` and `rollback_config` override that.',
    of: 'services',
    rewrite: updates,
  },
  {
    says: 'A restart waits 1 s (`muster init --restart-delay`), not 5 s; `restart_policy.delay` overrides that.',
    of: 'services',
    rewrite: (theirs) =>
      at(theirs, ['TaskTemplate', 'RestartPolicy', 'Delay'], (old) => old ?? 1_000_000_000),
  },
  {
    says: 'The address of a published TCP port is kept: only edges of hosts that have it listen, on it alone.',
    of: 'services',
    rewrite: hostIps,
  },
  {
    says: 'The folder of a bind mount is made where it is missing (short form, or `create_host_path`), if the engine has API 1.42.',
    of: 'services',
    rewrite: mountpoints,
  },
  {
    says: 'A slash at the end of a mount target is left out, as `docker compose` does.',
    of: 'services',
    rewrite: mountTargets,
  },
  {
    says: 'A service refers to configs and secrets by names with a hash of their content.',
    of: 'services',
    rewrite: fileNames,
  },
  {
    says: 'Configs and secrets carry a hash of their content in their name and in a label, so that new content is a new object; old ones go when none of the ten newest revisions needs them.',
    of: 'configs and secrets',
    rewrite: (theirs, ours) => ({
      ...at(theirs, ['Labels', LABEL.content], () => get(ours, 'Labels', LABEL.content)),
      Name: hashed(theirs.Name, [ours.Name]),
    }),
  },
  {
    says: 'Networks are attachable, so that the edges can join them.',
    of: 'networks',
    rewrite: (theirs) => ({ ...theirs, Attachable: true }),
  },
]
