import { Loop, type Clock } from '../base/index.ts'
import { replaceFile } from './config-file.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'

export interface ConfigSaverOptions {
  path: string
  clock: Clock
  /** What the file should say now. */
  text: () => string
  onError: (error: unknown) => void
}

/** Writes haproxy.cfg: at once before a reload, and not too often after changes at run time. */
export class ConfigSaver {
  readonly #options: ConfigSaverOptions
  readonly #loop: Loop
  #written = ''
  #savedAt = Number.NEGATIVE_INFINITY
  /** The last write: one after the other, so that an older text never comes last. */
  #saving: Promise<boolean> = Promise.resolve(true)

  constructor(options: ConfigSaverOptions) {
    this.#options = options
    const { clock, onError } = options
    this.#loop = new Loop({ run: () => this.#later(), onError, clock })
  }

  /** The file is what it should be; false when it cannot be written (a full disk). */
  now(): Promise<boolean> {
    this.#saving = this.#saving.then(() => this.#write())
    return this.#saving
  }

  /** The same soon; tried again until it works. */
  soon(): void {
    this.#loop.wake()
  }

  settled(): Promise<void> {
    return this.#loop.settled()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #later(): Promise<void> {
    const wait = this.#savedAt + T.saveEvery - this.#options.clock.now()
    if (wait > 0) this.#loop.wakeIn(wait)
    else if (!(await this.now())) this.#loop.wakeIn(T.saveRetry)
  }

  async #write(): Promise<boolean> {
    const { path, clock, onError } = this.#options
    const text = this.#options.text()
    if (text === this.#written) return true
    this.#savedAt = clock.now()
    try {
      await replaceFile(path, text)
      this.#written = text
      return true
    } catch (error) {
      onError(error)
      return false
    }
  }
}
