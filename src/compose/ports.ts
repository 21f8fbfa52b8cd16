import { isIpAddress } from './ip.ts'

export interface PortParts {
  target: number
  published?: string
  host_ip?: string
  protocol: string
}

/** A failure to read a short syntax, in words. */
export interface Unreadable {
  wrong: string
}

const PORT = /^\d+$/

/** `80`, `8000-8010`; both ends included. */
const range = (text: string): [number, number] | undefined => {
  const [first = '', last = first, ...rest] = text.split('-')
  if (rest.length > 0 || !PORT.test(first) || !PORT.test(last)) return undefined
  const [start, end] = [Number(first), Number(last)]
  return start <= end && end <= 65_535 ? [start, end] : undefined
}

/** True for what may stand in `published`: a port or a range of ports. */
export const isPortRange = (text: string): boolean => range(text) !== undefined

/**
 * The short syntax of a port, `[[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]`. Ranges of equal length
 * become one entry a port; a range published for one target stays a range (any of them will do).
 */
export const parsePort = (spec: string): PortParts[] | Unreadable => {
  const fields = spec.split(':')
  const container = fields.pop() ?? ''
  const host = fields.pop() ?? ''
  const rawIp = fields.join(':')
  const [targetText = '', given = '', ...more] = container.split('/')
  const protocol = (given === '' ? 'tcp' : given).toLowerCase()
  if (targetText === '') return { wrong: 'no port is given for the container' }
  if (!['tcp', 'udp', 'sctp'].includes(protocol) || more.length > 0)
    return { wrong: `unknown protocol "${[given, ...more].join('/')}", expected tcp, udp or sctp` }
  const ip = /^\[.*\]$/.test(rawIp) ? rawIp.slice(1, -1) : rawIp
  if (ip !== '' && !isIpAddress(ip)) return { wrong: `"${ip}" is not an IP address` }
  const target = range(targetText)
  if (!target) return { wrong: `expected a port or a range of ports, got "${targetText}"` }
  const published = host === '' ? undefined : range(host)
  if (host !== '' && !published)
    return { wrong: `expected a port or a range of ports, got "${host}"` }
  const count = target[1] - target[0]
  const hostCount = published ? published[1] - published[0] : count
  if (count !== hostCount && count !== 0)
    return { wrong: `the ranges ${host} and ${targetText} are not equally long` }
  // The reference sorts the expanded ports as text.
  return Array.from({ length: count + 1 }, (_, i) => ({
    target: target[0] + i,
    ...(published
      ? {
          published:
            count === 0 && hostCount > 0
              ? `${published[0]}-${published[1]}`
              : `${published[0] + i}`,
        }
      : {}),
    ...(ip === '' ? {} : { host_ip: ip }),
    protocol,
  })).toSorted((a, b) => compareText(`${a.target}/${protocol}`, `${b.target}/${protocol}`))
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
