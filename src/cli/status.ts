import { type AgentStatus, connectAgent } from '../agent/index.ts'
import { MusterError } from '../base/index.ts'
import { connectEngine, type Node } from '../engine/index.ts'
import { type EdgeVerdict, lookAtEdges, publishedPorts } from './edges.ts'
import { age, bytes, parseFormat, plural, table } from './output.ts'
import { type ClusterView, progressIn, readCluster, shownServices } from './stack-read.ts'

/** One host, as `status` shows it. */
export interface HostRow {
  host: string
  /** `ready`, `drained`, `suspected`, `lost`, ... */
  state: string
  role: 'leader' | 'manager' | 'worker'
  /** Share of all cores, 0 to 1; null while nobody knows. */
  cpu: number | null
  memory: { used: number; total: number } | null
  tasks: number
  /** Milliseconds since its agent started; null while it is silent. */
  agentUptime: number | null
  note: string
}

/** The cluster at one moment. */
export interface ClusterStatus {
  managers: number
  managersReachable: number
  leader: string | null
  hosts: HostRow[]
  /** What needs a look, in words. */
  attention: string[]
}

/** Prints how the cluster is: the first line answers, the table details, the last line warns. */
export const status = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  const [agent, view] = await Promise.all([askAgent(), askEngine()])
  if (agent === undefined && view instanceof MusterError) throw view
  const answer =
    view instanceof MusterError
      ? statusOfAgent(agent as AgentStatus, view)
      : statusOfCluster(view, { agent, edges: await lookAtEdges(publishedPorts) })
  process.stdout.write(
    format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : statusText(answer),
  )
}

const askAgent = async (): Promise<AgentStatus | undefined> => {
  try {
    return await connectAgent().status()
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return undefined
  }
}

const askEngine = async (): Promise<ClusterView | MusterError> => {
  await using engine = connectEngine()
  try {
    return await readCluster(engine)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return error
  }
}

/** From Swarm's lists, with what the agents know beside. Pure. */
export const statusOfCluster = (
  view: ClusterView,
  { agent, edges }: { agent: AgentStatus | undefined; edges: EdgeVerdict },
): ClusterStatus => {
  const managers = view.nodes.filter((node) => node.Spec.Role === 'manager')
  const reachable = managers.filter((node) => node.ManagerStatus?.Reachability === 'reachable')
  const leader = managers.find((node) => node.ManagerStatus?.Leader === true)
  const hosts = view.nodes
    .map((node) => hostRow(node, view, agent))
    .sort((a, b) => a.host.localeCompare(b.host, undefined, { numeric: true }))
  const services = shownServices(view)
    .map((service) => progressIn(view, service, undefined))
    .filter((each) => !each.arrived)
  return {
    managers: managers.length,
    managersReachable: reachable.length,
    leader: leader?.Description?.Hostname ?? null,
    hosts,
    attention: [
      ...(agent === undefined ? ['the agent of this host does not answer (muster init)'] : []),
      ...hosts.flatMap((host) => (host.note === '' ? [] : [`${host.host}: ${host.note}`])),
      ...services.map(
        (each) =>
          `${each.name} has ${each.done} of ${each.wanted} serving (muster why ${each.name})`,
      ),
      ...edges.blocked.map((conflict) => `edge: ${conflict}`),
      ...edges.late.map(({ host, reason }) => `edge of ${host}: ${reason}`),
      ...(agent?.edge === null ? ['the edge of this host does not run'] : []),
    ],
  }
}

const hostRow = (node: Node, view: ClusterView, agent: AgentStatus | undefined): HostRow => {
  const known = agent?.hosts.find((each) => each.id === node.ID)
  const down = node.Status?.State === 'down'
  const state = down
    ? 'lost'
    : known?.state === 'suspected'
      ? 'suspected'
      : node.Spec.Availability === 'active'
        ? (node.Status?.State ?? 'unknown')
        : node.Spec.Availability === 'drain'
          ? 'drained'
          : 'paused'
  const notes = [
    ...(down ? ['does not answer; its tasks run elsewhere'] : []),
    ...(known?.state === 'suspected' && !down ? ['does not answer; gets no traffic'] : []),
    ...(known?.state === 'agentless' ? ['its agent does not answer'] : []),
    ...(known?.engineDown === true ? ['its Docker Engine does not answer'] : []),
    ...(node.ManagerStatus?.Reachability === 'unreachable' && !down
      ? ['its manager cannot be reached']
      : []),
  ]
  return {
    host: node.Description?.Hostname ?? node.ID,
    state,
    role: node.ManagerStatus?.Leader
      ? 'leader'
      : node.Spec.Role === 'manager'
        ? 'manager'
        : 'worker',
    cpu: known?.usage?.cpu ?? null,
    memory: known?.usage?.memory ?? null,
    tasks: view.tasks.filter((task) => task.NodeID === node.ID && task.Status?.State === 'running')
      .length,
    agentUptime: known?.usage?.uptime ?? null,
    note: notes.join(', '),
  }
}

/** On a worker, or without a quorum, the agent is all there is to ask. Pure. */
export const statusOfAgent = (agent: AgentStatus, why: MusterError): ClusterStatus => {
  const managers = agent.hosts.filter((each) => each.manager)
  return {
    managers: managers.length,
    managersReachable: managers.filter((each) => each.state === 'alive').length,
    leader: agent.hosts.find((each) => each.leader)?.name ?? null,
    hosts: agent.hosts.map((host) => ({
      host: host.name,
      state: host.state === 'alive' ? 'ready' : host.state,
      role: host.leader ? 'leader' : host.manager ? 'manager' : 'worker',
      cpu: host.usage?.cpu ?? null,
      memory: host.usage?.memory ?? null,
      tasks: host.usage?.tasks ?? 0,
      agentUptime: host.usage?.uptime ?? null,
      note: '',
    })),
    attention: [
      ...(why.code === 'NOT_A_MANAGER' ? [] : [why.message]),
      ...(agent.waitingFor === null ? [] : [`the agent waits: ${agent.waitingFor}`]),
    ],
  }
}

/** As a person reads it. */
export const statusText = (answer: ClusterStatus): string => {
  const { hosts, managers, leader, attention } = answer
  const spare = Math.max(0, answer.managersReachable - (Math.floor(managers / 2) + 1))
  const quorum =
    answer.managersReachable <= managers / 2
      ? 'quorum is lost'
      : `quorum survives the loss of ${spare}`
  const first = `${plural(hosts.length, 'host')}, ${plural(managers, 'manager')} (${quorum}), ${
    leader === null ? 'no leader' : `leader ${leader}`
  }\n`
  const rows = table(hosts, [
    { head: 'HOST', cell: (row) => row.host },
    { head: 'STATE', cell: (row) => row.state },
    { head: 'ROLE', cell: (row) => row.role },
    { head: 'CPU', cell: (row) => (row.cpu === null ? '-' : `${Math.round(row.cpu * 100)}%`) },
    {
      head: 'MEMORY',
      cell: (row) =>
        row.memory === null ? '-' : `${bytes(row.memory.used)}/${bytes(row.memory.total)}`,
    },
    { head: 'TASKS', cell: (row) => String(row.tasks) },
    { head: 'AGENT', cell: (row) => (row.agentUptime === null ? '-' : age(row.agentUptime)) },
    { head: 'NOTE', cell: (row) => row.note },
  ])
  const look =
    attention.length === 0
      ? 'Nothing needs a look.\n'
      : `${plural(attention.length, 'thing')} ${attention.length === 1 ? 'needs' : 'need'} a look:\n${attention.map((each) => `  ${each}\n`).join('')}`
  return `${first}${rows}${look}`
}
