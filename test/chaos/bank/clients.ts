/** Clients of a bank: each makes one transfer after another, through any host of the cluster. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientLog } from '../client-log.ts'
import { type Login, MysqlConnection, Refused } from './mysql.ts'
import type { Attempt, Outcome, Transfer } from './oracle.ts'

/** ER_LOCK_DEADLOCK: the answer to a COMMIT that another member's has beaten. */
const DEADLOCK = 1213

export interface BankOptions {
  log: ClientLog<Attempt>
  /** Ways to the database, one after another when one fails. */
  logins: readonly Login[]
  accounts: number
  workers: number
  /** From the begin of a transfer to that of the worker's next. */
  everyMs: number
}

/** Transfers after which a worker goes through the next host, so that all are in use. */
const TRANSFERS_PER_CONNECTION = 40

/** All clients together. */
export class BankClients {
  readonly #options: BankOptions
  #running: AbortController | undefined
  #workers: Promise<unknown> = Promise.resolve()
  #id = 0

  constructor(options: BankOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#running) return
    const running = new AbortController()
    this.#running = running
    const workers = Array.from({ length: this.#options.workers }, (_, i) =>
      this.#work(i, running.signal),
    )
    this.#workers = Promise.all(workers)
  }

  /** Resolves when every transfer that was under way has an outcome. */
  async stop(): Promise<void> {
    this.#running?.abort()
    this.#running = undefined
    await this.#workers
  }

  async #work(worker: number, signal: AbortSignal): Promise<void> {
    const { log, logins, everyMs } = this.#options
    let way = worker
    let connection: MysqlConnection | undefined
    let left = 0
    const close = () => {
      connection?.[Symbol.dispose]()
      connection = undefined
      way++
    }
    while (!signal.aborted) {
      const start = performance.now()
      const transfer = this.#next()
      let committing = false
      try {
        if (connection === undefined) {
          const login = logins[way % logins.length]
          if (login === undefined) throw new Error('no way to the database')
          connection = await MysqlConnection.open(login)
          left = TRANSFERS_PER_CONNECTION
          await connection.query('SET SESSION innodb_lock_wait_timeout=3')
        }
        await write(connection, transfer)
        committing = true
        await connection.query('COMMIT')
        log.add({ ...transfer, outcome: 'ok' })
        if (--left <= 0) close()
      } catch (error) {
        log.add({ ...transfer, outcome: outcomeOf(error, committing) }, String(error))
        close()
      }
      const rest = everyMs - (performance.now() - start)
      if (rest > 0) await delay(rest)
    }
    close()
  }

  #next(): Transfer {
    const { accounts } = this.#options
    const from = Math.floor(Math.random() * accounts)
    const to = (from + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts
    return { id: ++this.#id, from, to, amount: 1 + Math.floor(Math.random() * 100) }
  }
}

/** A transaction as an application would write it: reads, decides, writes what it has decided. */
const write = async (
  connection: MysqlConnection,
  { id, from, to, amount }: Transfer,
): Promise<void> => {
  await connection.query('BEGIN')
  const rows = await connection.query(
    `SELECT id, balance FROM accounts WHERE id IN (${from}, ${to}) ORDER BY id FOR UPDATE`,
  )
  const balances = new Map(rows.map(([account, balance]) => [Number(account), Number(balance)]))
  const set = (account: number, change: number) =>
    connection.query(
      `UPDATE accounts SET balance = ${(balances.get(account) ?? Number.NaN) + change} WHERE id = ${account}`,
    )
  await set(from, -amount)
  await set(to, amount)
  await connection.query(
    `INSERT INTO transfers (id, src, dst, amount) VALUES (${id}, ${from}, ${to}, ${amount})`,
  )
}

/** What is certain about a transfer that ended with an error. */
export const outcomeOf = (error: unknown, committing: boolean): Outcome => {
  if (!committing) return 'no'
  return error instanceof Refused && error.code === DEADLOCK ? 'no' : 'unknown'
}
