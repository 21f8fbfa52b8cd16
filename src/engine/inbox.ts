/** Items that arrive when they like, taken one by one. */
export class Inbox<T> {
  readonly #waiting: T[] = []
  #failure: { error: unknown } | undefined
  #wake: () => void = () => undefined
  closed = false

  add(item: T): void {
    this.#waiting.push(item)
    this.#wake()
  }

  /** To be thrown once what has arrived is taken. */
  fail(error: unknown): void {
    this.#failure = { error }
  }

  close(): void {
    this.closed = true
    this.#wake()
  }

  /** Makes a waiting `next` return without an item. */
  wake(): void {
    this.#wake()
  }

  /** Throws what `fail` was given, if anything. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** The next item; undefined when woken without one, or closed. */
  async next(): Promise<T | undefined> {
    if (this.#waiting.length === 0 && !this.closed) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const item = this.#waiting.shift()
    if (item === undefined) this.check()
    return item
  }
}
