import { expect, test } from 'vitest'
import { localRanges } from './transparency.ts'

const one = (address: string, bits: number) => [
  {
    family: 'IPv4' as const,
    address,
    netmask: '',
    mac: '',
    internal: false,
    cidr: `${address}/${bits}`,
  },
]

test('the host itself and what Docker bridges to it is local, the network around it is not', () => {
  expect(
    localRanges({
      lo: one('127.0.0.1', 8),
      eth0: one('10.90.0.11', 24),
      docker0: one('172.17.0.1', 16),
      docker_gwbridge: one('172.18.0.1', 16),
      'br-0123456789ab': one('172.19.0.1', 16),
      'br-lan': one('192.168.1.1', 24),
    }),
  ).toEqual([
    '10.90.0.11/32',
    '127.0.0.0/8',
    '172.17.0.1/16',
    '172.18.0.1/16',
    '172.19.0.1/16',
    '192.168.1.1/32',
  ])
})
