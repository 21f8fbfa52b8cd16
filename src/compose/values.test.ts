import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isIP } from 'node:net'
import { isIpAddress } from './ip.ts'
import { plainScalar } from './scalars.ts'
import { formatDuration, formatMode, parseBytes, parseDuration } from './units.ts'

describe('plainScalar reads as the reference does', () => {
  test.each<[string, unknown, string?]>([
    ['0440', 288],
    ['0o440', 288],
    ['0x1f', 31],
    ['0b101', 5],
    ['-017', -15],
    ['1_000', 1000],
    ['12345678901234567890', 12_345_678_901_234_567_890n],
    ['1e3', 1000, '1000'],
    ['1000000.0', 1_000_000, '1e+06'],
    ['.5', 0.5, '0.5'],
    ['0.00001', 0.000_01, '1e-05'],
    ['yes', 'yes'],
    ['on', 'on'],
    ['y', 'y'],
    ['True', true],
    ['~', null],
    ['', null],
    ['22:22', '22:22'],
    ['1.2.3', '1.2.3'],
    ['08', 8, '8'],
    ['0_', 0],
    ['2024-01-01', '2024-01-01 00:00:00 +0000 UTC', '2024-01-01 00:00:00 +0000 UTC'],
    ['2024-13-01', '2024-13-01'],
    ['2024-01-01T10:00:00Z', '2024-01-01 10:00:00 +0000 UTC', '2024-01-01 10:00:00 +0000 UTC'],
  ])('%s', (text, value, print) => {
    expect(plainScalar(text)).toEqual(print === undefined ? { value } : { value, print })
  })
})

describe('units', () => {
  test.each([
    ['1024', 1024],
    ['64m', 67_108_864],
    ['1.5 GiB', 1_610_612_736],
    ['640kb', 655_360],
    ['10B', 10],
    ['-1', -1],
    ['lots', undefined],
    ['1ib', undefined],
    ['', undefined],
  ])('size %s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  test.each([
    ['1m30s', 90_000_000_000, '1m30s'],
    ['500ms', 500_000_000, '500ms'],
    ['1.5h', 5_400_000_000_000, '1h30m0s'],
    ['2d', 172_800_000_000_000, '48h0m0s'],
    ['0', 0, '0s'],
    ['60s', 60_000_000_000, '1m0s'],
  ])('time %s', (text, nanoseconds, printed) => {
    expect(parseDuration(text)).toBe(nanoseconds)
    expect(formatDuration(nanoseconds)).toBe(printed)
  })

  test.each(['10', 's', '1x', '1s ', ''])('%s is no time', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  test('a printed time reads as the same time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 15 }), (nanoseconds) => {
        expect(parseDuration(formatDuration(nanoseconds))).toBe(nanoseconds)
      }),
    )
  })

  test('permission bits are printed in octal', () => {
    expect(formatMode(0o440)).toBe('0440')
  })
})

test('addresses are those that Node knows', () => {
  const near = fc.string({ unit: fc.constantFrom(...'0123456789abf:.'.split('')), maxLength: 24 })
  const parts = fc.array(fc.constantFrom('1', 'ff', '1234', '', '1.2.3.4', '12345', '256.1.1.1'), {
    maxLength: 9,
  })
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    near,
    parts.map((groups) => groups.join(':')),
  )
  fc.assert(
    fc.property(address, (text) => {
      expect(isIpAddress(text)).toBe(isIP(text) !== 0)
    }),
    { numRuns: 1000 },
  )
})
