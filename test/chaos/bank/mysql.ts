/**
 * As much of MariaDB's client protocol as the bank needs: one connection, text queries, passwords of
 * mysql_native_password. https://mariadb.com/kb/en/clientserver-protocol/
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'

/** The server has answered with an error: what was asked has not happened, unless it was COMMIT. */
export class Refused extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

export interface Login {
  host: string
  port: number
  user: string
  password: string
  database: string
  /** For the connection and for each answer. */
  timeoutMs: number
}

/** CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH. */
const CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
const UTF8MB4 = 45
const PLUGIN = 'mysql_native_password'
const COM_QUERY = 3

const sha1 = (...parts: Buffer[]): Buffer => {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const scramble = (password: string, nonce: Buffer): Buffer => {
  const once = sha1(Buffer.from(password))
  const mask = sha1(nonce, sha1(once))
  return Buffer.from(once.map((byte, i) => byte ^ (mask[i] ?? 0)))
}

/** Reads one packet after another out of a stream of bytes. */
class Packets {
  #bytes = Buffer.alloc(0)
  #waiting: { resolve: (packet: Buffer) => void; reject: (error: Error) => void } | undefined
  #failure: Error | undefined

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    this.#serve()
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#waiting?.reject(this.#failure)
    this.#waiting = undefined
  }

  next(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure)
        return
      }
      this.#waiting = { resolve, reject }
      this.#serve()
    })
  }

  #serve(): void {
    if (this.#waiting === undefined || this.#bytes.length < 4) return
    const length = this.#bytes.readUIntLE(0, 3)
    if (this.#bytes.length < 4 + length) return
    const packet = this.#bytes.subarray(4, 4 + length)
    this.#bytes = this.#bytes.subarray(4 + length)
    const { resolve } = this.#waiting
    this.#waiting = undefined
    resolve(packet)
  }
}

/** A connection; after any error but Refused it is of no use. */
export class MysqlConnection implements Disposable {
  readonly #socket: Socket
  readonly #packets = new Packets()
  readonly #timeoutMs: number

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#packets.push(bytes))
    socket.on('error', (error) => this.#packets.fail(error))
    socket.on('close', () => this.#packets.fail(new Error('connection closed')))
  }

  static async open(login: Login): Promise<MysqlConnection> {
    const socket = connectSocket({ host: login.host, port: login.port })
    const connection = new MysqlConnection(socket, login.timeoutMs)
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(login.timeoutMs) })
      await connection.#greet(login)
      return connection
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  /** Rows of text; null is NULL. */
  async query(sql: string): Promise<(string | null)[][]> {
    this.#send(0, Buffer.concat([Buffer.from([COM_QUERY]), Buffer.from(sql)]))
    const head = await this.#answer()
    if (head[0] === 0) return []
    const [columns] = lengthOf(head, 0)
    // The descriptions of the columns, and the packet that ends them.
    for (let i = 0; i <= columns; i++) await this.#answer()
    const rows: (string | null)[][] = []
    for (;;) {
      const packet = await this.#answer()
      if (packet[0] === 0xfe && packet.length < 9) return rows
      rows.push(cellsOf(packet, columns))
    }
  }

  #send(sequence: number, payload: Buffer): void {
    const head = Buffer.alloc(4)
    head.writeUIntLE(payload.length, 0, 3)
    head[3] = sequence
    this.#socket.write(Buffer.concat([head, payload]))
  }

  async #answer(): Promise<Buffer> {
    const timer = setTimeout(
      () => this.#packets.fail(new Error(`no answer in ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
    )
    try {
      const packet = await this.#packets.next()
      if (packet[0] === 0xff) throw refusalOf(packet)
      return packet
    } finally {
      clearTimeout(timer)
    }
  }

  async #greet({ user, password, database }: Login): Promise<void> {
    const hello = await this.#answer()
    const version = hello.indexOf(0, 1)
    const first = hello.subarray(version + 5, version + 13)
    const rest = version + 32
    const second = hello.subarray(rest, rest + 12)
    const head = Buffer.alloc(32)
    head.writeUInt32LE(CAPABILITIES, 0)
    head.writeUInt32LE(2 ** 24, 4)
    head[8] = UTF8MB4
    const proof = scramble(password, Buffer.concat([first, second]))
    const text = (value: string) => Buffer.from(`${value}\0`)
    this.#send(
      1,
      Buffer.concat([
        head,
        text(user),
        Buffer.from([proof.length]),
        proof,
        text(database),
        text(PLUGIN),
      ]),
    )
    const answer = await this.#answer()
    if (answer[0] !== 0xfe) return
    // It wants another plugin: the same one, with other random bytes, is all that we know.
    const name = answer.indexOf(0, 1)
    this.#send(3, scramble(password, answer.subarray(name + 1, name + 21)))
    await this.#answer()
  }
}

const refusalOf = (packet: Buffer): Refused => {
  const message = packet.subarray(3).toString()
  return new Refused(packet.readUInt16LE(1), message.replace(/^#...../, ''))
}

/** A length-encoded number at `at`: its value, and where it ends. */
const lengthOf = (bytes: Buffer, at: number): [value: number, end: number] => {
  const first = bytes[at] ?? 0
  if (first < 0xfb) return [first, at + 1]
  const size = first === 0xfc ? 2 : first === 0xfd ? 3 : 6
  return [bytes.readUIntLE(at + 1, size), at + 1 + (size === 6 ? 8 : size)]
}

const cellsOf = (packet: Buffer, columns: number): (string | null)[] => {
  const cells: (string | null)[] = []
  let at = 0
  for (let i = 0; i < columns; i++) {
    if (packet[at] === 0xfb) {
      cells.push(null)
      at++
      continue
    }
    const [length, start] = lengthOf(packet, at)
    cells.push(packet.subarray(start, start + length).toString())
    at = start + length
  }
  return cells
}
