/**
 * The leader's part of clustered services: sees what there is, asks `decide`, writes the ledger, and
 * does what was decided. Two leaders at once do no harm: the ledger changes by compare-and-swap, and
 * every action may be repeated.
 */
import { LABEL, Loop, messageOf } from '../base/index.ts'
import type { ClusterName } from '../catalog/index.ts'
import { ClusterLeader } from './cluster-leader.ts'
import { HostMemory } from './host-memory.ts'
import type { LeaderOptions } from './leader-options.ts'
import { readStoredLedgers } from './ledger-store.ts'

/** All clustered services, each in its own time. */
export class MembersLeader implements AsyncDisposable {
  readonly #options: LeaderOptions
  readonly #clusters = new Map<ClusterName, ClusterLeader>()
  readonly #search: Loop
  readonly #hosts: HostMemory

  constructor(options: LeaderOptions) {
    this.#options = options
    this.#hosts = new HostMemory(options.clock)
    this.#search = new Loop({
      clock: options.clock,
      run: () => this.#find(),
      onError: (error) => options.onProblem(`clustered services: ${messageOf(error)}`),
    })
    this.#search.wake()
  }

  /** Swarm's objects may have changed. */
  onServices(): void {
    this.#search.wake()
  }

  /** The catalog has changed. */
  onCatalog(): void {
    for (const cluster of this.#clusters.values()) cluster.wake({ swarm: false })
  }

  /** Resolves when nothing is being done; for tests. */
  async settled(): Promise<void> {
    await this.#search.settled()
    await Promise.all([...this.#clusters.values()].map((each) => each.settled()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#search.stop()
    await Promise.all([...this.#clusters.values()].map((each) => each.stop()))
  }

  async #find(): Promise<void> {
    const { engine } = this.#options
    const [heads, members, { ledgers, problems }] = await Promise.all([
      engine.listServices({ label: [LABEL.recipe] }),
      engine.listServices({ label: [LABEL.memberOf] }),
      readStoredLedgers(engine),
    ])
    for (const problem of problems.values()) this.#options.onProblem(problem)
    const names = new Set([
      ...heads.map((each) => each.Spec.Name),
      ...members.map((each) => each.Spec.Labels?.[LABEL.cluster] ?? ''),
      ...ledgers.keys(),
    ])
    // What cannot be read is not decided about.
    for (const name of problems.keys()) names.delete(name)
    for (const [name, cluster] of this.#clusters) {
      if (names.has(name)) continue
      this.#clusters.delete(name)
      await cluster.stop()
    }
    for (const name of names) {
      const known = this.#clusters.get(name)
      if (known === undefined) {
        this.#clusters.set(name, new ClusterLeader(name, this.#options, this.#hosts))
      } else known.wake({ swarm: true })
    }
  }
}
