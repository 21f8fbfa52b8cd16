import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { LABEL, systemClock } from '../base/index.ts'
import type { ContainerInspectResponse } from '../engine/index.ts'
import { ListenGate, wouldAnswer } from './listen-gate.ts'

const on = (port: number, loopback = false) => ({ port, everywhere: !loopback, loopback })

test.each([
  ['nothing yet', [], [], 100, false],
  ['its port', [80], [on(80)], 100, true],
  ['another port than it exposes, at first', [80], [on(8080)], 100, false],
  ['another port than it exposes, for good', [80], [on(8080)], 2000, true],
  ['any port, and it exposes none', [], [on(8080)], 100, true],
  ['only to itself', [], [on(8080, true)], 100, false],
  ['nothing, and it exposes none', [], [], 2000, true],
  ['nothing, and it exposes a port', [80], [], 9_999, false],
  ['nothing, ever', [80], [], 10_000, true],
])('listens to %s', (...[, exposed, listeners, age, answers]) => {
  expect(wouldAnswer({ exposed, listeners, age })).toBe(answers)
})

let server: Server | undefined
afterEach(() => server?.close())

const freePort = async (): Promise<number> => {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

/** This process, as if it were the first of a container that has just started. */
const inspected = (port: number, over: object = {}, labels = {}): ContainerInspectResponse => ({
  Id: 'c1',
  State: {
    Running: true,
    Pid: process.pid,
    StartedAt: new Date().toISOString(),
    ...over,
  },
  Config: { ExposedPorts: { [`${port}/tcp`]: {} }, Labels: labels },
})

test('a process gets traffic from the moment at which it listens', async () => {
  const port = await freePort()
  const listens = Promise.withResolvers<string>()
  using gate = new ListenGate({
    clock: systemClock,
    wallClock: () => Date.now(),
    onDone: listens.resolve,
  })
  const container = inspected(port)
  expect(gate.pending(container)).toBe(true)
  expect(gate.pending(container)).toBe(true)
  server = createServer().listen(port)
  expect(await listens.promise).toBe('c1')
  expect(gate.pending(container)).toBe(false)
})

test('a health check and a recipe know better, and what has ended is not watched', async () => {
  const port = await freePort()
  using gate = new ListenGate({
    clock: { now: () => 0, sleep: () => expect.fail('it is watched') },
    wallClock: () => Date.now(),
    onDone: () => expect.fail('it is announced'),
  })
  expect(gate.pending(inspected(port, { Health: { Status: 'starting' } }))).toBe(false)
  expect(gate.pending(inspected(port, {}, { [LABEL.memberOf]: 'db' }))).toBe(false)
  expect(gate.pending(inspected(port, { Running: false }))).toBe(false)
  expect(gate.pending(inspected(port, { StartedAt: '2020-01-01T00:00:00Z' }))).toBe(false)
})
