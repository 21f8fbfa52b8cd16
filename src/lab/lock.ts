import { type Socket, connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'

/**
 * Takes a lock that all processes of this machine see, and that the kernel releases when its holder
 * ends in whatever way: an abstract socket, no file. Who waits holds a connection to it, and so
 * learns at once that it is free.
 *
 * @throws MusterError TIMEOUT when somebody else holds it for longer than `timeoutMs`
 */
export const takeLock = async (
  name: string,
  options: { timeoutMs: number; onWait?: () => void },
): Promise<AsyncDisposable> => {
  const deadline = performance.now() + options.timeoutMs
  for (let tries = 0; ; tries++) {
    const lock = await tryLock(name)
    if (lock) return lock
    if (tries === 0) options.onWait?.()
    const left = deadline - performance.now()
    if (left <= 0) {
      throw new MusterError(
        'TIMEOUT',
        `Another command has been working on ${name} for more than ${Math.round(options.timeoutMs / 1000)} s.`,
        { hint: 'Wait for it, or end it, and try again.' },
      )
    }
    await released(name, left)
  }
}

const pathOf = (name: string): string => `\0muster-lock-${name}`

/** The lock, or undefined if somebody else holds it. */
export const tryLock = (name: string): Promise<AsyncDisposable | undefined> =>
  new Promise((resolve, reject) => {
    const waiters = new Set<Socket>()
    const server = createServer((socket) => {
      waiters.add(socket)
      socket.unref()
      socket.on('error', () => socket.destroy())
      socket.on('close', () => waiters.delete(socket))
    })
    server.unref()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(pathOf(name), () =>
      resolve({
        [Symbol.asyncDispose]: () =>
          new Promise<void>((done) => {
            server.close(() => done())
            for (const socket of waiters) socket.destroy()
          }),
      }),
    )
  })

/** Resolves when the holder lets go, and after `timeoutMs` at the latest. */
const released = async (name: string, timeoutMs: number): Promise<void> => {
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connect(pathOf(name))
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    let refused = false
    socket.once('error', () => {
      refused = true
    })
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(refused)
    })
    socket.resume()
  })
  // Bound, but not listening yet: there is nothing to wait on.
  if (refused) await delay(10)
}
