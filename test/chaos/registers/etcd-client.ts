/** One key of etcd at a time, through its HTTP gateway. https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/ */
import { Agent, request } from 'node:http'
import type { Value } from './linearizable.ts'

/** Nothing has happened: it was not sent, or refused before anybody was asked. */
export class Refused extends Error {}

/** One way to the cluster. */
export class EtcdClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #host: string
  readonly #port: number
  readonly #timeoutMs: number

  constructor({ host, port, timeoutMs }: { host: string; port: number; timeoutMs: number }) {
    this.#host = host
    this.#port = port
    this.#timeoutMs = timeoutMs
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** A linearizable read. */
  async read(key: string): Promise<Value> {
    return valueOf(await this.#ask('range', { key: base64(key) }))
  }

  async write(key: string, value: string): Promise<void> {
    const answer = await this.#ask('put', { key: base64(key), value: base64(value) })
    // The gateway answers with a header even to what it did not understand.
    if (answer.header?.revision === undefined) throw new Error(JSON.stringify(answer))
  }

  /** Swaps if the key has that value. Undefined if it did; else what it has. */
  async swap(
    key: string,
    { expected, value }: { expected: Value; value: string },
  ): Promise<{ saw: Value } | undefined> {
    const compare =
      expected === null
        ? { key: base64(key), target: 'CREATE', result: 'EQUAL', create_revision: '0' }
        : { key: base64(key), target: 'VALUE', result: 'EQUAL', value: base64(expected) }
    const answer = await this.#ask('txn', {
      compare: [compare],
      success: [{ request_put: { key: base64(key), value: base64(value) } }],
      failure: [{ request_range: { key: base64(key) } }],
    })
    if (answer.succeeded === true) return undefined
    const [found] = answer.responses ?? []
    if (found?.response_range === undefined) throw new Error(JSON.stringify(answer))
    return { saw: valueOf(found.response_range) }
  }

  /** Throws Refused, or any other error if nobody knows what has happened. */
  #ask(method: 'range' | 'put' | 'txn', body: object): Promise<Answer> {
    const path = method === 'txn' ? '/v3/kv/txn' : `/v3/kv/${method}`
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const signal = AbortSignal.timeout(this.#timeoutMs)
    let connected = false
    const asked = request(
      { host: this.#host, port: this.#port, path, method: 'POST', agent: this.#agent, signal },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('error', reject)
        response.on('end', () => {
          try {
            const answer = JSON.parse(text) as Answer
            if (response.statusCode === 200) resolve(answer)
            else reject(new Error(answer.error ?? text))
          } catch (error) {
            reject(error)
          }
        })
      },
    )
    asked.on('socket', (socket) => {
      connected = !socket.connecting
      if (!connected) socket.once('connect', () => (connected = true))
    })
    asked.on('error', (error) => reject(connected ? error : new Refused(error.message)))
    asked.end(JSON.stringify(body))
    return promise
  }
}

interface Range {
  kvs?: { value?: string }[]
}
interface Answer extends Range {
  header?: { revision?: string }
  error?: string
  succeeded?: boolean
  responses?: { response_range?: Range }[]
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const valueOf = ({ kvs }: Range): Value => {
  const [found] = kvs ?? []
  return found === undefined ? null : Buffer.from(found.value ?? '', 'base64').toString()
}
