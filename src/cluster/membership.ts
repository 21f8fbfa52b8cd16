import { type Clock, MusterError, until } from '../base/index.ts'
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

/**
 * Takes this host out of its cluster. A manager first becomes a worker, so that the managers that
 * stay do not count it as lost; the last manager takes the cluster with it and must be forced.
 */
export const leaveCluster = async (
  engine: Engine,
  options: { force: boolean; clock: Clock },
): Promise<{ left: boolean }> => {
  const swarm = (await engine.info()).Swarm
  if (swarm?.LocalNodeState === 'inactive') return { left: false }
  if (
    swarm?.LocalNodeState === 'active' &&
    swarm.ControlAvailable &&
    swarm.NodeID &&
    !options.force
  ) {
    await demoteSelf(engine, swarm.NodeID, options.clock)
  }
  try {
    await engine.leaveSwarm({ force: options.force })
  } catch (error) {
    // The engine gives itself ten seconds to stop its part of the swarm. A busy one says that it
    // did not make it, and has often left all the same; a worker may safely be told again.
    if (!(error instanceof MusterError)) throw error
    const now = (await engine.info()).Swarm
    if (now?.LocalNodeState === 'inactive') return { left: true }
    if (now?.ControlAvailable) throw error
    await engine.leaveSwarm({ force: true })
  }
  return { left: true }
}

const DEMOTION_LIMIT_MS = 30_000

const demoteSelf = async (engine: Engine, nodeId: string, clock: Clock): Promise<void> => {
  const managers = await engine.listNodes({ role: ['manager'] })
  if (managers.length === 1) {
    throw new MusterError(
      'ENGINE_REFUSED',
      'This is the last manager: leaving ends the cluster and everything in it.',
      {
        hint: 'If that is what you want: muster leave --force.',
      },
    )
  }
  const self = managers.find((node) => node.ID === nodeId)
  if (self === undefined) return
  await engine.updateNode(nodeId, self.Version.Index, { ...self.Spec, Role: 'worker' })
  // The engine swaps its certificate before it is a worker; leaving earlier is refused.
  await until(
    'this host to become a worker',
    async () => !(await engine.info()).Swarm?.ControlAvailable,
    {
      timeoutMs: DEMOTION_LIMIT_MS,
      intervalMs: 200,
      clock,
      hint: 'Look at `muster node ls` on another manager, then try again.',
    },
  )
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
