import { expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import { edgeSight, isEdge, subnetOf } from './edge-sight.ts'

const inspected = {
  Id: 'c1',
  State: { Running: true },
  Config: { Labels: { [LABEL.edge]: 'hash' } },
  NetworkSettings: {
    SandboxKey: '/var/run/docker/netns/abc',
    Networks: {
      bridge: {
        NetworkID: 'b',
        IPAddress: '172.17.0.2',
        IPPrefixLen: 16,
        MacAddress: '02:42:ac:11:00:02',
      },
      shop_default: {
        NetworkID: 'net1',
        IPAddress: '10.0.1.7',
        IPPrefixLen: 24,
        MacAddress: '02:42:0A:00:01:07',
      },
    },
  },
}

test('the edge is at its places on overlay networks, while it runs', () => {
  const isOverlay = (network: string) => network !== 'b'
  expect(isEdge(inspected)).toBe(true)
  expect(isEdge({ ...inspected, Config: { Labels: {} } })).toBe(false)
  expect(edgeSight(inspected, isOverlay)).toEqual({
    container: 'c1',
    netns: '/var/run/docker/netns/abc',
    places: { net1: { address: '10.0.1.7', mac: '02:42:0a:00:01:07', subnet: '10.0.1.0/24' } },
  })
  expect(edgeSight({ ...inspected, State: { Running: false } }, isOverlay)).toBeNull()
})

test.each([
  ['10.0.1.7', 24, '10.0.1.0/24'],
  ['10.0.255.255', 20, '10.0.240.0/20'],
  ['10.11.12.13', 8, '10.0.0.0/8'],
  ['10.0.0.3', 32, '10.0.0.3/32'],
  ['10.0.0.3', 31, '10.0.0.2/31'],
])('%s in a network of %i bits is in %s', (address, bits, subnet) => {
  expect(subnetOf(address, bits)).toBe(subnet)
})
