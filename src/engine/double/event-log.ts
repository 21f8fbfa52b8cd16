import { Inbox } from '../inbox.ts'
import type { EngineEvent, Filters } from '../types.ts'
import { matchesEvent } from './filters.ts'

/** The engine keeps this many events for those who ask for the past. */
const KEPT = 256

/** The events of one engine. */
export class EventLog {
  readonly #kept: EngineEvent[] = []
  readonly #subscribers = new Set<{ filters: Filters; inbox: Inbox<EngineEvent> }>()

  emit(event: EngineEvent): void {
    this.#kept.push(event)
    if (this.#kept.length > KEPT) this.#kept.shift()
    for (const { filters, inbox } of this.#subscribers) {
      if (matchesEvent(event, filters)) inbox.add(event)
    }
  }

  /** Events from `since` (seconds since 1970), or from now on. Ended by closing the inbox. */
  subscribe(filters: Filters, since: number | undefined): Inbox<EngineEvent> {
    const inbox = new Inbox<EngineEvent>()
    if (since !== undefined) {
      for (const event of this.#kept) {
        const recent = (event.timeNano ?? 0) / 1e9 >= since
        if (recent && matchesEvent(event, filters)) inbox.add(event)
      }
    }
    this.#subscribers.add({ filters, inbox })
    return inbox
  }

  unsubscribe(inbox: Inbox<EngineEvent>): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.inbox === inbox) this.#subscribers.delete(subscriber)
    }
  }

  /** The engine goes away: every stream breaks. */
  break(error: unknown): void {
    for (const { inbox } of this.#subscribers) {
      inbox.fail(error)
      inbox.close()
    }
    this.#subscribers.clear()
    this.#kept.length = 0
  }
}
