import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LABEL, MusterError, systemClock, until } from '../base/index.ts'
import type { ContainerInspectResponse, ExecOptions } from '../engine/index.ts'
import { StartHooks } from './start-hooks.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-hooks-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Hooks in which `fail` ends with status 3 and `gone` cannot be run; tells what happened, in order. */
const start = (stuck?: Promise<void>) => {
  const told: string[] = []
  const settled = Promise.withResolvers<void>()
  const hooks = new StartHooks({
    engine: {
      exec: async (id, { command }: ExecOptions) => {
        await stuck
        const [what = ''] = command
        told.push(`exec ${id} ${what}`)
        if (what === 'away' && told.filter((each) => each.endsWith('away')).length === 1) {
          throw new MusterError('ENGINE_UNREACHABLE', 'no answer')
        }
        if (what === 'gone') throw new MusterError('NOT_FOUND', 'no such container')
        const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
        stdout.end()
        stderr.end(what === 'fail' ? 'no route to db\n' : '')
        const exited = Promise.resolve(what === 'fail' ? 3 : 0)
        return { stdin, stdout, stderr, exited, resize: async () => undefined }
      },
      killContainer: async (id) => {
        told.push(`kill ${id}`)
        settled.resolve()
      },
    },
    folder,
    clock: systemClock,
    say: async (pid, text) => void told.push(`say ${pid} ${text}`),
    onDone: (id) => {
      told.push(`done ${id}`)
      settled.resolve()
    },
    onProblem: (message) => told.push(`problem ${message}`),
  })
  return { hooks, told, settled: settled.promise }
}

const container = (commands: string[], over: object = {}): ContainerInspectResponse => ({
  Id: 'c1',
  State: { Running: true, Pid: 42 },
  Config: {
    Labels: {
      'com.docker.swarm.task.id': 't1',
      [LABEL.postStart]: JSON.stringify(commands.map((each) => ({ command: [each] }))),
    },
  },
  ...over,
})

test('hooks run once, in order, and the container waits for them', async () => {
  const { hooks, told, settled } = start()
  expect(hooks.pending(container(['one', 'two']))).toBe(true)
  expect(hooks.pending(container(['one', 'two']))).toBe(true)
  await settled
  expect(told).toEqual(['exec c1 one', 'exec c1 two', 'done c1'])
  expect(hooks.pending(container(['one', 'two']))).toBe(false)
})

test('an agent that restarts runs nothing again, until the container is gone', async () => {
  const first = start()
  first.hooks.pending(container(['one']))
  await first.settled
  const second = start()
  expect(second.hooks.pending(container(['one']))).toBe(false)
  second.hooks.forget('c1')
  expect(second.hooks.pending(container(['one']))).toBe(true)
  await second.settled
})

test('a hook that fails ends the container, which says why in its own output', async () => {
  const { hooks, told, settled } = start()
  expect(hooks.pending(container(['one', 'fail', 'two']))).toBe(true)
  await settled
  expect(told).toEqual([
    'exec c1 one',
    'exec c1 fail',
    expect.stringContaining('problem container c1: post_start[1] (fail)'),
    'say 42 muster: post_start[1] (fail) ended with status 3:\nno route to db\n',
    'kill c1',
  ])
  expect(hooks.pending(container(['one', 'fail', 'two']))).toBe(true)
})

test.each([
  ['cannot be run', container(['gone']), /post_start\[0\] \(gone\) could not be run/],
  [
    'nobody understands',
    container([], {
      Config: { Labels: { 'com.docker.swarm.task.id': 't1', [LABEL.postStart]: '{' } },
    }),
    /label muster\.post_start: not JSON/,
  ],
])('one that %s fails too', async (_, inspected, words) => {
  const { hooks, told, settled } = start()
  hooks.pending(inspected)
  await settled
  expect(told.join('\n')).toMatch(words)
})

test('an engine that goes away is no failure of a hook: it is begun anew', async () => {
  const { hooks, told, settled } = start()
  hooks.pending(container(['away']))
  await until('the problem', () => told.some((each) => each.startsWith('problem')), {
    timeoutMs: 2000,
  })
  hooks.pending(container(['away']))
  await settled
  expect(told).toEqual([
    'exec c1 away',
    'problem post_start of container c1: no answer',
    'exec c1 away',
    'done c1',
  ])
})

test('only containers of tasks that run have hooks', () => {
  const { hooks } = start()
  expect(hooks.pending(container(['one'], { State: { Running: false } }))).toBe(false)
  expect(hooks.pending(container(['one'], { Config: { Labels: {} } }))).toBe(false)
  const { Labels: _, ...own } = container(['one']).Config ?? {}
  expect(hooks.pending(container(['one'], { Config: own }))).toBe(false)
})
