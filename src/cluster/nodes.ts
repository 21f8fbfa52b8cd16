import { type Clock, MusterError } from '../base/index.ts'
import type { Engine, Node, NodeSpec, Task } from '../engine/index.ts'

/** One line of `muster node ls`. */
export interface NodeRow {
  name: string
  id: string
  state: string
  availability: string
  role: 'leader' | 'manager' | 'worker'
  address: string
  engine: string
  /** Tasks that shall run there. */
  tasks: number
  /** Reserved by those tasks, of what the host has. */
  reserved: { cpus: number; memory: number }
  capacity: { cpus: number; memory: number }
  labels: Record<string, string>
}

/** Rows for all hosts, from the nodes and the tasks of the cluster. */
export const nodeRows = (nodes: readonly Node[], tasks: readonly Task[]): NodeRow[] =>
  nodes
    .map((node): NodeRow => {
      const mine = tasks.filter((t) => t.NodeID === node.ID && t.DesiredState === 'running')
      const sum = (pick: (task: Task) => number | undefined) =>
        mine.reduce((total, task) => total + (pick(task) ?? 0), 0)
      return {
        name: node.Description?.Hostname ?? node.ID,
        id: node.ID,
        state: node.Status?.State ?? 'unknown',
        availability: node.Spec.Availability ?? 'active',
        role: node.ManagerStatus?.Leader ? 'leader' : (node.Spec.Role ?? 'worker'),
        address: node.Status?.Addr ?? '',
        engine: node.Description?.Engine?.EngineVersion ?? '',
        tasks: mine.length,
        reserved: {
          cpus: sum((t) => t.Spec?.Resources?.Reservations?.NanoCPUs) / 1e9,
          memory: sum((t) => t.Spec?.Resources?.Reservations?.MemoryBytes),
        },
        capacity: {
          cpus: (node.Description?.Resources?.NanoCPUs ?? 0) / 1e9,
          memory: node.Description?.Resources?.MemoryBytes ?? 0,
        },
        labels: node.Spec.Labels ?? {},
      }
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))

/** The one host that a name, an id or the beginning of an id means. */
export const findNode = (nodes: readonly Node[], text: string): Node => {
  const named = nodes.filter((n) => n.Description?.Hostname === text || n.ID === text)
  const matches = named.length > 0 ? named : nodes.filter((n) => n.ID.startsWith(text))
  const [only, ...others] = matches
  if (only === undefined || text === '') {
    const names = nodes.map((n) => n.Description?.Hostname ?? n.ID).join(', ')
    throw new MusterError('NOT_FOUND', `No host is called "${text}".`, {
      hint: `There are: ${names}.`,
    })
  }
  if (others.length > 0) {
    throw new MusterError('NOT_FOUND', `"${text}" means ${matches.length} hosts.`, {
      hint: `Use an id: ${matches.map((n) => n.ID).join(', ')}.`,
    })
  }
  return only
}

/** Changes a node's spec; a change by somebody else in between is read again and retried. */
export const changeNode = async (
  engine: Engine,
  name: string,
  change: (spec: NodeSpec) => NodeSpec,
): Promise<Node> => {
  for (let attempt = 1; ; attempt++) {
    const node = findNode(await engine.listNodes(), name)
    const spec = change(node.Spec)
    if (JSON.stringify(spec) === JSON.stringify(node.Spec)) return node
    try {
      await engine.updateNode(node.ID, node.Version.Index, spec)
      return { ...node, Spec: spec }
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'CONFLICT' || attempt === 5) throw error
    }
  }
}

/** `K=V` sets, `K-` or `K=` with nothing removes. */
export const applyLabels = (
  labels: Record<string, string>,
  changes: readonly string[],
): Record<string, string> => {
  const result = { ...labels }
  for (const change of changes) {
    const match = /^([A-Za-z0-9](?:[\w./-]*[A-Za-z0-9])?)(?:=(.*)|-)$/s.exec(change)
    const key = match?.[1]
    if (key === undefined) {
      throw new MusterError('USAGE', `"${change}" is not a label change.`, {
        hint: 'KEY=VALUE sets a label, KEY- removes it.',
      })
    }
    if (match?.[2] === undefined || match[2] === '') delete result[key]
    else result[key] = match[2]
  }
  return result
}

/** Tasks that still have to leave a host that is being drained. */
export const tasksLeft = (tasks: readonly Task[], nodeId: string): Task[] =>
  tasks.filter(
    (task) =>
      task.NodeID === nodeId &&
      ['running', 'starting', 'preparing', 'ready'].includes(task.Status?.State ?? ''),
  )

/** Waits until no task runs on the host any more. `onProgress` gets the number left when it changes. */
export const waitDrained = async (
  engine: Engine,
  nodeId: string,
  options: { timeoutMs: number; clock: Clock; onProgress: (left: number) => void },
): Promise<void> => {
  const limit = options.clock.now() + options.timeoutMs
  let before = -1
  for (;;) {
    const left = tasksLeft(await engine.listTasks({ node: [nodeId] }), nodeId)
    if (left.length !== before) options.onProgress(left.length)
    before = left.length
    if (left.length === 0) return
    if (options.clock.now() > limit) {
      throw new MusterError(
        'TIMEOUT',
        `${left.length} tasks still run there after ${Math.round(options.timeoutMs / 1000)} s.`,
        { hint: 'They go on leaving; `muster node ls` shows how many are left.' },
      )
    }
    // Swarm tells no events about tasks: their states can only be asked for.
    await options.clock.sleep(300)
  }
}

/** Removes a host from the cluster. A manager is demoted first, or the others would count it as lost. */
export const removeHost = async (
  engine: Engine,
  name: string,
  options: { force: boolean },
): Promise<Node> => {
  const node = findNode(await engine.listNodes(), name)
  if (node.Status?.State === 'ready' && !options.force) {
    throw new MusterError('ENGINE_REFUSED', `${name} is still up.`, {
      hint: `Drain it (muster node drain ${name}) and run \`muster leave\` on it, or add --force.`,
    })
  }
  if (node.Spec.Role === 'manager') {
    const managers = (await engine.listNodes({ role: ['manager'] })).length
    if (managers === 1) {
      throw new MusterError(
        'ENGINE_REFUSED',
        `${name} is the only manager: removing it would end the cluster.`,
      )
    }
    await changeNode(engine, node.ID, (spec) => ({ ...spec, Role: 'worker' }))
  }
  await engine.removeNode(node.ID, { force: true })
  return node
}
