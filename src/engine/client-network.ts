import { asNetwork, listOf, withText } from './decode.ts'
import type { NetworkApi } from './engine.ts'
import type { Transport } from './transport.ts'

/** NetworkApi over a transport. */
export const networkApi = (transport: Transport): NetworkApi => {
  const at = (id: string) => `/networks/${encodeURIComponent(id)}`
  return {
    listNetworks: async (filters) =>
      listOf(
        await transport.json({
          method: 'GET',
          path: '/networks',
          doing: 'list networks',
          query: { filters },
        }),
        asNetwork,
      ),
    inspectNetwork: async (id) =>
      asNetwork(await transport.json({ method: 'GET', path: at(id), doing: `read network ${id}` })),
    createNetwork: async (request) =>
      withText(
        await transport.json({
          method: 'POST',
          path: '/networks/create',
          doing: `create network ${request.Name}`,
          // Names are not unique for the engine unless it is told that they are.
          body: { CheckDuplicate: true, ...request },
        }),
        'Id',
      ),
    removeNetwork: async (id) => {
      await transport.text({ method: 'DELETE', path: at(id), doing: `remove network ${id}` })
    },
    connectNetwork: async (id, containerId, { aliases } = {}) => {
      await transport.text({
        method: 'POST',
        path: `${at(id)}/connect`,
        doing: `connect container ${containerId} to network ${id}`,
        body: {
          Container: containerId,
          ...(aliases !== undefined && { EndpointConfig: { Aliases: aliases } }),
        },
        // An attachable network reaches this host through the cluster's managers.
        limitMs: 30_000,
      })
    },
    disconnectNetwork: async (id, containerId, { force } = {}) => {
      await transport.text({
        method: 'POST',
        path: `${at(id)}/disconnect`,
        doing: `disconnect container ${containerId} from network ${id}`,
        body: { Container: containerId, ...(force !== undefined && { Force: force }) },
      })
    },
  }
}
