import { type Clock, MusterError, messageOf, pause } from '../base/index.ts'
import {
  CorruptMessage,
  type Downward,
  FRAME,
  type HostId,
  type ManagerBeat,
  type ManagerSight,
  type OwnKnowledge,
  PROTOCOL,
  type Reported,
  TUNABLES,
  type Usage,
  decodeDownward,
  encodeMessage,
  nextReport,
} from '../catalog/index.ts'
import type { Certificates } from './certificates.ts'
import { type CloseReason, Connection } from './connection.ts'
import { connectPeer } from './tls.ts'

/** A manager to hold a stream to. */
export interface ManagerAddress {
  id: HostId
  address: string
  port: number
}

export interface LinkOptions {
  manager: ManagerAddress
  certificates: () => Certificates
  /** Version of Muster, for the hello. */
  version: string
  own: () => OwnKnowledge
  now: () => number
  clock: Clock
  /** 0 to 1. */
  random: () => number
  /** Anything but beats, welcomes and refusals. */
  onMessage: (link: Link, message: Downward) => void
  /** Its sight has changed: connected, gone, or a beat that says something new. */
  onChange: (link: Link) => void
  onEnd: (manager: ManagerAddress, error: { code: string; message: string }) => void
}

/** A stream to one manager that is opened again whenever it ends. */
export class Link implements AsyncDisposable {
  readonly manager: ManagerAddress
  readonly #options: LinkOptions
  readonly #life = new AbortController()
  #loop: Promise<void> | undefined
  #connection: Connection | undefined
  #beat: ManagerBeat | undefined
  #steadySince = Infinity
  #told: Reported | null = null
  #seq = 0

  constructor(options: LinkOptions) {
    this.manager = options.manager
    this.#options = options
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    this.#connection?.close('closed')
    await this.#loop
  }

  /** Both ends are in this process: there is no need for beats, which cost an idle host most. */
  get #toSelf(): boolean {
    return this.manager.id === this.#options.own().host
  }

  get sight(): ManagerSight {
    const beat = this.#beat
    return {
      id: this.manager.id,
      connected: this.#connection !== undefined && beat !== undefined,
      silence: this.#toSelf ? 0 : (this.#connection?.silence ?? Infinity),
      serving: beat?.serving ?? false,
      doubt: beat?.doubt ?? false,
      leader: beat?.leader ?? false,
      sees: beat?.sees ?? 0,
      steadyFor: Math.max(0, this.#options.now() - this.#steadySince),
    }
  }

  /** Tells the manager what it does not know yet. */
  report(): void {
    const connection = this.#connection
    if (!connection || connection.congested) return
    const own = this.#options.own()
    const report = nextReport(this.#told, own, this.#seq + 1)
    if (!report) return
    this.#seq++
    this.#told = { ...own, seq: this.#seq, complete: true }
    connection.send(report)
  }

  reportUsage(usage: Usage): void {
    this.#connection?.send({ type: 'usage', usage })
  }

  follow(origin: string, version: number): void {
    this.#connection?.send({ type: 'follow', origin, version })
  }

  unfollow(): void {
    this.#connection?.send({ type: 'unfollow' })
  }

  /** To be called every `TUNABLES.tick`. */
  tick(): void {
    const connection = this.#connection
    if (!connection || this.#toSelf) return
    if (connection.silence >= TUNABLES.silence) this.#steadySince = Infinity
    if (connection.stuck) connection.close('too-slow')
    else if (connection.silence > TUNABLES.deadStream) connection.close('silent')
    else if (connection.quiet > TUNABLES.heartbeat - TUNABLES.tick / 2) connection.write(BEAT)
  }

  async #run(): Promise<void> {
    const { signal } = this.#life
    let wait: number = TUNABLES.reconnectFirst
    while (!signal.aborted) {
      const { code, message, welcomed } = await this.#once()
      if (signal.aborted) return
      this.#options.onEnd(this.manager, { code, message })
      wait = welcomed ? TUNABLES.reconnectFirst : Math.min(TUNABLES.reconnectMost, wait * 1.5)
      const jittered = wait * (1 - this.#options.random() / 2)
      await pause(this.#options.clock, jittered, signal)
    }
  }

  /** One stream from beginning to end; resolves to how it ended. */
  async #once(): Promise<{ code: string; message: string; welcomed: boolean }> {
    const { manager, certificates, version, now } = this.#options
    try {
      const socket = await connectPeer(
        { host: manager.id, address: manager.address, port: manager.port, manager: true },
        certificates(),
        this.#life.signal,
      )
      let welcomed = false
      let refusal = ''
      const [reason, error] = await new Promise<[CloseReason, Error | undefined]>((resolve) => {
        const connection: Connection = new Connection(socket, {
          now,
          onFrame: (frame) => {
            if (frame.type !== FRAME.json) throw new CorruptMessage('bytes on a stream of messages')
            const message = decodeDownward(frame.payload)
            if (message.type === 'refused') {
              refusal = message.message
            } else if (message.type === 'welcome') {
              welcomed = true
              this.#begin(connection)
            } else if (this.#connection === connection) this.#onMessage(message)
            else throw new CorruptMessage(`${message.type} before welcome`)
          },
          onClose: (reason, error) => resolve([reason, error]),
          onDrain: () => this.report(),
        })
        connection.send({ type: 'hello', protocol: PROTOCOL, purpose: 'stream', version })
      })
      this.#end()
      if (refusal !== '') return { code: 'refused', message: refusal, welcomed }
      return { code: reason, message: error ? error.message : reason, welcomed }
    } catch (error) {
      this.#end()
      const code = error instanceof MusterError ? error.code : 'failed'
      return { code, message: messageOf(error), welcomed: false }
    }
  }

  #begin(connection: Connection): void {
    this.#connection = connection
    this.#told = null
    this.#seq = 0
    this.report()
  }

  #end(): void {
    const was = this.#connection
    this.#connection = undefined
    this.#beat = undefined
    this.#steadySince = Infinity
    if (was) this.#options.onChange(this)
  }

  #onMessage(message: Downward): void {
    if (message.type === 'beat') {
      const old = this.#beat
      this.#beat = message
      const steady = message.leader && message.serving && !message.doubt
      this.#steadySince = steady ? Math.min(this.#steadySince, this.#options.now()) : Infinity
      const changed =
        old?.leader !== message.leader ||
        old.serving !== message.serving ||
        old.doubt !== message.doubt
      if (changed) this.#options.onChange(this)
    } else if (message.type === 'resend') {
      this.#told = null
      this.report()
    } else this.#options.onMessage(this, message)
  }
}

const BEAT = encodeMessage({ type: 'beat' })
