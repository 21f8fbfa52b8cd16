import type { KeeperEvent } from '../members/keeper/index.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What happens to members here, for the log and the counters. */
export const onKeeperEvent = (event: KeeperEvent, log: Log, metrics: Metrics): void => {
  const { member } = event
  switch (event.type) {
    case 'passed':
      metrics.gateSeconds.observe({ outcome: 'passed' }, event.waitedMs / 1000)
      log.info({ member, start: event.start, epoch: event.epoch }, 'member may start')
      break
    case 'refused':
      metrics.gateSeconds.observe({ outcome: 'refused' }, event.waitedMs / 1000)
      log.warn({ member, reason: event.reason }, 'member may not start')
      break
    case 'waiting':
      log.info({ member, reason: event.reason }, 'member waits at the gate')
      break
    case 'founded':
      log.info({ member, epoch: event.epoch }, 'member is the first of its cluster')
      break
    case 'promoted':
      log.warn({ member, epoch: event.epoch }, 'member is made the first of its cluster as it runs')
      break
    case 'stopped':
      log.warn({ member, reason: event.reason }, 'member is started anew')
      break
    case 'problem':
      log.warn({ member, reason: event.reason }, 'member')
      break
  }
}
