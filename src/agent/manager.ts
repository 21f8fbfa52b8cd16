import {
  CatalogSources,
  CatalogTable,
  CorruptMessage,
  FRAME,
  Feed,
  type Frame,
  type HostId,
  type HostState,
  type ProbeResult,
  type Refusal,
  type Reported,
  type Sight,
  TUNABLES,
  type Upward,
  type Usage,
  decodeUpward,
  encodeMessage,
  judge,
  nothingReported,
  receive,
  wantsProbe,
} from '../catalog/index.ts'
import { type CloseReason, Connection } from './connection.ts'
import { Followers } from './followers.ts'
import type { Visitor } from './server.ts'

/** What happens on a manager, for counters and logs. */
export interface ManagerEvents {
  onPush(push: { versions: number; waited: number }): void
  onResync(): void
  onRefusal(reason: Refusal, from: string): void
  onHostState(host: HostId, state: HostState, before: HostState): void
  onDoubt(doubt: boolean, sees: number, of: number): void
  onStreamEnd(host: HostId, reason: CloseReason, error?: Error): void
}

export interface ManagerOptions {
  /** This host's own id. */
  self: HostId
  /** Makes this life of the manager's catalog unlike every other. */
  origin: string
  /** Milliseconds of the attentive clock. */
  now: () => number
  /** Asks a host's kernel whether it is there. */
  probe: (address: string) => Promise<ProbeResult | null>
  events: ManagerEvents
  /** Something of the catalog has changed. */
  onChange?: () => void
}

interface Session {
  host: HostId
  connection: Connection
  reported: Reported
  usage: Usage | undefined
}

/** What is known of a host beside what it reports. */
interface Watched {
  state: HostState
  session: Session | undefined
  heardAt: number
  probe: ProbeResult | null
  probedAt: number
  probing: boolean
  answeringSince: number | null
  downSince: number | null
}

/** A manager's share of an agent: hears every host, judges them, feeds the followers. */
export class Manager implements Disposable {
  readonly sources: CatalogSources
  readonly table: CatalogTable
  readonly #options: ManagerOptions
  readonly #feed: Feed
  readonly #followers: Followers
  readonly #watched = new Map<HostId, Watched>()
  readonly #sessions = new Map<Connection, Session>()
  /** Followed catalogs have to be whole: false until Swarm has been read once. */
  serving = false
  leader = false
  #doubt = false
  #sees = 1
  #of = 1
  #judgedAt = -Infinity
  #soon: NodeJS.Timeout | undefined

  constructor(options: ManagerOptions) {
    this.#options = options
    this.table = new CatalogTable(() => {
      this.#followers.changed()
      options.onChange?.()
    })
    this.sources = new CatalogSources(this.table)
    this.#feed = new Feed({ origin: options.origin, table: this.table })
    this.#followers = new Followers({
      feed: this.#feed,
      now: () => performance.now(),
      onPush: (push) => options.events.onPush(push),
    })
  }

  get followers(): number {
    return this.#followers.size
  }

  /** Newest version that has been made of the catalog. */
  get version(): number {
    return this.#feed.version
  }

  get streams(): number {
    return this.#sessions.size
  }

  get view(): { sees: number; of: number; doubt: boolean } {
    return { sees: this.#sees, of: this.#of, doubt: this.#doubt }
  }

  /** How busy a host last said it was. */
  usage(host: HostId): Usage | undefined {
    return this.#watched.get(host)?.session?.usage
  }

  /** Takes over an authenticated agent's stream. A newer stream of a host replaces the older. */
  accept({ identity, socket }: Pick<Visitor, 'identity' | 'socket'>): void {
    const { now, events } = this.#options
    const watched = this.#watch(identity.host)
    watched.session?.connection.close('replaced')
    const connection: Connection = new Connection(socket, {
      now,
      onFrame: (frame) => this.#onFrame(session, frame),
      onClose: (reason, error) => {
        if (reason === 'corrupt') events.onRefusal('corrupt', identity.host)
        events.onStreamEnd(identity.host, reason, error)
        this.#onClose(session)
      },
      onDrain: () => this.#followers.pump(connection),
    })
    const session: Session = {
      host: identity.host,
      connection,
      reported: nothingReported,
      usage: undefined,
    }
    this.#sessions.set(connection, session)
    watched.session = session
    connection.write(this.#beat())
  }

  /** Swarm's hosts may have changed: begin to watch those that are new. */
  hostsChanged(): void {
    const ids = new Set(this.sources.hosts.map(({ id }) => id))
    for (const id of ids) this.#watch(id)
    for (const [id, { session }] of this.#watched) {
      if (ids.has(id)) continue
      session?.connection.close('refused')
      this.#watched.delete(id)
    }
  }

  /** Says at once what followers choose by: leadership and readiness. */
  announce(): void {
    const beat = this.#beat()
    for (const { connection } of this.#sessions.values()) connection.write(beat)
  }

  /** To be called every `TUNABLES.tick`. */
  tick(): void {
    let beat: Buffer | undefined
    for (const { host, connection } of this.#sessions.values()) {
      // This process need not prove to itself that it is alive.
      if (host === this.#options.self) continue
      if (connection.stuck) connection.close('too-slow')
      else if (connection.silence > TUNABLES.deadStream) connection.close('silent')
      else if (connection.quiet > TUNABLES.heartbeat - TUNABLES.tick / 2) {
        if (!connection.congested) connection.write((beat ??= this.#beat()))
      }
    }
    this.#judgeSoon()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#soon)
    this.#followers[Symbol.dispose]()
    for (const { connection } of this.#sessions.values()) connection.close('closed')
  }

  #beat(): Buffer {
    return encodeMessage({
      type: 'beat',
      leader: this.leader,
      serving: this.serving,
      doubt: this.#doubt,
      sees: this.#sees,
    })
  }

  #watch(id: HostId): Watched {
    let watched = this.#watched.get(id)
    if (!watched) {
      watched = {
        state: 'agentless',
        session: undefined,
        // A host is given time to connect before it is doubted.
        heardAt: this.#options.now(),
        probe: null,
        probedAt: -Infinity,
        probing: false,
        answeringSince: null,
        downSince: null,
      }
      this.#watched.set(id, watched)
    }
    return watched
  }

  #onFrame(session: Session, frame: Frame): void {
    if (frame.type !== FRAME.json) throw new CorruptMessage('bytes on a stream of messages')
    this.#onMessage(session, decodeUpward(frame.payload))
  }

  #onMessage(session: Session, message: Upward): void {
    const { connection, host } = session
    if (message.type === 'usage') session.usage = message.usage
    else if (message.type === 'unfollow') this.#followers.remove(connection)
    else if (message.type === 'follow') {
      if (message.origin !== this.#options.origin) this.#options.events.onResync()
      this.#followers.add(connection, message.origin, message.version)
    } else if (message.type === 'report') {
      const { outcome, state } = receive(session.reported, host, message)
      session.reported = state
      if (outcome === 'resend') connection.send({ type: 'resend' })
      if (outcome === 'not-your-host') {
        this.#options.events.onRefusal('not-your-host', host)
        connection.finish({ type: 'refused', reason: outcome, message: outcome }, 'refused')
      }
      if (outcome !== 'applied') return
      this.sources.setReported(host, state, true)
      const watched = this.#watch(host)
      if (watched.state !== 'alive') this.#judgeSoon()
    }
  }

  #onClose(session: Session): void {
    this.#sessions.delete(session.connection)
    this.#followers.remove(session.connection)
    const watched = this.#watched.get(session.host)
    if (watched?.session !== session) return
    watched.heardAt = this.#options.now() - session.connection.silence
    watched.session = undefined
    if (session.reported.seq > 0) this.sources.setReported(session.host, session.reported, false)
    this.#judgeSoon()
  }

  /** Once for all that happens at about the same time: looking at a thousand hosts takes 1 ms. */
  #judgeSoon(): void {
    if (this.#soon !== undefined) return
    const pause = Math.min(50, this.#watched.size / 20)
    const wait = this.#judgedAt + pause - this.#options.now()
    this.#soon = setTimeout(
      () => {
        this.#soon = undefined
        this.#judge()
      },
      Math.max(0, wait),
    )
  }

  /** Judges all hosts, and asks the kernels of those that are silent. */
  #judge(): void {
    const { now, self, events } = this.#options
    const time = now()
    this.#judgedAt = time
    const swarm = new Map(this.sources.hosts.map((host) => [host.id, host]))
    const sights: Sight[] = []
    for (const [id, watched] of this.#watched) {
      if (!swarm.has(id)) continue
      const { session } = watched
      const silence = session ? session.connection.silence : time - watched.heardAt
      const reporting = session !== undefined && session.reported.seq > 0
      const swarmDown = swarm.get(id)?.down === true
      if (reporting && silence < TUNABLES.silence) {
        watched.probe = null
        watched.answeringSince = null
      }
      watched.downSince = swarmDown ? (watched.downSince ?? time) : null
      if (swarmDown) watched.answeringSince = null
      const sight: Sight = {
        id,
        state: watched.state,
        reporting,
        // A manager always sees itself.
        silence: id === self ? 0 : silence,
        probe: watched.probe,
        answeringFor: watched.answeringSince === null ? 0 : time - watched.answeringSince,
        swarmDown,
      }
      sights.push(sight)
      if (id !== self && !watched.probing && wantsProbe(sight, time - watched.probedAt)) {
        const address = swarm.get(id)?.address
        if (address) void this.#probe(watched, address)
      }
    }
    const { states, doubt, sees, of } = judge(sights)
    this.#sees = sees
    this.#of = of
    if (doubt !== this.#doubt) {
      this.#doubt = doubt
      events.onDoubt(doubt, sees, of)
      this.announce()
    }
    for (const [id, state] of states) {
      const watched = this.#watched.get(id)
      if (!watched) continue
      const forgotten =
        watched.downSince !== null &&
        state !== 'alive' &&
        time - watched.downSince > TUNABLES.forget
      this.sources.setHostState(id, state, forgotten)
      if (state === watched.state) continue
      const before = watched.state
      watched.state = state
      events.onHostState(id, state, before)
    }
  }

  async #probe(watched: Watched, address: string): Promise<void> {
    watched.probing = true
    watched.probedAt = this.#options.now()
    const result = await this.#options.probe(address)
    watched.probing = false
    const { session } = watched
    // It has spoken while it was asked: the answer is about a silence that is over.
    if (session && session.reported.seq > 0 && session.connection.silence < TUNABLES.probe) return
    if (result === null) return
    const at = this.#options.now()
    watched.probe = result
    if (result === 'nothing') watched.answeringSince = null
    else watched.answeringSince ??= at
    this.#judgeSoon()
  }
}
