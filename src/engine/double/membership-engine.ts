import { MusterError } from '../../base/index.ts'
import type { MembershipApi } from '../engine.ts'
import type { Facade } from './facade.ts'

/** MembershipApi of one host of the double, which has one swarm at most. */
export const membershipEngine = (facade: Facade): MembershipApi => {
  const { host, store, world } = facade
  const isMember = () => world.cluster.nodeOf(host) !== undefined
  const refuseMember = (doing: string) => {
    if (!isMember()) return
    const text =
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
    throw facade.refuse(503, text, doing)
  }
  return {
    initSwarm: async () => {
      const doing = 'start a cluster'
      facade.reach(doing)
      refuseMember(doing)
      if (store.all('cluster').length > 0) {
        throw new MusterError('ENGINE_REFUSED', 'The double has one swarm only.')
      }
      return { nodeId: world.cluster.form(host).id }
    },
    joinSwarm: async ({ remoteAddrs, token }) => {
      const doing = `join the cluster at ${remoteAddrs.join(', ')}`
      facade.reach(doing)
      refuseMember(doing)
      const addresses = new Set(remoteAddrs.map((address) => address.split(':')[0]))
      const managers = world.cluster.members.filter(
        (other) => world.cluster.isManager(other) && addresses.has(other.address),
      )
      if (!managers.some((other) => other.answers && !other.cut && !host.cut)) {
        throw facade.refuse(500, 'Timeout was reached before node joined.', doing)
      }
      const tokens = store.all('cluster')[0]?.tokens
      if (token !== tokens?.manager && token !== tokens?.worker) {
        throw facade.refuse(400, 'A valid join token is necessary to join this cluster', doing)
      }
      world.cluster.join(host, token === tokens.manager ? 'manager' : 'worker')
    },
    leaveSwarm: async ({ force = false } = {}) => {
      const doing = 'leave the cluster'
      facade.reach(doing)
      if (!isMember()) throw facade.refuse(503, 'This node is not part of a swarm', doing)
      if (world.cluster.isManager(host) && !force) {
        const text =
          'You are attempting to leave the swarm on a node that is participating as a manager.'
        throw facade.refuse(503, text, doing)
      }
      world.cluster.leave(host)
    },
  }
}
