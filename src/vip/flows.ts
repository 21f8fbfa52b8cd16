/** Reading conntrack's table, and deciding what to end in it. Pure. */

/** One tracked connection of a container, as `conntrack -L` prints it. */
export interface Flow {
  /** `tcp`, `udp`, `icmp`, ... */
  protocol: string
  /** TCP's state, null for others. */
  state: string | null
  /** Where the container sent it. */
  destination: string
  sourcePort: number | null
  destinationPort: number | null
  /** Where answers come from: the endpoint behind a virtual IP, else the destination itself. */
  replySource: string
}

/** Lines that are not flows are skipped. */
export const parseFlows = (text: string): Flow[] =>
  text.split('\n').flatMap((line) => {
    const [protocol, , , state] = line.split(/\s+/)
    const destination = /\bdst=(\S+)/.exec(line)?.[1]
    const sources = [...line.matchAll(/\bsrc=(\S+)/g)].map(([, value]) => value ?? '')
    const replySource = sources[1]
    if (!protocol || destination === undefined || replySource === undefined) return []
    return [
      {
        protocol,
        state: state !== undefined && /^[A-Z_0-9]+$/.test(state) ? state : null,
        destination,
        sourcePort: portOf(line, 'sport'),
        destinationPort: portOf(line, 'dport'),
        replySource,
      },
    ]
  })

const portOf = (line: string, name: string): number | null => {
  const value = new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1]
  return value === undefined ? null : Number(value)
}

/**
 * - `gone`: the endpoint's host says that it does not exist any more
 * - `suspected`: nothing of its host answers. Connections that members of a cluster opened to each
 *   other directly are left alone then: only virtual IPs are Muster's to redirect on a suspicion.
 */
export type CutReason = 'gone' | 'suspected'

export interface CutInput {
  flows: readonly Flow[]
  /** Virtual IPs of the container. */
  vips: ReadonlySet<string>
  /** Addresses of endpoints whose connections are to end. */
  cuts: ReadonlyMap<string, CutReason>
  /** Virtual IPs that had no rule before: what was sent to them then leads nowhere. */
  added: ReadonlySet<string>
  /** Addresses at which connections may stay, by `VIP PORT`; a port that is not there may keep all. */
  keeps?: ReadonlyMap<string, ReadonlySet<string>>
}

/** A socket to be closed, by what the container knows of it. */
export interface DoomedSocket {
  destination: string
  destinationPort: number
  sourcePort: number
}

/** Tracked connections to be forgotten, so that their next packet is looked at anew. */
export interface Forget {
  protocol: string
  destination: string
  replySource: string
  /** Only in this state of TCP. */
  state?: string
}

/** What ends connections to dead endpoints. */
export interface CutPlan {
  sockets: DoomedSocket[]
  /** Addresses to which every socket is closed, however it was opened. */
  directly: string[]
  forget: Forget[]
}

/** States in which a socket is not (any more) waiting for anything. */
const OVER = new Set(['TIME_WAIT', 'CLOSE', 'NONE'])

/**
 * A TCP connection to a dead endpoint: its socket is closed, so that a client that only waits learns it
 * too. A connection still being made is only forgotten: when its SYN is sent again it goes to another
 * endpoint. UDP is only forgotten, its next datagram goes elsewhere.
 */
export const planCuts = ({ flows, vips, cuts, added, keeps }: CutInput): CutPlan => {
  const sockets: DoomedSocket[] = []
  const forget = new Map<string, Forget>()
  const remember = (entry: Forget) =>
    forget.set(
      `${entry.protocol} ${entry.destination} ${entry.replySource} ${entry.state ?? ''}`,
      entry,
    )
  for (const { protocol, state, destination, replySource, ...ports } of flows) {
    if (!vips.has(destination)) continue
    const allowed =
      protocol === 'tcp' ? keeps?.get(`${destination} ${ports.destinationPort}`) : undefined
    const strayed = allowed !== undefined && !allowed.has(replySource)
    if ((cuts.has(replySource) || strayed) && replySource !== destination) {
      if (state !== null && OVER.has(state)) continue
      if (cuts.has(replySource)) remember({ protocol, destination, replySource })
      const { sourcePort, destinationPort } = ports
      if (protocol !== 'tcp' || state?.startsWith('SYN_SENT')) continue
      if (sourcePort === null || destinationPort === null) continue
      sockets.push({ destination, destinationPort, sourcePort })
    } else if (replySource === destination && added.has(destination)) {
      if (protocol !== 'tcp') remember({ protocol, destination, replySource })
      else if (state === 'SYN_SENT') remember({ protocol, destination, replySource, state })
    }
  }
  return {
    sockets,
    directly: [...cuts].filter(([, reason]) => reason === 'gone').map(([address]) => address),
    forget: [...forget.values()],
  }
}
