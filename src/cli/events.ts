import { connectAgent, type EventLine } from '../agent/index.ts'
import { parseFormat } from './output.ts'

/** Prints what happens in the cluster until Ctrl-C: hosts, the leader, services, endpoints. */
export const events = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    for await (const event of connectAgent().events(stop.signal)) {
      process.stdout.write(
        format === 'json'
          ? `${JSON.stringify(event)}\n`
          : `${clockTime(event.time)}  ${words(event)}\n`,
      )
    }
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

const clockTime = (iso: string): string => new Date(iso).toTimeString().slice(0, 8)

/** One event as a sentence without a verb too many. */
export const words = (event: EventLine): string => {
  switch (event.type) {
    case 'endpoint': {
      const name = event.slot === 0 ? event.service : `${event.service}.${event.slot}`
      return `${name} on ${event.host} ${ENDPOINT[event.change]}`
    }
    case 'host':
      return `${event.host} ${HOST[event.change]}`
    case 'leader':
      return `${event.host} leads`
    case 'service':
      return `service ${event.service} ${event.change}`
    case 'cluster':
      return `${event.cluster} is ${event.phase}, epoch ${event.epoch}`
    case 'writer':
      return event.member === null
        ? `nobody takes the writes of ${event.cluster}`
        : `${event.member} takes the writes of ${event.cluster}`
    case 'member':
      return `${event.member} on ${event.host} ${MEMBER[event.change]}`
  }
}

const MEMBER = {
  rest: 'is at rest',
  gate: 'waits at its gate',
  starting: 'starts',
  outside: 'is in no primary component',
  joining: 'receives the data',
  donor: 'gives its data to another',
  ready: 'is up to date',
  gone: 'is no member any more',
} as const

const ENDPOINT = {
  starting: 'starts',
  ready: 'is ready',
  unhealthy: 'is unhealthy',
  leaving: 'is about to stop',
  gone: 'is gone',
} as const

const HOST = {
  added: 'joined',
  alive: 'answers',
  agentless: 'is up, but its agent does not answer',
  suspected: 'does not answer; its endpoints get no traffic',
  'engine-down': 'has no Docker Engine that answers',
  'engine-up': 'has its Docker Engine back',
  gone: 'left',
} as const
