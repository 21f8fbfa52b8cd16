/** The faults, and how the lab returns to health after each. */
import { type Engine } from '../../src/engine/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { killAgent, killEngine } from '../../test/host-faults.ts'
import { on } from '../support.ts'

/** One side of the comparison while a fault happens. */
export interface Scene {
  lab: Lab
  /** Host that the clients use; no fault ever happens to it. */
  observer: string
  /** Host that the fault happens to. */
  victim: string
  /** Full name of the service under load. */
  service: string
  engine: Engine
  /** `muster scale` or `docker service scale`, and so on, on the observer. */
  scale(count: number): Promise<void>
  update(): Promise<void>
}

export interface Fault {
  name: string
  /** The victim has to be the Raft leader, has not to be, or it does not matter. */
  victim: 'leader' | 'follower'
  /** Watched for so long after the fault, ms. */
  watchMs: number
  /** The host is lost: its tasks have to come back elsewhere. */
  losesHost?: boolean
  /** Only Muster has what this kills. */
  musterOnly?: boolean
  strike(scene: Scene): Promise<void>
  /** Makes everything whole again; waiting is the caller's. */
  mend(scene: Scene): Promise<void>
}

const nothing = async () => undefined

const agentDies = ({ lab, victim }: Scene) => killAgent(lab, victim)

export const FAULTS: Fault[] = [
  {
    name: 'container killed -9',
    victim: 'follower',
    watchMs: 10_000,
    strike: async ({ lab, victim, service }) => {
      const id =
        (
          await on(lab, victim, [
            'docker',
            'ps',
            '-q',
            '--filter',
            `label=com.docker.swarm.service.name=${service}`,
          ])
        ).split('\n')[0] ?? ''
      await on(lab, victim, ['docker', 'kill', '-s', 'KILL', id])
    },
    mend: nothing,
  },
  {
    name: 'scale 6 to 2',
    victim: 'follower',
    watchMs: 15_000,
    strike: (scene) => scene.scale(2),
    mend: (scene) => scene.scale(6),
  },
  {
    name: 'rolling update',
    victim: 'follower',
    watchMs: 45_000,
    strike: (scene) => scene.update(),
    mend: nothing,
  },
  {
    name: 'host drained',
    victim: 'follower',
    watchMs: 15_000,
    strike: async ({ lab, observer, victim }) => {
      await on(lab, observer, ['docker', 'node', 'update', '--availability', 'drain', victim])
    },
    mend: async ({ lab, observer, victim }) => {
      await on(lab, observer, ['docker', 'node', 'update', '--availability', 'active', victim])
    },
  },
  {
    name: 'host powered off',
    victim: 'follower',
    watchMs: 25_000,
    losesHost: true,
    strike: ({ lab, victim }) => lab.kill(victim),
    mend: ({ lab, victim }) => lab.start(victim),
  },
  {
    name: 'host cut from the network',
    victim: 'follower',
    watchMs: 25_000,
    losesHost: true,
    strike: ({ lab, victim }) => lab.cut(victim),
    mend: ({ lab, victim }) => lab.heal(victim),
  },
  {
    name: "leader's host powered off",
    victim: 'leader',
    watchMs: 45_000,
    losesHost: true,
    strike: ({ lab, victim }) => lab.kill(victim),
    mend: ({ lab, victim }) => lab.start(victim),
  },
  {
    name: 'agent killed',
    victim: 'follower',
    watchMs: 10_000,
    musterOnly: true,
    strike: agentDies,
    mend: nothing,
  },
  {
    name: "leader's agent killed",
    victim: 'leader',
    watchMs: 10_000,
    musterOnly: true,
    strike: agentDies,
    mend: nothing,
  },
  {
    name: 'dockerd killed',
    victim: 'follower',
    watchMs: 25_000,
    strike: ({ lab, victim }) => killEngine(lab, victim),
    mend: nothing,
  },
]
