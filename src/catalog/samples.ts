/** Parts of a catalog for tests, whole but for what a test says itself. */
import type { CatalogHost, CatalogService, Endpoint } from './model.ts'

export const sampleEndpoint = (id: string, over: Partial<Endpoint> = {}): Endpoint => ({
  id,
  host: 'h1',
  service: 's1',
  container: `c-${id}`,
  slot: 1,
  addresses: { net1: '10.0.1.5' },
  state: 'ready',
  ...over,
})

export const sampleHost = (id: string, over: Partial<CatalogHost> = {}): CatalogHost => ({
  id,
  name: `host-${id}`,
  address: '10.0.0.1',
  manager: false,
  leader: false,
  state: 'alive',
  engineDown: false,
  edge: {},
  ...over,
})

export const sampleService = (id: string, over: Partial<CatalogService> = {}): CatalogService => ({
  id,
  name: `stack_${id}`,
  stack: 'stack',
  virtualIps: { net1: '10.0.1.2' },
  networks: ['net1'],
  ports: [],
  http: [],
  ...over,
})
