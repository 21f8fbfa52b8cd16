import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CorruptMessage } from './decode.ts'
import { type Frame, type FrameType, encodeFrame, frameDecoder } from './frames.ts'
import { decodeDownward, decodeExecUpward, decodeHello, decodeUpward } from './messages.ts'

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<FrameType>,
  payload: fc.uint8Array({ maxLength: 300 }),
})

test('frames survive however the bytes are cut up', () => {
  fc.assert(
    fc.property(fc.array(anyFrame), fc.array(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)))
      const push = frameDecoder()
      const got: Frame[] = []
      let at = 0
      for (let i = 0; at < bytes.length; i++) {
        const length = cuts[i] ?? 7
        got.push(...push(bytes.subarray(at, at + length)))
        at += length
      }
      expect(got.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) }))).toEqual(
        frames.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) })),
      )
    }),
  )
})

test('a frame that is too long is refused before its bytes have come', () => {
  const push = frameDecoder(1000)
  const header = Buffer.alloc(5)
  header.writeUInt32BE(1002)
  expect(() => push(header)).toThrow(CorruptMessage)
})

test('garbage is refused or incomplete, and never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
      try {
        frameDecoder(100)(garbage)
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptMessage)
      }
    }),
  )
})

test('any JSON is a message or a CorruptMessage', () => {
  const type = fc.constantFrom(
    'report',
    'usage',
    'follow',
    'delta',
    'snapshot',
    'part',
    'exec',
    'hello',
  )
  const message = fc.oneof(
    fc.json(),
    fc
      .record({ type, changes: fc.jsonValue(), request: fc.jsonValue(), seq: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc.string(),
  )
  fc.assert(
    fc.property(message, (json) => {
      for (const decode of [decodeHello, decodeUpward, decodeDownward, decodeExecUpward]) {
        try {
          decode(Buffer.from(json))
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptMessage)
        }
      }
    }),
  )
})

test.each([
  ['an address that is not one', { addresses: { net1: '10.0.0.1; flush ruleset' } }],
  ['an id with a line break', { id: 'a\nb' }],
  ['a state nobody knows', { state: 'fine' }],
  ['a slot below 0', { slot: -1 }],
])('a report with %s is corrupt', (_, over) => {
  const endpoint = {
    id: 't',
    host: 'h',
    service: 's',
    container: 'c',
    slot: 1,
    addresses: {},
    state: 'ready',
    ...over,
  }
  const report = {
    type: 'report',
    seq: 1,
    full: true,
    endpoints: [endpoint],
    gone: [],
    leaving: [],
    engineDown: false,
  }
  expect(() => decodeUpward(Buffer.from(JSON.stringify(report)))).toThrow(CorruptMessage)
})
