/** What the parts of a host's engine share: who answers, and how a refusal reads. */
import { type MusterError } from '../../base/index.ts'
import { refusal, unreachable } from '../failure.ts'
import type { Behaviours } from './behaviour.ts'
import type { Cluster } from './cluster.ts'
import type { Host } from './host.ts'
import type { ManualClock } from './manual-clock.ts'
import type { Random } from './random.ts'
import type { Kind, Tables } from './records.ts'
import { OutOfSequence, type Store } from './store.ts'

export interface World {
  clock: ManualClock
  random: Random
  behaviours: Behaviours
  cluster: Cluster
}

const NOT_A_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
const NO_LEADER =
  "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online."

export class Facade {
  readonly world: World
  readonly host: Host

  constructor(world: World, host: Host) {
    this.world = world
    this.host = host
  }

  get store(): Store {
    return this.world.cluster.store
  }

  /** @throws MusterError ENGINE_UNREACHABLE when the engine does not answer */
  reach(doing: string): void {
    if (this.host.answers) return
    throw unreachable(new Error('connection refused'), `double://${this.host.name}`, doing)
  }

  /** @throws MusterError NOT_A_MANAGER or NO_QUORUM when this engine cannot see the cluster */
  manage(doing: string): void {
    this.reach(doing)
    const { cluster } = this.world
    if (!cluster.isManager(this.host)) throw this.refuse(503, NOT_A_MANAGER, doing)
    if (!cluster.hasQuorum(this.host)) throw this.refuse(500, NO_LEADER, doing)
  }

  refuse(status: number, text: string, doing: string): MusterError {
    return refusal({ status, body: text, path: '/services', doing })
  }

  /**
   * An object by id, unambiguous start of an id, or name.
   * @throws MusterError NOT_FOUND
   */
  find<K extends Exclude<Kind, 'cluster' | 'task'>>(
    kind: K,
    wanted: string,
    doing: string,
  ): Tables[K] {
    const all = this.store.all(kind)
    const nameOf = (record: Tables[K]): string | undefined => {
      if ('hostname' in record) return record.hostname
      return 'name' in record ? record.name : record.spec.Name
    }
    const visible = all.filter(
      (record) =>
        !('host' in record) || record.host === undefined || record.host === this.host.name,
    )
    const found =
      visible.find(({ id }) => id === wanted) ??
      visible.find((record) => nameOf(record) === wanted) ??
      (wanted.length >= 3 ? visible.find(({ id }) => id.startsWith(wanted)) : undefined)
    if (found === undefined) throw this.refuse(404, `${kind} ${wanted} not found`, doing)
    return found
  }

  /** Runs a write that names a version. */
  compareAndSwap(doing: string, write: () => void): void {
    try {
      write()
    } catch (error) {
      if (error instanceof OutOfSequence) throw this.refuse(500, 'update out of sequence', doing)
      throw error
    }
  }
}
