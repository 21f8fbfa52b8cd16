import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { parseListeners } from './listeners.ts'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue\n'

test('who listens, and who can reach it', () => {
  const tcp = [
    '   0: 0100007F:0016 00000000:0000 0A 00000000:00000000',
    '   1: 00000000:0050 00000000:0000 0A 00000000:00000000',
    '   2: 0A4D000A:1F90 0B4D000A:C350 01 00000000:00000000',
    '   3: 0B00007F:A3C1 00000000:0000 0A 00000000:00000000',
    '   4: 0A4D000A:0035 00000000:0000 07 00000000:00000000',
    '   5: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 0',
    '   6: 0000000000000000FFFF00000100007F:0278 00000000000000000000000000000000:0000 0A 0',
    '   7: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0',
  ].join('\n')
  expect(
    parseListeners(HEAD + tcp).map((each) => [each.port, each.everywhere, each.loopback]),
  ).toEqual([
    [22, false, true],
    [80, true, false],
    [41_921, false, true],
    [53, false, false],
    [631, false, true],
    [632, false, true],
    [443, true, false],
  ])
  expect(parseListeners('')).toEqual([])
})

test('a real one', async () => {
  for (const [host, everywhere, loopback] of [
    ['127.0.0.1', false, true],
    ['0.0.0.0', true, false],
  ] as const) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    const { port } = server.address() as AddressInfo
    expect(parseListeners(readFileSync('/proc/self/net/tcp', 'utf8'))).toContainEqual({
      port,
      everywhere,
      loopback,
    })
    server.close()
  }
})
