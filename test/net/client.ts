/**
 * A client for tests; prints JSON lines. Times are Date.now().
 *   node client.ts http URL RATE SECONDS [METHOD]   a new connection each, each due at its own time
 *   node client.ts wait HOST PORT                   connects, then sends nothing until it ends
 *   node client.ts echo HOST PORT                   sends a line every 20 ms on one connection
 *   node client.ts udp HOST PORT                    a datagram every 20 ms from one socket
 */
import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import { connect } from 'node:net'

export interface HttpSummary {
  requests: number
  failed: number
  /** Answers by status, failures by error code. */
  outcomes: Record<string, number>
  /** Answers by server. */
  names: Record<string, number>
  p50: number
  p99: number
  max: number
  over500: number
}

const [mode, target = '', ...rest] = process.argv.slice(2)
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

const httpLoad = async (): Promise<void> => {
  const [rate, seconds] = [Number(rest[0]), Number(rest[1])]
  const method = rest[2] ?? 'GET'
  const results = await Promise.all(
    Array.from({ length: rate * seconds }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, (index * 1000) / rate))
      const started = performance.now()
      const [outcome, name] = await one(target, method)
      return { outcome, name, ms: performance.now() - started }
    }),
  )
  const times = results.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b)
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]
  print({
    requests: results.length,
    failed: results.filter(({ outcome }) => outcome !== '200').length,
    outcomes: count(results.map(({ outcome }) => outcome)),
    names: count(results.map(({ name }) => name)),
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    over500: times.filter((ms) => ms > 500).length,
  })
}

const one = (url: string, method: string): Promise<[string, string]> =>
  new Promise((resolve) => {
    const req = request(url, { method, agent: false, timeout: 20_000 }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('error', (error) => resolve([error.message, '']))
      response.on('end', () => {
        const name = /"name":"([^"]+)"/.exec(body)?.[1] ?? ''
        resolve([String(response.statusCode), name])
      })
    })
    req.on('timeout', () => req.destroy(new Error('timeout')))
    req.on('error', (error: NodeJS.ErrnoException) => resolve([error.code ?? error.message, '']))
    req.end(method === 'POST' ? 'body' : undefined)
  })

const count = (values: string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const value of values) if (value !== '') counts[value] = (counts[value] ?? 0) + 1
  return counts
}

const tcp = (sends: boolean): void => {
  const started = Date.now()
  const socket = connect(Number(rest[0]), target)
  let timer: NodeJS.Timeout | undefined
  let error = ''
  socket.once('data', (data) => {
    print({
      event: 'connected',
      name: data.toString().trim(),
      at: Date.now(),
      ms: Date.now() - started,
    })
    if (sends) timer = setInterval(() => socket.write('x\n'), 20)
  })
  socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code ?? cause.message))
  socket.on('close', () => {
    clearInterval(timer)
    print({ event: 'ended', error, at: Date.now(), ms: Date.now() - started })
  })
}

const udp = (): void => {
  const socket = createSocket('udp4')
  let last = ''
  const change = (name: string) => {
    if (name === last) return
    last = name
    print({ event: 'answer', name, at: Date.now() })
  }
  socket.on('message', (message) => change(message.toString()))
  socket.on('error', (error: NodeJS.ErrnoException) => change(error.code ?? error.message))
  socket.connect(Number(rest[0]), target, () => {
    setInterval(() => socket.send('?'), 20)
  })
}

if (mode === 'http') await httpLoad()
else if (mode === 'udp') udp()
else tcp(mode === 'echo')
