import { LABEL } from '../base/index.ts'
import { isMemberService, type Ledger } from '../catalog/index.ts'
import type { Engine, Node, Service, Task } from '../engine/index.ts'
import {
  clusterProgress,
  type ClusterSight,
  diagnose,
  keyOf,
  labelledPorts,
  labelledRoutes,
  type MemberScene,
  progressOf,
  readLedgers,
  type ServiceProgress,
  stackOf,
} from '../stack/index.ts'
import { memberReports } from './stack-agent.ts'

/** One service, as lists show it. */
export interface ServiceRow {
  service: string
  stack: string
  /** Name in its file. */
  name: string
  replicas: number
  serving: number
  image: string
  /** `80 -> 8080`, `udp 53 -> 53 (host)`, `shop.example.com/ -> 8080`. */
  ports: string[]
  note: string
}

/** Services, tasks and hosts, read together; what is known of clustered services, if there are any. */
export interface ClusterView extends ClusterSight {
  services: Service[]
  tasks: Task[]
  nodes: Node[]
}

export const readCluster = async (engine: Engine): Promise<ClusterView> => {
  const [services, tasks, nodes] = await Promise.all([
    engine.listServices(),
    engine.listTasks(),
    engine.listNodes(),
  ])
  const heads = services.some((each) => isHead(each))
  const [ledgers, reports] = heads
    ? await Promise.all([readLedgers(engine), memberReports()])
    : [new Map<string, Ledger>(), undefined]
  return { services, tasks, nodes, ledgers, reports }
}

/** True for the one service that a clustered service is shown as. */
export const isHead = (service: Service): boolean =>
  service.Spec.Labels?.[LABEL.recipe] !== undefined

/** The services that lists show: those of members are a part of their head. */
export const shownServices = (view: ClusterView): Service[] => {
  const heads = new Set(view.services.filter((each) => isHead(each)).map((each) => each.Spec.Name))
  return view.services.filter((each) => {
    const cluster = each.Spec.Labels?.[LABEL.cluster]
    // Members whose head is gone are still to be seen.
    return !isMemberService(each.Spec) || cluster === undefined || !heads.has(cluster)
  })
}

/** What the members of a clustered service are judged by. */
export const memberScene = (
  view: ClusterView,
  head: Service,
  ready: ReadonlySet<string> | undefined,
): MemberScene => ({ ...view, head, clusterTasks: view.tasks, ready, now: Date.now() })

/** How a service is, by Swarm's word and the catalog's. */
export const progressIn = (
  view: ClusterView,
  service: Service,
  ready: ReadonlySet<string> | undefined,
): ServiceProgress => {
  if (isHead(service)) return clusterProgress(memberScene(view, service, ready))
  const tasks = view.tasks.filter((task) => task.ServiceID === service.ID)
  const scene = { service, tasks, nodes: view.nodes, clusterTasks: view.tasks, now: Date.now() }
  const progress = progressOf(scene, { ready, expectsUpdate: false })
  // A service that serves may still have a replica that does not come up.
  return { ...progress, diagnosis: progress.diagnosis ?? diagnose(scene) }
}

export const serviceRow = (progress: ServiceProgress): ServiceRow => {
  const { service } = progress
  const image = service.Spec.Labels?.[LABEL.image]
  return {
    service: service.Spec.Name,
    stack: stackOf(service),
    name: keyOf(service),
    replicas: progress.wanted,
    serving: progress.done,
    image: image ?? withoutDigest(service.Spec.TaskTemplate?.ContainerSpec?.Image ?? ''),
    ports: publishedTexts(service),
    note: noteOf(progress),
  }
}

const withoutDigest = (image: string): string => image.replace(/@[^@/]+$/, '')

const publishedTexts = (service: Service): string[] => [
  ...labelledPorts(service.Spec.Labels).map(
    (port) =>
      `${port.hostIp === undefined ? '' : `${port.hostIp}:`}${port.published} -> ${port.target}`,
  ),
  ...labelledRoutes(service.Spec.Labels).map(
    (route) =>
      `${route.host}${route.published === 80 ? '' : `:${route.published}`}${route.path} -> ${route.target}`,
  ),
  ...(service.Endpoint?.Ports ?? service.Spec.EndpointSpec?.Ports ?? []).map(
    (port) =>
      `${port.Protocol === 'tcp' ? '' : `${port.Protocol} `}${port.PublishedPort ?? '?'} -> ${port.TargetPort}${port.PublishMode === 'host' ? ' (host)' : ''}`,
  ),
]

const noteOf = (progress: ServiceProgress): string => {
  if (progress.job && progress.arrived) return 'completed'
  const state: string | undefined = progress.service.UpdateStatus?.State
  if (progress.diagnosis === undefined) {
    if (state === 'updating') return 'update goes on'
    return state?.startsWith('rollback') ? 'the last update was rolled back by Swarm' : ''
  }
  return progress.diagnosis.sentence.replace(/\.$/, '')
}
