import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../base/index.ts'
import { Supervised, restartDelay, supervise } from './supervisor.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervisor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const program = (script: string) => ({
  name: 'thing',
  command: 'sh',
  args: ['-c', script],
  logFile: join(folder, 'log', 'thing.log'),
})
const log = () => readFileSync(join(folder, 'log', 'thing.log'), 'utf8')

test('the first restart comes fast, later ones ever slower, up to a limit', () => {
  const delays = [0, 1, 2, 3, 10, 100, 10_000].map(restartDelay)
  expect(delays[0]).toBe(200)
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(delays.at(-1)).toBe(5000)
})

test('a program that is killed runs again, with its output kept', async () => {
  const events: string[] = []
  await using thing = new Supervised(program('echo start; exec sleep 60'), (line) =>
    events.push(line),
  )
  thing.start()
  const first = await until('the first start', () => thing.pid, { timeoutMs: 2000 })
  await until('its output', () => log() === 'start\n', { timeoutMs: 2000 })
  process.kill(first, 'SIGKILL')
  await until('a second start', () => thing.pid !== undefined && thing.pid !== first, {
    timeoutMs: 2000,
  })
  await until('its output', () => log() === 'start\nstart\n', { timeoutMs: 2000 })
  expect(events[1]).toBe('thing was killed by SIGKILL; starting it again in 200 ms')
})

test('a program that does not exist is reported and does not end the supervisor', async () => {
  const events: string[] = []
  await using thing = new Supervised({ ...program(''), command: '/does/not/exist' }, (line) =>
    events.push(line),
  )
  thing.start()
  await until('two tries', () => events.length >= 2, { timeoutMs: 3000 })
  expect(events[0]).toMatch(/thing did not start: .*ENOENT/)
})

test('a program that ignores the request to end is killed after its time', async () => {
  const thing = new Supervised(
    program('trap "" TERM; echo ready; while :; do sleep 1; done'),
    () => undefined,
  )
  thing.start()
  await until('its start', () => thing.pid !== undefined && log() === 'ready\n', {
    timeoutMs: 2000,
  })
  const startedAt = performance.now()
  await thing.stop(100)
  expect(performance.now() - startedAt).toBeLessThan(1500)
  expect(thing.pid).toBeUndefined()
})

test('supervise ends every program when asked to', async () => {
  const ending = new AbortController()
  const events: string[] = []
  const done = supervise([program('exec sleep 60')], {
    signal: ending.signal,
    onEvent: (line) => events.push(line),
  })
  await until('the start', () => events.length === 1, { timeoutMs: 2000 })
  ending.abort()
  await done
  expect(events).toHaveLength(1)
})
