import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { FRAME, type Frame, TUNABLES, encodeMessage } from '../catalog/index.ts'
import { type CloseReason, Connection } from './connection.ts'

/** A connection to a peer that takes what is written only when it is told to. */
const start = () => {
  let now = 0
  let taken: (() => void) | undefined
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      taken = done
    },
  })
  const frames: Frame[] = []
  const closed = Promise.withResolvers<CloseReason>()
  let drains = 0
  const connection = new Connection(socket, {
    now: () => now,
    onFrame: (frame) => frames.push(frame),
    onClose: (reason) => closed.resolve(reason),
    onDrain: () => drains++,
  })
  return {
    socket,
    connection,
    frames,
    closed: closed.promise,
    pass: (ms: number) => (now += ms),
    take: async () => {
      taken?.()
      await new Promise(setImmediate)
    },
    drains: () => drains,
  }
}
const big = Buffer.alloc(2 * TUNABLES.backlogBytes)

test('a peer that takes nothing is congested, and in the end stuck', async () => {
  const { connection, pass, take, drains } = start()
  expect(connection.write(big)).toBe(false)
  expect(connection.congested).toBe(true)
  pass(TUNABLES.write - 1)
  expect(connection.stuck).toBe(false)
  await take()
  expect([connection.congested, drains()]).toEqual([false, 1])
  pass(TUNABLES.write)
  expect(connection.stuck).toBe(false)
  connection.write(big)
  pass(TUNABLES.write + 1)
  expect(connection.stuck).toBe(true)
})

test('whatever is heard ends the silence, also half a frame', async () => {
  const { connection, socket, frames, pass } = start()
  pass(900)
  expect(connection.silence).toBe(900)
  const frame = encodeMessage({ type: 'beat' })
  socket.push(frame.subarray(0, 3))
  await new Promise(setImmediate)
  expect([connection.silence, frames.length]).toEqual([0, 0])
  socket.push(frame.subarray(3))
  await new Promise(setImmediate)
  expect(frames.map(({ type }) => type)).toEqual([FRAME.json])
})

test('garbage closes it as corrupt, a peer that leaves as closed', async () => {
  const first = start()
  first.socket.push(Buffer.from('this is no frame at all'))
  expect(await first.closed).toBe('corrupt')
  const second = start()
  second.socket.push(null)
  expect(await second.closed).toBe('closed')
})
