/** A clustered service as one service: its members, what each does, and how far all of them are. */
import { LABEL } from '../base/index.ts'
import {
  headOf,
  isMemberService,
  type Ledger,
  memberHash,
  type MemberId,
  type MemberReport,
  type ReportId,
  reportId,
} from '../catalog/index.ts'
import type { Node, Service, Task } from '../engine/index.ts'
import { type Diagnosis, diagnose } from './diagnose.ts'
import type { MemberRow } from './member-row.ts'
import { keyOf } from './names.ts'
import type { ReadyTasks, ServiceProgress } from './progress.ts'
import { hasFailed, isHeld, isWanted, newestFirst } from './tasks.ts'

/** What is known of clusters beside Swarm's services and tasks. */
export interface ClusterSight {
  /** By name of the cluster. */
  ledgers: ReadonlyMap<string, Ledger>
  /** What the agents see; undefined while no agent answers. */
  reports: ReadonlyMap<ReportId, MemberReport> | undefined
}

/** Everything that the members of one head are judged by. */
export interface MemberScene extends ClusterSight {
  head: Service
  /** Of the stack at least. */
  services: readonly Service[]
  tasks: readonly Task[]
  nodes: readonly Node[]
  clusterTasks?: readonly Task[]
  ready: ReadyTasks
  now: number
  before?: ReadonlySet<string>
}

/** The services of the members of a head, lowest number first. */
export const memberServices = (head: Service, services: readonly Service[]): Service[] =>
  services
    .filter(
      (each) => isMemberService(each.Spec) && each.Spec.Labels?.[LABEL.cluster] === head.Spec.Name,
    )
    .sort((a, b) => numberOf(a.Spec.Name) - numberOf(b.Spec.Name))

/** 2 of `shop_db-2`. */
export const numberOf = (member: MemberId): number => Number(/-(\d+)$/.exec(member)?.[1] ?? 0)

/** The members that exist or are planned in the ledger, lowest number first. */
export const memberRows = (scene: MemberScene): MemberRow[] => {
  const { head } = scene
  const services = new Map(
    memberServices(head, scene.services).map((each) => [each.Spec.Name, each]),
  )
  const ledger = scene.ledgers.get(head.Spec.Name)
  const ids = new Set([...services.keys(), ...Object.keys(ledger?.members ?? {})])
  const hash = memberHash(head.Spec)
  return [...ids]
    .sort((a, b) => numberOf(a) - numberOf(b))
    .map((id) => {
      const service = services.get(id)
      const tasks = newestFirst(scene.tasks.filter((task) => task.ServiceID === service?.ID))
      const task = tasks.find((each) => isWanted(each)) ?? tasks[0]
      const host = ledger?.members[id]?.host ?? task?.NodeID ?? ''
      const report = scene.reports?.get(reportId({ host, id }))
      const node = scene.nodes.find((each) => each.ID === host)
      const ready = isReady(task, report, scene.ready)
      const running = (service?.Spec.Mode?.Replicated?.Replicas ?? 0) > 0
      return {
        id,
        name: nameIn(head, id),
        host: node?.Description?.Hostname ?? '',
        role: roleOf({ id, ledger, report, ready, task, running }),
        ready,
        data: report?.data,
        position: report?.position ?? null,
        lost: node?.Status?.State === 'down',
        note: noteOf({ report, task, node }),
        task,
        current: service?.Spec.Labels?.[LABEL.memberOf] === hash,
        image: (service?.Spec.TaskTemplate?.ContainerSpec?.Image ?? '').replace(/@[^@/]+$/, ''),
      }
    })
}

const nameIn = (head: Service, id: MemberId): string =>
  id.startsWith(head.Spec.Name) ? `${keyOf(head)}${id.slice(head.Spec.Name.length)}` : id

const isReady = (
  task: Task | undefined,
  report: MemberReport | undefined,
  ready: ReadyTasks,
): boolean =>
  task !== undefined &&
  isWanted(task) &&
  task.Status?.State === 'running' &&
  (ready === undefined || (ready.has(task.ID) && report?.ready !== false))

const roleOf = (what: {
  id: MemberId
  ledger: Ledger | undefined
  report: MemberReport | undefined
  ready: boolean
  task: Task | undefined
  running: boolean
}): string => {
  const { id, ledger, report, ready, task, running } = what
  if (ledger?.members[id]?.leaving === true) return 'leaving'
  if (ready) {
    if (ledger?.writer === id) return 'writer'
    if (ledger?.writer !== null && ledger !== undefined) return 'reader'
    return report?.status?.leads === true ? 'leader' : 'member'
  }
  if (report === undefined)
    return running && task !== undefined ? 'starting' : running ? 'waiting' : 'stopped'
  if (report.process === 'gate') return 'waiting'
  if (report.process === 'rest') return running ? 'starting' : 'stopped'
  if (report.status === null || report.status.role === 'ready') return 'starting'
  return report.status.role
}

const noteOf = (what: {
  report: MemberReport | undefined
  task: Task | undefined
  node: Node | undefined
}): string => {
  const { report, task, node } = what
  if (node?.Status?.State === 'down') return 'its host is lost'
  if (report?.problem) return report.problem
  const err = task?.Status?.Err ?? ''
  if (err !== '' && report?.ready !== true) return err
  return ''
}

/** A refusal of the gate: Swarm counts it as a failure, but the member only waits. */
const isGateWait = (task: Task): boolean =>
  /VolumeDriver\.Mount|mounting volume/i.test(task.Status?.Err ?? '')

/** How far a clustered service is; `ServiceProgress` of its head. Pure. */
export const clusterProgress = (scene: MemberScene): ServiceProgress => {
  const { head } = scene
  const wanted = headOf(head.Spec)?.members ?? 0
  const rows = memberRows(scene)
  const services = memberServices(head, scene.services)
  const ledger = scene.ledgers.get(head.Spec.Name)
  const done = rows.filter((row) => row.ready).length
  const ids = new Set(services.map((each) => each.ID))
  const live = scene.tasks.filter((task) => ids.has(task.ServiceID) && isWanted(task))
  const arrived =
    !isHeld(head) &&
    (wanted === 0
      ? live.length === 0 && services.every((each) => each.Spec.Mode?.Replicated?.Replicas === 0)
      : done === wanted &&
        services.length === wanted &&
        rows.every((row) => row.current) &&
        ledger?.phase === 'formed')
  return {
    name: head.Spec.Name,
    service: head,
    wanted,
    done: Math.min(done, wanted),
    job: false,
    arrived,
    stumbled: false,
    diagnosis: arrived ? undefined : diagnoseCluster(scene, rows),
    members: rows,
  }
}

/** Why a clustered service is not as it should be. */
export const diagnoseCluster = (
  scene: MemberScene,
  rows: readonly MemberRow[] = memberRows(scene),
): Diagnosis | undefined => {
  const { head } = scene
  const key = keyOf(head)
  if (isHeld(head)) return diagnose({ ...scene, service: head, tasks: [] })
  const ledger = scene.ledgers.get(head.Spec.Name)
  const say = (sentence: string, advice: string, hopeless: Diagnosis['hopeless']): Diagnosis => ({
    kind: 'cluster',
    sentence,
    advice,
    task: undefined,
    failures: 0,
    hopeless,
  })
  if (ledger?.phase === 'held' && ledger.order?.epoch === ledger.epoch) {
    return say(`${key} goes on with the data of ${ledger.order.from}.`, '', 'no')
  }
  if (ledger?.phase === 'held') {
    return say(
      `${key} is held: ${ledger.held?.reason ?? 'nobody knows which copy is the newest'}.`,
      `Each copy and what it holds: muster why ${key}. A person decides: muster recover ${key} [--from MEMBER]`,
      'now',
    )
  }
  const lost = rows.find((row) => !row.ready && row.lost)
  if (lost !== undefined) {
    return say(
      `${lost.name} is on ${lost.host}, which is lost: start it, or if it is gone for good: muster node rm ${lost.host}`,
      '',
      'no',
    )
  }
  const failed = failingMember(scene)
  if (failed !== undefined) return failed
  const wanted = headOf(head.Spec)?.members ?? 0
  if (ledger === undefined && wanted > 0) {
    return say(
      `${key}: the leading manager's agent has not begun with its members yet.`,
      'See which agents are at work: muster status',
      'no',
    )
  }
  if (wanted > 0 && rows.length < wanted) {
    const missing = wanted - rows.length
    const hosts = scene.nodes.filter((each) => each.Status?.State === 'ready').length
    if (ledger?.phase === 'formed' && hosts < wanted) {
      return say(
        `${key} has room for ${rows.length} of ${wanted} members: each needs a host of its own, and ${hosts} are up.`,
        `Join a host (muster join), or: muster scale ${key}=${Math.max(1, hosts)}`,
        'no',
      )
    }
    if (rows.every((row) => row.ready)) {
      return say(`${key} gets ${missing} more ${missing === 1 ? 'member' : 'members'}.`, '', 'no')
    }
  }
  const waiting =
    rows.find((row) => !row.ready && row.role !== 'waiting') ?? rows.find((row) => !row.ready)
  if (waiting !== undefined) {
    const foreign = waiting.data === 'foreign'
    const what = waiting.note === '' ? (ROLE_WORDS[waiting.role] ?? waiting.role) : waiting.note
    return say(
      `${waiting.name} ${waiting.note === '' ? what : `(${waiting.role}): ${what}`}.`.replace(
        /\.\.$/,
        '.',
      ),
      foreign ? `Look at its volume: muster volume inspect ${waiting.id}` : '',
      foreign ? 'if-it-stays' : 'no',
    )
  }
  const old = rows.find((row) => !row.current)
  if (old !== undefined) return say(`${old.name} is still to be updated.`, '', 'no')
  return undefined
}

const ROLE_WORDS: Record<string, string> = {
  joining: 'receives the data',
  donor: 'gives its data to another',
  outside: 'is in no primary component',
  starting: 'starts',
  waiting: 'waits for its turn',
  leaving: 'leaves',
  stopped: 'is stopped',
}

/** A member's container that cannot run at all: no image, no host, a command that exits. */
const failingMember = (scene: MemberScene): Diagnosis | undefined => {
  for (const service of memberServices(scene.head, scene.services)) {
    const tasks = scene.tasks.filter(
      (task) => task.ServiceID === service.ID && !(hasFailed(task) && isGateWait(task)),
    )
    const found = diagnose({
      service,
      tasks,
      nodes: scene.nodes,
      now: scene.now,
      ...(scene.clusterTasks === undefined ? {} : { clusterTasks: scene.clusterTasks }),
      ...(scene.before === undefined ? {} : { before: scene.before }),
    })
    if (found !== undefined && found.hopeless !== 'no') return found
  }
  return undefined
}
