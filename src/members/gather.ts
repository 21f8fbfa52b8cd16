/** What the leader knows of one clustered service, put together for a decision. Pure. */
import { LABEL } from '../base/index.ts'
import {
  type Catalog,
  type Head,
  type HostId,
  type Ledger,
  memberHash,
  reportsOf,
} from '../catalog/index.ts'
import type { Node, Service, Task } from '../engine/index.ts'
import { type Recipe, topologyOf } from '../recipes/index.ts'
import type { Facts, LeaderVerb, MemberHost, MemberService, Sighting } from './facts.ts'
import { foundersOf } from './founders.ts'
import { isRunning } from './member-services.ts'
import { allowedHosts } from './placement.ts'
import { showsPrimary } from './sight.ts'

/** What was read at one moment. */
export interface Reading {
  ledger: Ledger
  recipe: Recipe
  /** Null: there is no head any more. */
  head: { service: Service; head: Head } | null
  /** Of the members. */
  services: readonly Service[]
  /** Of those services. */
  tasks: readonly Task[]
  nodes: readonly Node[]
  catalog: Catalog
}

/** What only time tells, and a leader has to remember. */
export interface Remembered {
  now: number
  /** Milliseconds since the agent of a host was last heard, or since this leader began. */
  unheardFor: (host: HostId) => number
  /** Milliseconds for which Swarm has called a host down or drained. */
  awayFor: (host: HostId) => number
  quietFor: number
  writerIdleFor: number
  markedFor: number
}

export const gather = (reading: Reading, remembered: Remembered): Facts => {
  const { ledger, recipe, head, services, nodes, catalog } = reading
  const held = head?.service.Spec.Labels?.[LABEL.after] !== undefined
  // A head that waits for its dependencies asks for nobody yet.
  const wanted = head === null ? null : held ? 0 : head.head.members
  return {
    now: remembered.now,
    ledger,
    topology: topologyOf(recipe, head?.head.choice.options),
    verbs: verbsOf(recipe),
    wanted,
    founders: foundersOf(recipe, head?.head.choice.options ?? {}, wanted),
    sightings: sightingsOf(catalog, ledger.cluster),
    hosts: hostsOf(reading, remembered),
    services: services.map((service) =>
      serviceOf(service, {
        tasks: reading.tasks.filter((task) => task.ServiceID === service.ID),
        nodes,
        hash: head === null ? undefined : memberHash(head.service.Spec),
      }),
    ),
    quietFor: remembered.quietFor,
    writerIdleFor: remembered.writerIdleFor,
    markedFor: remembered.markedFor,
  }
}

const verbsOf = ({ verbs }: Recipe): ReadonlySet<LeaderVerb> =>
  new Set<LeaderVerb>([
    ...(['add', 'remove', 'settle'] as const).filter((verb) => verbs[verb] !== undefined),
    ...(verbs.writable === undefined ? [] : (['writable', 'readonly'] as const)),
  ])

export const sightingsOf = (catalog: Catalog, cluster: string): Sighting[] =>
  reportsOf(catalog, cluster).map((report) => {
    const state = catalog.hosts.get(report.host)?.state
    return {
      report,
      sight: state === 'alive' ? 'heard' : state === 'agentless' ? 'agentless' : 'silent',
    }
  })

const hostsOf = ({ head, nodes, catalog }: Reading, remembered: Remembered): MemberHost[] => {
  const allowed = new Set(
    (head === null ? [] : allowedHosts(head.service.Spec, nodes)).map((each) => each.ID),
  )
  return nodes.map((node) => {
    const id = node.ID
    return {
      id,
      name: node.Description?.Hostname ?? id,
      eligible: allowed.has(id) && takesTasks(node) && catalog.hosts.get(id)?.state === 'alive',
      unheardFor: remembered.unheardFor(id),
      awayFor: remembered.awayFor(id),
      leads: node.ManagerStatus?.Leader === true,
    }
  })
}

/** Swarm gives it tasks. */
export const takesTasks = (node: Node): boolean =>
  node.Spec.Availability === 'active' && node.Status?.State === 'ready'

const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'])

const serviceOf = (
  service: Service,
  what: { tasks: readonly Task[]; nodes: readonly Node[]; hash: string | undefined },
): MemberService => {
  const made = service.Spec.Labels?.[LABEL.memberOf]
  const running = isRunning(service)
  const down = new Set(
    what.nodes.filter((each) => each.Status?.State === 'down').map((each) => each.ID),
  )
  // A task of a lost host never ends: its own agent is the one to say what it does.
  const live = what.tasks.filter(
    (task) => !ENDED.has(task.Status?.State ?? '') && !down.has(task.NodeID ?? ''),
  )
  const fresh = (task: Task) =>
    task.Spec?.ContainerSpec?.Labels?.[LABEL.memberOf] === made &&
    (task.DesiredState === 'running' || task.DesiredState === 'ready')
  return {
    member: service.Spec.Name,
    running,
    current: what.hash === undefined || made === what.hash,
    updating: running
      ? live.some((task) => !fresh(task)) || (live.length === 0 && what.tasks.length === 0)
      : live.length > 0,
  }
}

/** Whether the ledger's writer takes traffic. */
export const hasReadyWriter = ({ ledger, catalog }: Pick<Reading, 'ledger' | 'catalog'>): boolean =>
  sightingsOf(catalog, ledger.cluster).some(
    ({ report, sight }) => sight === 'heard' && report.id === ledger.writer && report.ready,
  )

/** A member is heard that knows of a primary component. */
export const hasPrimary = ({ ledger, catalog }: Pick<Reading, 'ledger' | 'catalog'>): boolean =>
  sightingsOf(catalog, ledger.cluster).some(
    ({ report, sight }) => sight === 'heard' && showsPrimary(report),
  )
