import { type Clock, MusterError, systemClock, pause } from '../base/index.ts'
import type { HostApi } from './engine.ts'
import { Inbox } from './inbox.ts'
import type { EngineEvent, Filters } from './types.ts'

/**
 * What a watch tells, in this order: any number of `down`, then `synced`, then `event`s, and from
 * the start again whenever the engine goes away.
 */
export type WatchItem<T> =
  /** A full read, newer than every event before it. */
  | { kind: 'synced'; state: T }
  /** May repeat what `synced` already showed: read the object that it names, do not count. */
  | { kind: 'event'; event: EngineEvent }
  /** The engine went away or refused the read; the watch goes on trying. */
  | { kind: 'down'; error: MusterError }

export interface WatchOptions<T> {
  engine: Pick<HostApi, 'events'>
  filters?: Filters
  /** The full read. Called only once the subscription is open, so nothing falls between. */
  list: () => Promise<T>
  /** Ends the watch. */
  signal: AbortSignal
  /** Also read in full this often, in case an event was lost; default never. */
  resyncMs?: number
  clock?: Clock
}

/** Wait before trying again: 100 ms, doubled each time, at most 2 s (a lost host's own budget). */
const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

/** The wait after so many failures in a row, counted from 1. */
export const retryDelay = (failures: number): number =>
  Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_MAX_MS)

/**
 * Follows an engine: subscribes, reads everything, then hands on the events; when the engine goes
 * away, says so and begins again once it is back. Returns when the signal is aborted.
 */
export async function* watch<T>(options: WatchOptions<T>): AsyncGenerator<WatchItem<T>> {
  const { signal, clock = systemClock } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      for await (const item of session(options)) {
        failures = 0
        yield item
      }
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof MusterError)) throw error
      failures += 1
      yield { kind: 'down', error }
      await pause(clock, retryDelay(failures), signal)
    }
  }
}

/** One subscription, until it breaks (throws) or the signal is aborted (returns). */
async function* session<T>(options: WatchOptions<T>): AsyncGenerator<WatchItem<T>> {
  const { engine, filters, list, resyncMs, clock = systemClock } = options
  const inbox = new Inbox<EngineEvent>()
  const life = new AbortController()
  const end = () => {
    life.abort()
    inbox.close()
  }
  options.signal.addEventListener('abort', end, { once: true })
  if (options.signal.aborted) end()
  const opened = Promise.withResolvers<void>()
  const subscription = (async () => {
    try {
      const events = engine.events({
        ...(filters !== undefined && { filters }),
        signal: life.signal,
        onOpen: () => opened.resolve(),
      })
      for await (const event of events) inbox.add(event)
    } catch (error) {
      inbox.fail(error)
    } finally {
      inbox.close()
      opened.resolve()
    }
  })()
  let due = false
  const scheduleResync = () => {
    due = false
    if (resyncMs === undefined) return
    clock.sleep(resyncMs, life.signal).then(
      () => {
        due = true
        inbox.wake()
      },
      () => undefined,
    )
  }
  try {
    await opened.promise
    inbox.check()
    if (life.signal.aborted) return
    yield { kind: 'synced', state: await list() }
    scheduleResync()
    for (;;) {
      const event = await inbox.next()
      if (event !== undefined) yield { kind: 'event', event }
      else if (inbox.closed) return
      if (due) {
        yield { kind: 'synced', state: await list() }
        scheduleResync()
      }
    }
  } finally {
    options.signal.removeEventListener('abort', end)
    end()
    await subscription
  }
}
