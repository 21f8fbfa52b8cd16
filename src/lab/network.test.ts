import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { chooseOctet, labNetwork, parseRange } from './network.ts'

test('the first lab gets 10.90.0.0/24', () => {
  expect(chooseOctet([], [])).toBe(0)
})

test('a default route is in nobody’s way', () => {
  expect(chooseOctet([{ address: '0.0.0.0', prefix: 0 }], [])).toBe(0)
})

test('a range that covers all of it leaves nothing', () => {
  expect(() => chooseOctet([{ address: '10.0.0.0', prefix: 8 }], [])).toThrow(/No free network/)
})

test('the network that is chosen overlaps nothing that is in use, and none is skipped', () => {
  const range = fc.record({
    address: fc.tuple(fc.nat(255), fc.nat(255)).map(([c, d]) => `10.90.${c}.${d}`),
    prefix: fc.integer({ min: 18, max: 32 }),
  })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), fc.array(fc.nat(40)), (ranges, labs) => {
      // The obvious way: is any address of the /24 in the range, or the other way round?
      const thirds = ({ address, prefix }: { address: string; prefix: number }): number[] => {
        const third = Number(address.split('.')[2])
        const size = prefix >= 24 ? 1 : 2 ** (24 - prefix)
        const first = Math.floor(third / size) * size
        return Array.from({ length: size }, (_, i) => first + i)
      }
      const taken = new Set([...labs, ...ranges.flatMap(thirds)])
      const free = Array.from({ length: 256 }, (_, i) => i).filter((octet) => !taken.has(octet))
      fc.pre(free.length > 0)
      expect(chooseOctet(ranges, labs)).toBe(free[0])
    }),
  )
})

test('hosts have addresses from .11 on and a hardware address of their own', () => {
  const network = labNetwork(3)
  expect(network.host('host-1')).toBe('10.90.3.11')
  expect(network.host('host-12')).toBe('10.90.3.22')
  expect(network.mac('host-1')).not.toBe(network.mac('host-2'))
  expect(labNetwork(4).mac('host-1')).not.toBe(network.mac('host-1'))
})

test('ranges are read from what ip prints', () => {
  expect(parseRange('10.0.0.0/8')).toEqual({ address: '10.0.0.0', prefix: 8 })
  expect(parseRange('192.0.2.1')).toEqual({ address: '192.0.2.1', prefix: 32 })
  expect(parseRange('default')).toBeUndefined()
})
