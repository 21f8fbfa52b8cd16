import { MusterError } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import { joinAddress } from './address.ts'

export interface JoinOptions {
  address: string
  token: string
  advertiseAddr?: string
}

/** What a host knows of its own place in a cluster. */
export interface Membership {
  /** False when the host was already in the cluster: nothing was done. */
  joined: boolean
  role: 'manager' | 'worker'
}

/** Puts this host into the cluster of the manager at `address`. The token is all it needs. */
export const joinCluster = async (engine: Engine, options: JoinOptions): Promise<Membership> => {
  const remote = joinAddress(options.address)
  if (!/^SWMTKN-1-[0-9a-z]+-[0-9a-z]+$/.test(options.token)) {
    throw new MusterError('USAGE', 'That is not a join token (they begin with SWMTKN-1-).', {
      hint: 'On a manager, `muster token` prints the whole command.',
    })
  }
  const before = (await engine.info()).Swarm
  if (before?.LocalNodeState === 'active') {
    return { joined: false, role: before.ControlAvailable ? 'manager' : 'worker' }
  }
  await engine.joinSwarm({
    remoteAddrs: [remote],
    token: options.token,
    ...(options.advertiseAddr === undefined ? {} : { advertiseAddr: options.advertiseAddr }),
  })
  const after = (await engine.info()).Swarm
  return { joined: true, role: after?.ControlAvailable ? 'manager' : 'worker' }
}

/** The two join tokens, and the address a new host joins at. */
export interface JoinTokens {
  manager: string
  worker: string
  address: string
}

/** Join tokens of the cluster. `rotate` makes a new one for a role; the old one stops working. */
export const joinTokens = async (engine: Engine): Promise<JoinTokens> => {
  const [swarm, info] = await Promise.all([engine.inspectSwarm(), engine.info()])
  const { Manager: manager, Worker: worker } = swarm.JoinTokens ?? {}
  const self = await engine.inspectNode(info.Swarm?.NodeID ?? 'self')
  const address = self.ManagerStatus?.Addr
  if (!manager || !worker || !address) {
    throw new MusterError(
      'NOT_A_MANAGER',
      'This host has no join tokens to show: it is not a manager.',
    )
  }
  return { manager, worker, address }
}
