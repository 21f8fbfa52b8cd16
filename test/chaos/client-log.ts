/** The log of a workload's clients: a file on the machine, out of reach of all faults. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What a client did and was told, a line of JSON each, in the order in which it was told. */
export class ClientLog<Entry extends { outcome: string }> implements Disposable {
  readonly entries: Entry[] = []
  /** When each write was acknowledged, Date.now. */
  readonly acknowledged: number[] = []
  readonly #file: number

  constructor(folder: string) {
    this.#file = openSync(join(folder, 'client.log'), 'a')
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }

  /** Written before the client does anything else. `detail` is for people. */
  add(entry: Entry, detail = ''): void {
    const at = Date.now()
    this.entries.push(entry)
    if (entry.outcome === 'ok') this.acknowledged.push(at)
    writeSync(this.#file, `${JSON.stringify({ at, ...entry, ...(detail && { detail }) })}\n`)
  }

  /** How many entries have an outcome. */
  count(outcome: string): number {
    return this.entries.filter((each) => each.outcome === outcome).length
  }
}
