/**
 * A client that asks again and again. It runs in a process of its own, so that it can sit in a
 * container's network namespace, and takes its orders from `openProber` over a Unix socket:
 *
 *   node probe.ts /tmp/x/sock
 */
import { get } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { type Order, type Report, parseBody } from './protocol.ts'

/** Between two questions; each is a new connection, whatever became of the ones before. */
const PERIOD_MS = 5
/** A question without an answer by then will get none. */
const PATIENCE_MS = 500

/** When a whole 200 had come (ms since 1970), and what it said; undefined for anything else. */
const ask = (order: Order): Promise<{ at: number; body: string } | undefined> =>
  new Promise((resolve) => {
    const request = get({
      host: order.host,
      port: order.port,
      agent: false,
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    request.on('response', (response) => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (text: string) => (body += text))
      response.on('error', () => resolve(undefined))
      response.on('end', () =>
        resolve(response.statusCode === 200 ? { at: Date.now(), body } : undefined),
      )
    })
    // Refused, reset, silent: all mean "not yet".
    request.on('error', () => resolve(undefined))
  })

/** Asks until the answer is the one that the order waits for. */
const carryOut = (order: Order, report: (report: Report) => void): (() => void) => {
  const stop = () => clearInterval(timer)
  const once = async () => {
    const reply = await ask(order)
    if (order.until === 'silence') {
      if (reply !== undefined) return
      stop()
      report({ id: order.id })
      return
    }
    const body = reply && parseBody(reply.body)
    if (!reply || !body || body.listenedAt < order.after) return
    stop()
    report({ id: order.id, reply: { at: reply.at, ...body } })
  }
  const timer = setInterval(() => void once(), PERIOD_MS)
  return stop
}

const socket = connect(process.argv[2] ?? '')
const running = new Map<number, () => void>()
createInterface({ input: socket }).on('line', (line) => {
  const order = JSON.parse(line) as Order
  running.get(order.id)?.()
  running.set(
    order.id,
    carryOut(order, (report) => {
      // Answers that were on their way when the first one came are no news.
      if (running.delete(order.id)) socket.write(`${JSON.stringify(report)}\n`)
    }),
  )
})
socket.on('close', () => process.exit())
