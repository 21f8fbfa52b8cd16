/** Clients in processes of their own (probe.ts), on this machine or inside a container. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { MusterError } from '../../src/base/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { engineOf } from '../support.ts'
import type { Order, Reply, Report } from './protocol.ts'

const CONNECT_MS = 20_000
const RUN_MS = 3_600_000

export interface Target {
  host: string
  port: number
}

export interface Prober extends AsyncDisposable {
  /** First reply of a server that began to listen after `after`, ms since 1970. */
  firstReply(target: Target & { after: number }, timeoutMs: number): Promise<Reply>
  /** Resolves when a question is not answered with a 200. */
  silence(target: Target, timeoutMs: number): Promise<void>
}

/** A client on this machine. */
export const proberHere = (): Promise<Prober> =>
  openProber(async ([file = '', ...args]) => {
    await execa(file, args, { stdin: 'ignore', stderr: 'inherit' })
  })

/** A client in the network namespace of a container of a lab host. */
export const proberIn = async (lab: Lab, host: string, container: string): Promise<Prober> => {
  await using engine = engineOf(lab, host)
  const { State } = await engine.inspectContainer(container)
  return openProber(async (command) => {
    const enter = ['nsenter', `--net=/proc/${State?.Pid}/ns/net`]
    const result = await lab.exec(host, [...enter, ...command], { timeoutMs: RUN_MS })
    if (result.exitCode !== 0) throw new Error(`the client on ${host} ended: ${result.stderr}`)
  })
}

/** `run` starts the command and settles when it ends. */
const openProber = async (run: (command: string[]) => Promise<void>): Promise<Prober> => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-bench-'))
  const server = createServer()
  server.listen(join(folder, 'socket'))
  await once(server, 'listening')
  const probe = fileURLToPath(new URL('probe.ts', import.meta.url))
  const ended = run([process.execPath, probe, join(folder, 'socket')])
  const [socket] = (await Promise.race([
    once(server, 'connection', { signal: AbortSignal.timeout(CONNECT_MS) }),
    ended.then(() => Promise.reject(new Error('the client ended before it began'))),
  ])) as [Socket]
  server.close()

  const waiting = new Map<number, (report: Report) => void>()
  createInterface({ input: socket }).on('line', (line) => {
    const report = JSON.parse(line) as Report
    waiting.get(report.id)?.(report)
    waiting.delete(report.id)
  })
  let last = 0
  const carryOut = async (order: Order, timeoutMs: number): Promise<Report> => {
    const reported = new Promise<Report>((resolve) => waiting.set(order.id, resolve))
    socket.write(`${JSON.stringify(order)}\n`)
    const limit = new AbortController()
    try {
      return await Promise.race([
        reported,
        ended.then(() => Promise.reject(new Error('the client ended'))),
        delay(timeoutMs, undefined, { signal: limit.signal }).then(() =>
          Promise.reject(
            new MusterError(
              'TIMEOUT',
              `${order.host}:${order.port}: no ${order.until} for ${timeoutMs} ms.`,
            ),
          ),
        ),
      ])
    } finally {
      limit.abort()
      waiting.delete(order.id)
    }
  }
  return {
    firstReply: async ({ host, port, after }, timeoutMs) => {
      const report = await carryOut({ id: ++last, host, port, until: 'reply', after }, timeoutMs)
      if (!report.reply) throw new Error('a report without a reply')
      return report.reply
    },
    silence: async ({ host, port }, timeoutMs) => {
      await carryOut({ id: ++last, host, port, until: 'silence' }, timeoutMs)
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy()
      // Why it ended, if not because of us, has been told to who waited for it.
      await ended.catch(() => undefined)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
