import type { NetworkApi } from '../engine.ts'
import type { Network } from '../types.ts'
import { allocateNetwork, giveBack, takeAddress } from './control/allocator.ts'
import type { Facade } from './facade.ts'
import { applyFilters, type Matchers, matchesLabel, withAllLabels } from './filters.ts'
import { plain } from './normalise.ts'
import { showNetwork } from './present.ts'

const networkMatchers: Matchers<Network> = {
  id: ({ Id }, wanted) => Id.startsWith(wanted),
  name: ({ Name }, wanted) => Name.includes(wanted),
  label: ({ Labels }, wanted) => matchesLabel(Labels, wanted),
  driver: ({ Driver }, wanted) => Driver === wanted,
  scope: ({ Scope }, wanted) => Scope === wanted,
}

/** NetworkApi of one host of the double. */
export const networkEngine = (facade: Facade): NetworkApi => {
  const { host, world, store } = facade
  const find = (wanted: string, doing: string) => {
    facade.reach(doing)
    return facade.find('network', wanted, doing)
  }
  const containerOf = (id: string, doing: string) => {
    const container = host.find(id)
    if (container === undefined) throw facade.refuse(404, `No such container: ${id}`, doing)
    return container
  }
  const visible = () =>
    store.all('network').filter((network) => [undefined, host.name].includes(network.host))

  return {
    listNetworks: async (filters) => {
      const doing = 'list networks'
      facade.reach(doing)
      const how = { matchers: networkMatchers, doing }
      const found = applyFilters(visible().map(showNetwork), filters, how)
      return withAllLabels(found, filters, ({ Labels }) => Labels)
    },
    inspectNetwork: async (id) => showNetwork(find(id, `read network ${id}`)),
    createNetwork: async (given) => {
      const doing = `create network ${given.Name}`
      const request = plain(given)
      const overlay = request.Driver === 'overlay'
      if (overlay) facade.manage(doing)
      else facade.reach(doing)
      if (visible().some(({ name }) => name === request.Name)) {
        throw facade.refuse(409, `network with name ${request.Name} already exists`, doing)
      }
      const { id } = store.create('network', world.random.id(), {
        name: request.Name,
        request,
        host: overlay ? undefined : host.name,
        subnet: '',
        gateway: '',
        lastAddress: 1,
        taken: new Set(),
      })
      // The leader gives the cluster's networks their subnets, a moment later.
      if (!overlay) allocateNetwork(store, id)
      return { Id: id }
    },
    removeNetwork: async (wanted) => {
      const doing = `remove network ${wanted}`
      const network = find(wanted, doing)
      if (network.host === undefined) facade.manage(doing)
      const user = store
        .all('service')
        .find(({ spec }) =>
          spec.TaskTemplate?.Networks?.some(({ Target }) => Target === network.id),
        )
      if (user !== undefined) {
        const text = `network ${network.id} is in use by service ${user.id}`
        throw facade.refuse(400, text, doing)
      }
      // A container that has ended has given its endpoints back.
      const attached = [...host.containers.values()].some(
        ({ status, attachments }) => status === 'running' && attachments.has(network.id),
      )
      if (attached) {
        const text = `error while removing network: network ${network.name} has active endpoints`
        throw facade.refuse(403, text, doing)
      }
      store.remove('network', network.id)
    },
    connectNetwork: async (id, containerId, { aliases = [] } = {}) => {
      const doing = `connect container ${containerId} to network ${id}`
      facade.reach(doing)
      const container = containerOf(containerId, doing)
      const network = visible().find((each) => each.id === id || each.name === id)
      if (network === undefined) {
        const text = `Could not attach to network ${id}: network ${id} not found`
        throw facade.refuse(403, text, doing)
      }
      if (network.host === undefined && network.request.Attachable !== true) {
        const text = `Could not attach to network ${network.name}: network ${network.name} not manually attachable`
        throw facade.refuse(403, text, doing)
      }
      if (container.attachments.has(network.id)) {
        const text = `${container.options.name} is already attached to network ${network.name}`
        throw facade.refuse(409, text, doing)
      }
      if (network.subnet === '') allocateNetwork(store, network.id)
      const [address = '', prefix = ''] = takeAddress(store, network.id).address.split('/')
      const prefixLength = Number(prefix)
      host.attach(container, { networkId: network.id, address, prefixLength, aliases })
    },
    disconnectNetwork: async (id, containerId) => {
      const doing = `disconnect container ${containerId} from network ${id}`
      const network = find(id, doing)
      const container = containerOf(containerId, doing)
      const attachment = container.attachments.get(network.id)
      if (attachment === undefined) {
        const text = `container ${container.id} is not connected to network ${network.name}`
        throw facade.refuse(403, text, doing)
      }
      host.detach(container, network.id)
      const { address, prefixLength } = attachment
      giveBack(store, [{ networkId: network.id, address: `${address}/${prefixLength}` }])
    },
  }
}
