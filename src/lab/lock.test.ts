import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { takeLock } from './lock.ts'

const LOCK = new URL('lock.ts', import.meta.url).pathname
let count = 0
const freshName = () => `test-${process.pid}-${count++}`

test('two holders never overlap, and everybody gets a turn', async () => {
  const name = freshName()
  let inside = 0
  let turns = 0
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      await using _lock = await takeLock(name, { timeoutMs: 5000 })
      expect(++inside).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
      turns++
    }),
  )
  expect(turns).toBe(8)
})

test('who waits too long is told so', async () => {
  const name = freshName()
  await using _lock = await takeLock(name, { timeoutMs: 1000 })
  let waits = 0
  await expect(takeLock(name, { timeoutMs: 50, onWait: () => waits++ })).rejects.toThrow(/Another/)
  expect(waits).toBe(1)
})

test('a holder that is killed holds nothing any more', async () => {
  const name = freshName()
  const program = `
    const { takeLock } = await import(${JSON.stringify(LOCK)})
    await takeLock(${JSON.stringify(name)}, { timeoutMs: 1000 })
    process.stdout.write('held')
    setInterval(() => undefined, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  await expect(takeLock(name, { timeoutMs: 50 })).rejects.toThrow()
  const waiting = takeLock(name, { timeoutMs: 5000 })
  holder.kill('SIGKILL')
  await using _lock = await waiting
})
