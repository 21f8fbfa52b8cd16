/**
 * A connection to an engine through the system's ssh, as Docker's own command line makes it: ssh
 * runs `docker system dial-stdio` on the other side. OpenSSH checks the host's key and honours
 * ~/.ssh/config.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { Duplex, type Readable, type Writable } from 'node:stream'
import type { EngineAddress } from './address.ts'

type SshAddress = Extract<EngineAddress, { kind: 'ssh' }>

/** Arguments of ssh for one connection. */
export const sshArguments = (address: SshAddress): string[] => [
  '-T',
  // A question on the terminal would be a hang for everyone but the person who happens to look.
  '-o',
  'BatchMode=yes',
  '-o',
  'ConnectTimeout=10',
  ...(address.user === undefined ? [] : ['-l', address.user]),
  ...(address.port === undefined ? [] : ['-p', String(address.port)]),
  '--',
  address.host,
  'docker',
  ...(address.socket === undefined ? [] : ['--host', `unix://${address.socket}`]),
  'system',
  'dial-stdio',
]

/** The two pipes of an ssh process as one stream that `http.Agent` takes for a socket. */
export class SshConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  #complaint = ''

  constructor(address: SshAddress) {
    super()
    const child = spawn('ssh', sshArguments(address), { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-2000)
    })
    child.stdin.on('error', (error) => this.destroy(error))
    child.on('error', (error) => this.destroy(error))
    // 'close' comes after both outputs have been read to their end.
    child.on('close', (status) => {
      if (status === 0) this.push(null)
      else this.destroy(new Error(this.#complaint.trim() || `ssh ended with status ${status}`))
    })
  }

  override _read(): void {
    this.#child.stdout.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill()
    done(error)
  }

  /** What `http.Agent` calls on a socket that it keeps for later: it must not hold the process. */
  unref(): this {
    return this.#hold('unref')
  }

  ref(): this {
    return this.#hold('ref')
  }

  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  #hold(how: 'ref' | 'unref'): this {
    this.#child[how]()
    const { stdin, stdout, stderr } = this.#child
    for (const pipe of [stdin, stdout, stderr]) (pipe as unknown as Socket)[how]()
    return this
  }
}
