/** Parts of a catalog for tests, whole but for what a test says itself. */
import { type Ledger, type MemberReport, newLedger } from './clusters.ts'
import type { Cluster } from './heads.ts'
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

export const sampleMember = (id: string, over: Partial<MemberReport> = {}): MemberReport => ({
  id,
  cluster: 'shop_db',
  host: 'h1',
  volume: `volume-${id}`,
  data: 'good',
  process: 'rest',
  epoch: 1,
  position: null,
  recovered: false,
  clean: false,
  founded: 0,
  snapshot: null,
  restored: null,
  status: null,
  ready: false,
  container: null,
  addresses: {},
  problem: null,
  ...over,
})

export const sampleLedger = (over: Partial<Ledger> = {}): Ledger => ({
  ...newLedger('shop_db', 'galera', 'uid1'),
  ...over,
})

export const sampleCluster = (id: string, over: Partial<Ledger> = {}): Cluster => ({
  id,
  ledger: sampleLedger({ cluster: id, ...over }),
  head: null,
})
