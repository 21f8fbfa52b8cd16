import { connectEngine, type Node, type Service, type Task } from '../engine/index.ts'
import {
  clusterProgress,
  findService,
  isWanted,
  nameOfTask,
  newestFirst,
  notFound,
  type ServiceProgress,
  stackOf,
  keyOf,
} from '../stack/index.ts'
import { age, type Format, parseFormat, printRows } from './output.ts'
import { readyTasks } from './stack-agent.ts'
import {
  type ClusterView,
  isHead,
  memberScene,
  progressIn,
  readCluster,
  serviceRow,
  shownServices,
} from './stack-read.ts'
import type { PsOptions } from './stack.ts'

/** Lists the services of the cluster or of one stack; with a service, its tasks. */
export const ps = async (name: string | undefined, options: PsOptions): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const [view, ready] = await Promise.all([readCluster(engine), readyTasks()])
  const stacks = new Set(view.services.map((each) => stackOf(each)))
  if (name === undefined || stacks.has(name)) {
    printServices({ view, ready, stack: name, format })
    return
  }
  const service = findNamed(view.services, name)
  if (isHead(service)) {
    printMembers(clusterProgress(memberScene(view, service, ready)), view, format)
    return
  }
  printTasks({ view, ready, service, format, all: options.all === true })
}

/** Stacks and services are looked for alike, so both are suggested. */
const findNamed = (services: readonly Service[], name: string): Service => {
  try {
    return findService(services, name).service
  } catch (error) {
    if (services.some((each) => keyOf(each) === name)) throw error
    throw notFound('stack or service', name, [
      ...services.map((each) => stackOf(each)),
      ...services.map((each) => each.Spec.Name),
      ...services.map((each) => keyOf(each)),
    ])
  }
}

const printServices = (what: {
  view: ClusterView
  ready: ReadonlySet<string> | undefined
  stack: string | undefined
  format: Format
}): void => {
  const { view, ready, stack } = what
  const rows = shownServices(view)
    .filter((each) => stack === undefined || stackOf(each) === stack)
    .map((each) => serviceRow(progressIn(view, each, ready)))
    .sort((a, b) => (a.service < b.service ? -1 : 1))
  printRows(
    rows,
    [
      { head: 'SERVICE', cell: (row) => (stack === undefined ? row.service : row.name) },
      { head: 'REPLICAS', cell: (row) => String(row.replicas) },
      { head: 'SERVING', cell: (row) => String(row.serving) },
      { head: 'IMAGE', cell: (row) => row.image },
      { head: 'PORTS', cell: (row) => row.ports.join(', ') },
      { head: 'NOTE', cell: (row) => row.note },
    ],
    what.format,
  )
}

/** A clustered service: one line for each member. */
const printMembers = (progress: ServiceProgress, view: ClusterView, format: Format): void => {
  const { service, members = [] } = progress
  const ledger = view.ledgers.get(service.Spec.Name)
  const rows = members.map((each) => ({
    member: each.name,
    host: each.host,
    role: each.role,
    position: each.position,
    state: each.ready ? 'serving' : (each.task?.Status?.State ?? 'none'),
    since: each.task?.Status?.Timestamp ?? null,
    image: each.image,
    current: each.current,
    note: each.note,
  }))
  printRows(
    rows,
    [
      { head: 'MEMBER', cell: (row) => row.member },
      { head: 'HOST', cell: (row) => row.host },
      { head: 'ROLE', cell: (row) => row.role },
      { head: 'STATE', cell: (row) => row.state },
      { head: 'POSITION', cell: (row) => row.position?.sequence ?? '-' },
      {
        head: 'SINCE',
        cell: (row) => (row.since === null ? '-' : age(Date.now() - Date.parse(row.since))),
      },
      { head: 'IMAGE', cell: (row) => row.image },
      { head: 'NOTE', cell: (row) => row.note },
    ],
    format,
  )
  if (format === 'json' || ledger === undefined) return
  const epoch = ledger.epoch === 0 ? '' : `, epoch ${ledger.epoch}`
  process.stdout.write(
    `\n${keyOf(service)}: ${progress.wanted} members of ${ledger.recipe}, ${ledger.phase}${epoch}\n`,
  )
}

interface TaskRow {
  task: string
  id: string
  host: string
  state: string
  /** ISO 8601. */
  since: string
  image: string
  note: string
}

const printTasks = (what: {
  view: ClusterView
  ready: ReadonlySet<string> | undefined
  service: Service
  format: Format
  all: boolean
}): void => {
  const { view, service } = what
  const rows = newestFirst(view.tasks.filter((task) => task.ServiceID === service.ID))
    .filter((task) => what.all || isWanted(task) || task.Status?.State === 'complete')
    .map((task) => taskRow(task, service, view.nodes, what.ready))
    .sort((a, b) => a.task.localeCompare(b.task, undefined, { numeric: true }))
  printRows(
    rows,
    [
      { head: 'TASK', cell: (row) => row.task },
      { head: 'HOST', cell: (row) => row.host },
      { head: 'STATE', cell: (row) => row.state },
      { head: 'SINCE', cell: (row) => age(Date.now() - Date.parse(row.since)) },
      { head: 'IMAGE', cell: (row) => row.image },
      { head: 'NOTE', cell: (row) => row.note },
    ],
    what.format,
  )
}

// oxlint-disable-next-line max-params -- four plain values, each another thing
const taskRow = (
  task: Task,
  service: Service,
  nodes: readonly Node[],
  ready: ReadonlySet<string> | undefined,
): TaskRow => {
  const state = task.Status?.State ?? 'new'
  const serving = state === 'running' && isWanted(task) && ready?.has(task.ID) === true
  const node = nodes.find((each) => each.ID === task.NodeID)
  return {
    task: nameOfTask(service, task),
    id: task.ID,
    host: node?.Description?.Hostname ?? '',
    state: serving ? 'serving' : state,
    since: task.Status?.Timestamp ?? task.CreatedAt ?? '',
    image: (task.Spec?.ContainerSpec?.Image ?? '').replace(/@[^@/]+$/, ''),
    note: [task.Status?.Err ?? '', node?.Status?.State === 'down' ? 'its host is lost' : '']
      .filter((each) => each !== '')
      .join('; '),
  }
}
