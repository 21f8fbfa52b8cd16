import { expect, it } from 'vitest'
import { parseListening } from './listening.ts'

it('finds the ports that cannot be bound on 0.0.0.0', () => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue\n'
  const tcp = [
    '   0: 0100007F:0016 00000000:0000 0A 00000000:00000000',
    '   1: 00000000:0050 00000000:0000 0A 00000000:00000000',
    '   2: 0A4D000A:1F90 0B4D000A:C350 01 00000000:00000000',
  ].join('\n')
  const tcp6 = [
    '   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0',
    '   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 0',
  ].join('\n')
  expect(parseListening(head + tcp, head + tcp6)).toEqual(new Set([22, 80, 443]))
  expect(parseListening(head, '')).toEqual(new Set())
})
