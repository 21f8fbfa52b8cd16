import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { MusterError } from '../base/index.ts'
import { encodeFrame, encodeMessage, FRAME } from '../catalog/index.ts'
import { runCommand } from './run-command.ts'

const target = { host: 'h1', container: 'c1' }
const what = { command: ['report', 'it'], timeoutMs: 500 }

test('what the command prints and how it ends comes back', async () => {
  const serve = async (connection: Duplex) => {
    connection.write(encodeMessage({ type: 'started' }))
    connection.write(encodeFrame(FRAME.stdout, 'a long '))
    connection.write(encodeFrame(FRAME.stderr, 'warning'))
    connection.write(encodeFrame(FRAME.stdout, 'answer'))
    connection.end(encodeMessage({ type: 'exit', code: 3 }))
  }
  expect(await runCommand(serve, target, what)).toEqual({
    exit: 3,
    stdout: 'a long answer',
    stderr: 'warning',
  })
})

test('the request is what was asked for', async () => {
  const { promise, resolve } = Promise.withResolvers<object>()
  const refused = runCommand(
    async (_, request) => {
      resolve(request)
      throw new MusterError('NOT_FOUND', 'no such container')
    },
    target,
    what,
  )
  await expect(refused).rejects.toThrow('no such container')
  expect(await promise).toMatchObject({ ...target, command: ['report', 'it'], tty: false })
})

test('a command that does not end is not waited for', async () => {
  const hang = async (connection: Duplex) => {
    connection.write(encodeMessage({ type: 'started' }))
  }
  await expect(runCommand(hang, target, { ...what, timeoutMs: 50 })).rejects.toMatchObject({
    code: 'TIMEOUT',
  })
})
