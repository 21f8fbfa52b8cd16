import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMount } from './mounts.ts'
import { parsePort } from './ports.ts'
import { splitWords } from './words.ts'

describe('parsePort', () => {
  test.each([
    ['80', [{ target: 80, protocol: 'tcp' }]],
    ['8080:80/udp', [{ target: 80, published: '8080', protocol: 'udp' }]],
    [
      '127.0.0.1:8080:80',
      [{ target: 80, published: '8080', host_ip: '127.0.0.1', protocol: 'tcp' }],
    ],
    ['[::1]:8080:80', [{ target: 80, published: '8080', host_ip: '::1', protocol: 'tcp' }]],
    ['127.0.0.1::80', [{ target: 80, host_ip: '127.0.0.1', protocol: 'tcp' }]],
    ['8000-8010:80', [{ target: 80, published: '8000-8010', protocol: 'tcp' }]],
    [
      '80-81:90-91',
      [
        { target: 90, published: '80', protocol: 'tcp' },
        { target: 91, published: '81', protocol: 'tcp' },
      ],
    ],
  ])('%s', (spec, ports) => {
    expect(parsePort(spec)).toEqual(ports)
  })

  test.each([
    '',
    'a',
    '80:',
    '80/http',
    '70000',
    '90-80',
    '1-3:1-2',
    '1.2.3:80:80',
    '-1',
    '80:80:80:80',
  ])('%s is refused in words', (spec) => {
    expect(parsePort(spec)).toMatchObject({ wrong: expect.any(String) as string })
  })

  test('never throws, never makes a port that cannot be', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'0123456789:-/.[]tcpu'.split('')) }),
        (spec) => {
          const parsed = parsePort(spec)
          if (!('wrong' in parsed))
            for (const { target } of parsed) expect(target).toBeLessThan(65_536)
        },
      ),
    )
  })
})

describe('parseMount', () => {
  test.each([
    ['/data', { type: 'volume', target: '/data', volume: {} }],
    ['data:/data/', { type: 'volume', source: 'data', target: '/data', volume: {} }],
    [
      './a:/b:ro,z',
      {
        type: 'bind',
        source: './a',
        target: '/b',
        read_only: true,
        bind: { create_host_path: true, selinux: 'z' },
      },
    ],
    [
      'data:/data:nocopy',
      { type: 'volume', source: 'data', target: '/data', volume: { nocopy: true } },
    ],
    [
      String.raw`C:\a:D:\b:ro`,
      {
        type: 'bind',
        source: String.raw`C:\a`,
        target: String.raw`D:\b`,
        read_only: true,
        bind: { create_host_path: true },
      },
    ],
    [
      '/tmp:/x/${V:-a:b}',
      { type: 'bind', source: '/tmp', target: '/x/${V:-a:b}', bind: { create_host_path: true } },
    ],
  ])('%s', (spec, mount) => {
    expect(parseMount(spec)).toEqual(mount)
  })

  test.each(['', ':/x', '/a::ro', '/a:/b:ro:x'])('%s is refused in words', (spec) => {
    expect(parseMount(spec)).toMatchObject({ wrong: expect.any(String) as string })
  })
})

describe('splitWords', () => {
  test.each([
    ['echo "a b" c\\ d', ['echo', 'a b', 'c d']],
    [`sh -c 'a && b'`, ['sh', '-c', 'a && b']],
    ['  ', []],
    ['""', ['']],
    ['a$(b c)d', ['a$(b c)d']],
  ])('%s', (line, words) => {
    expect(splitWords(line)).toEqual({ words })
  })

  test('an unquoted shell operator ends the command, and what is lost is told', () => {
    expect(splitWords('echo a && b')).toEqual({ words: ['echo', 'a'], dropped: '&& b' })
  })

  test.each(['"a', "'a", 'a(b)', 'a\\'])('%s is open', (line) => {
    expect(splitWords(line)).toBeUndefined()
  })

  test('any words survive being quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii' })), (words) => {
        const line = words.map((word) => `"${word.replaceAll(/["\\]/g, '\\$&')}"`).join(' ')
        expect(splitWords(line)).toEqual({ words })
      }),
    )
  })
})
