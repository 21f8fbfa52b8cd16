import { exponentialBackoff, Loop, type Clock } from '../base/index.ts'
import type { NetworkId } from '../catalog/index.ts'
import type { EdgeEvent } from './events.ts'
import type { EdgeProcess } from './process.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'

export interface PlacementOptions {
  process: EdgeProcess
  clock: Clock
  onEvent: (event: EdgeEvent) => void
  /** It has been started: it may answer soon. */
  onStarted: () => void
}

/**
 * Sees that HAProxy runs and is in the networks of what it serves. Apart from the routes, because the
 * engine may take seconds for what the admin socket does in a millisecond.
 */
export class Placement {
  readonly #options: PlacementOptions
  readonly #loop: Loop
  #image: string | null = null
  #ensured: string | null = null
  #restart = false
  #networks: readonly NetworkId[] = []
  /** Networks that are not wanted any more, and when they are left. */
  readonly #lingering = new Map<NetworkId, number>()
  #networkFailures = 0

  constructor(options: PlacementOptions) {
    this.#options = options
    this.#loop = new Loop({
      run: () => this.#place(),
      onError: (error) => options.onEvent({ type: 'process-failed', error }),
      clock: options.clock,
    })
  }

  /** Sets what is wanted. */
  want(wanted: { image: string; networks: readonly NetworkId[] }): void {
    const changed = wanted.image !== this.#image || wanted.networks.join() !== this.#networks.join()
    if (!changed) return
    const leaveAt = this.#options.clock.now() + T.networkLinger
    for (const network of this.#networks) this.#lingering.set(network, leaveAt)
    for (const network of wanted.networks) this.#lingering.delete(network)
    this.#image = wanted.image
    this.#networks = wanted.networks
    this.#loop.wake()
  }

  /** HAProxy does not answer: look whether it runs. */
  ensure(): void {
    this.#ensured = null
    this.#loop.nudge()
  }

  /** It runs and has not answered for long. */
  restart(): void {
    this.#restart = true
    this.#loop.nudge()
  }

  /** Something is being done about it right now. */
  get busy(): boolean {
    return this.#loop.busy
  }

  settled(): Promise<void> {
    return this.#loop.settled()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #place(): Promise<void> {
    const { process, onStarted } = this.#options
    const image = this.#image
    if (image === null) return
    if (this.#ensured !== image || this.#restart) {
      const outcome = await process.ensure(image)
      this.#ensured = image
      // What was not there, or has just been made, needs no restart.
      if (outcome === 'running' && this.#restart) await process.restart()
      if (outcome === 'started' || this.#restart) onStarted()
      this.#restart = false
    }
    await this.#join()
  }

  async #join(): Promise<void> {
    const { process, clock, onEvent } = this.#options
    const now = clock.now()
    for (const [network, leaveAt] of this.#lingering) {
      if (leaveAt <= now) this.#lingering.delete(network)
      else this.#loop.wakeIn(leaveAt - now)
    }
    const failures = await process.setNetworks([...this.#networks, ...this.#lingering.keys()])
    for (const failure of failures) onEvent({ type: 'network-failed', ...failure })
    this.#networkFailures = failures.length > 0 ? this.#networkFailures + 1 : 0
    this.#loop.wakeIn(
      failures.length > 0 ? exponentialBackoff(this.#networkFailures) : T.placementCheck,
    )
  }
}
