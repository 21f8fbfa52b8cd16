/** The hosts of one swarm as Raft, the dispatcher and their agents see each other. */
import type { Behaviours } from './behaviour.ts'
import { lead } from './control/leader.ts'
import { Executor } from './executor.ts'
import type { Host } from './host.ts'
import type { ManualClock } from './manual-clock.ts'
import type { Random } from './random.ts'
import type { NodeRecord, TaskStatus } from './records.ts'
import { compareStates, hasEnded } from './states.ts'
import { type Change, Store } from './store.ts'
import { swarmEvent } from './swarm-event.ts'
import type { Timing } from './timing.ts'
import type { SwarmSpec } from '../types.ts'

export interface ClusterOptions {
  clock: ManualClock
  random: Random
  behaviours: Behaviours
  timing: Timing
}

interface Member {
  host: Host
  nodeId: string
  executor: Executor
  /** The leader's dispatcher hears its heartbeats. */
  linked: boolean
  /** Reports that could not be delivered, by task. */
  unsent: Map<string, TaskStatus>
  /** Ends what waits for this member's registration or silence. */
  cancel: () => void
}

const HEARTBEAT_MS = 5_000
/** The settings of a new swarm. */
const NEW_CLUSTER: SwarmSpec = {
  Name: 'default',
  Labels: {},
  Orchestration: { TaskHistoryRetentionLimit: 5 },
  Raft: { SnapshotInterval: 10_000, ElectionTick: 10, HeartbeatTick: 1 },
  Dispatcher: { HeartbeatPeriod: HEARTBEAT_MS * 1e6 },
  CAConfig: { NodeCertExpiry: 7_776_000_000_000_000 },
  TaskDefaults: {},
  EncryptionConfig: { AutoLockManagers: false },
}
/** A host is down after this many heartbeats that did not come, or after this many times as many
 * when the leader is new and has never heard of it. */
const MISSED_BEATS = 3
const UNKNOWN_FACTOR = 2
/** Tasks of a host that has been down this long are given up for good. */
const ORPHAN_MS = 24 * 3_600_000

export class Cluster {
  readonly store: Store
  readonly #options: ClusterOptions
  readonly #members = new Map<string, Member>()
  #leader: Member | undefined
  #term = new AbortController()
  /** The leader takes registrations of hosts. */
  #dispatching = false
  #electing = false

  constructor(options: ClusterOptions) {
    this.#options = options
    this.store = new Store(() => options.clock.wall())
    this.store.subscribe((change) => this.#onChange(change))
  }

  get leader(): Host | undefined {
    return this.#leader?.host
  }

  get members(): readonly Host[] {
    return [...this.#members.values()].map(({ host }) => host)
  }

  nodeOf(host: Host): NodeRecord | undefined {
    const member = this.#members.get(host.name)
    return member && this.store.get('node', member.nodeId)
  }

  hostOf(nodeId: string): Host | undefined {
    return [...this.#members.values()].find((member) => member.nodeId === nodeId)?.host
  }

  isManager(host: Host): boolean {
    return this.nodeOf(host)?.spec.Role === 'manager'
  }

  /** Whether a manager can reach the leader, and so the store. */
  hasQuorum(host: Host): boolean {
    return this.#leader !== undefined && this.#sameSide(host, this.#leader.host)
  }

  /** The first manager: it leads at once. */
  form(host: Host): NodeRecord {
    const { random } = this.#options
    const token = () => `SWMTKN-1-${random.id(50)}-${random.id()}`
    this.store.create('cluster', random.id(), {
      spec: structuredClone(NEW_CLUSTER),
      tokens: { worker: token(), manager: token() },
    })
    const node = this.join(host, 'manager')
    this.#startTerm(this.#members.get(host.name) as Member)
    return node
  }

  /** A host becomes a member; it is ready once it has registered. */
  join(host: Host, role: 'manager' | 'worker'): NodeRecord {
    const { clock, random, behaviours, timing } = this.#options
    const node = this.store.create('node', random.id(), {
      spec: { Labels: {}, Role: role, Availability: 'active' },
      hostname: host.name,
      address: host.address,
      state: 'unknown',
      message: '',
      manager: role === 'manager' ? { leader: false, reachable: true } : undefined,
    })
    const report = (taskId: string, status: TaskStatus) => this.#report(host, taskId, status)
    this.#members.set(host.name, {
      host,
      nodeId: node.id,
      executor: new Executor({ host, clock, behaviours, timing, report }),
      linked: false,
      unsent: new Map(),
      cancel: () => undefined,
    })
    this.evaluate()
    return node
  }

  /** A host leaves by itself; managers see it go down. */
  leave(host: Host): void {
    const member = this.#members.get(host.name)
    if (member === undefined) return
    this.#members.delete(host.name)
    member.cancel()
    member.executor.drop()
    for (const container of host.containers.values()) {
      if (container.options.labels['com.docker.swarm.task.id'] !== undefined) host.remove(container)
    }
    if (this.#leader === member) this.#leader = undefined
    if (this.store.get('node', member.nodeId) !== undefined) {
      this.store.update('node', member.nodeId, { state: 'down', message: 'node left' })
    }
    this.evaluate()
  }

  /** A manager strikes a node off the list. */
  removeNode(nodeId: string): void {
    const host = this.hostOf(nodeId)
    if (host !== undefined) this.leave(host)
    for (const task of this.store.all('task')) {
      if (task.nodeId !== nodeId || hasEnded(task.status.state)) continue
      this.#setStatus(task.id, { ...task.status, state: 'orphaned', message: 'node removed' })
    }
    this.store.remove('node', nodeId)
  }

  /** Looks at who can reach whom. To be called after any change of a host. */
  evaluate(): void {
    this.#evaluateLeader()
    for (const member of this.#members.values()) {
      if (!member.host.answers) member.executor.drop()
      const leader = this.#dispatching ? this.#leader : undefined
      const linked = leader !== undefined && this.#sameSide(member.host, leader.host)
      if (linked === member.linked) continue
      member.linked = linked
      if (linked) this.#registerLater(member)
      else this.#expectSilence(member, MISSED_BEATS, this.#options.random.next())
    }
    if (this.#leader !== undefined) this.#updateManagers()
  }

  #sameSide(a: Host, b: Host): boolean {
    return a.answers && b.answers && (a === b || (!a.cut && !b.cut))
  }

  #managers(): Member[] {
    return [...this.#members.values()].filter(({ host }) => this.isManager(host))
  }

  #hasMajority(candidate: Member): boolean {
    const managers = this.#managers()
    const total = this.store.all('node').filter(({ spec }) => spec.Role === 'manager').length
    const reached = managers.filter(({ host }) => this.#sameSide(host, candidate.host))
    return managers.includes(candidate) && reached.length > total / 2
  }

  #evaluateLeader(): void {
    if (this.#leader !== undefined && this.#hasMajority(this.#leader)) return
    this.#term.abort(new Error('no longer the leader'))
    this.#leader = undefined
    this.#dispatching = false
    for (const member of this.#members.values()) {
      member.linked = false
      member.cancel()
    }
    if (this.#electing || !this.#managers().some((member) => this.#hasMajority(member))) return
    const { clock, random, timing } = this.#options
    this.#electing = true
    clock.at(random.between(...timing.electionMs), () => {
      this.#electing = false
      if (this.#leader !== undefined) return
      const candidates = this.#managers().filter((member) => this.#hasMajority(member))
      const winner = candidates[Math.floor(random.next() * candidates.length)]
      if (winner !== undefined) this.#startTerm(winner)
    })
  }

  #startTerm(leader: Member): void {
    const { clock, random, timing } = this.#options
    this.#leader = leader
    this.#term = new AbortController()
    const { signal } = this.#term
    if (timing.unknownMs === 0) this.#serveHosts()
    else {
      const begin = () => {
        this.#serveHosts()
        this.evaluate()
      }
      signal.addEventListener('abort', clock.at(timing.unknownMs, begin), { once: true })
    }
    lead({ store: this.store, clock, random, timing, signal })
    this.evaluate()
  }

  /** Hosts can register from now on; until they have, the new leader knows nothing of them. */
  #serveHosts(): void {
    this.#dispatching = true
    for (const node of this.store.all('node')) {
      if (node.state !== 'ready') continue
      const message = 'Node moved to "unknown" state due to leadership change in cluster'
      this.store.update('node', node.id, { state: 'unknown', message })
    }
    for (const member of this.#members.values()) {
      this.#expectSilence(member, MISSED_BEATS * UNKNOWN_FACTOR, 0)
    }
  }

  #updateManagers(): void {
    for (const node of this.store.all('node')) {
      const host = this.hostOf(node.id)
      const leader = this.#leader?.host
      const manager =
        node.spec.Role !== 'manager'
          ? undefined
          : {
              leader: host !== undefined && host === leader,
              reachable: host !== undefined && leader !== undefined && this.#sameSide(host, leader),
            }
      const same =
        node.manager?.leader === manager?.leader && node.manager?.reachable === manager?.reachable
      if (!same) this.store.update('node', node.id, { manager })
    }
  }

  #registerLater(member: Member): void {
    const { clock, timing } = this.#options
    const forgiveSilence = member.cancel
    const cancelRegistration = clock.at(timing.registerMs, () => {
      forgiveSilence()
      member.cancel = () => undefined
      this.store.update('node', member.nodeId, { state: 'ready', message: '' })
      for (const [taskId, status] of member.unsent) this.#applyReport(taskId, status)
      member.unsent.clear()
      const tasks = this.store.all('task').filter(({ nodeId }) => nodeId === member.nodeId)
      member.executor.sync(tasks)
    })
    member.cancel = () => {
      cancelRegistration()
      forgiveSilence()
    }
  }

  /** Calls a member down when it has not been heard of for so many heartbeats. */
  #expectSilence(member: Member, beats: number, sinceLastBeat: number): void {
    member.cancel()
    const { clock } = this.#options
    const period = this.store.all('cluster')[0]?.spec.Dispatcher?.HeartbeatPeriod
    const periodMs = period === undefined ? HEARTBEAT_MS : period / 1e6
    const forget = () => {
      for (const task of this.store.all('task')) {
        if (task.nodeId !== member.nodeId || hasEnded(task.status.state)) continue
        this.#setStatus(task.id, { ...task.status, state: 'orphaned' })
      }
    }
    member.cancel = clock.at(periodMs * (beats - sinceLastBeat), () => {
      member.cancel = clock.at(ORPHAN_MS, forget)
      const message = 'heartbeat failure'
      this.store.update('node', member.nodeId, { state: 'down', message })
    })
  }

  #report(host: Host, taskId: string, status: TaskStatus): void {
    const member = this.#members.get(host.name)
    if (member === undefined) return
    const { clock, timing } = this.#options
    const deliver = () => {
      if (member.linked) this.#applyReport(taskId, status)
      else member.unsent.set(taskId, status)
    }
    const cancel = clock.at(timing.dispatchMs, () => {
      host.session.removeEventListener('abort', cancel)
      deliver()
    })
    host.session.addEventListener('abort', cancel, { once: true })
  }

  #applyReport(taskId: string, status: TaskStatus): void {
    const task = this.store.get('task', taskId)
    if (task === undefined || compareStates(status.state, task.status.state) <= 0) return
    this.#setStatus(taskId, status)
  }

  #setStatus(taskId: string, status: TaskStatus): void {
    this.store.update('task', taskId, { status })
  }

  #onChange(change: Change): void {
    if (change.kind === 'task') this.#dispatch(change)
    if (change.kind === 'node' && change.action === 'update') {
      if (change.before.spec.Role !== change.after.spec.Role) this.evaluate()
    }
    const event = swarmEvent(change)
    if (event === undefined) return
    for (const { host } of this.#managers()) if (host.answers && !host.cut) host.emit(event)
  }

  /** Sends a task to its host. */
  #dispatch({ action, after }: Extract<Change, { kind: 'task' }>): void {
    if (after.nodeId === undefined || compareStates(after.status.state, 'assigned') < 0) return
    const { clock, timing } = this.#options
    const member = [...this.#members.values()].find(({ nodeId }) => nodeId === after.nodeId)
    if (member === undefined) return
    clock.at(timing.dispatchMs, () => {
      if (!member.linked) return
      if (action === 'remove') member.executor.forget(after.id)
      else member.executor.receive(after)
    })
  }
}
