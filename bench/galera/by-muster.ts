import { connectAgent } from '../../src/agent/index.ts'
import { AGENT_SOCKET, MusterError, until } from '../../src/base/index.ts'
import type { GaleraLab, MemberLine } from '../../test/galera-lab.ts'
import type { SqlWriter, Writes } from '../../test/sql-writer.ts'
import { BULK, type Side } from './side.ts'

const STACK = 'shop_'
const CLUSTER = `${STACK}db`

/** `muster up`, and what heals by itself. */
export class ByMuster implements Side {
  readonly name = 'Muster'
  readonly #lab: GaleraLab
  #going: Promise<unknown> = Promise.resolve()

  constructor(lab: GaleraLab) {
    this.#lab = lab
  }

  async begin(): Promise<void> {
    this.#going = this.#lab.up(3)
    // Awaited when the members agree; until then a failure is nobody's.
    this.#going.catch(() => undefined)
  }

  clients(): Promise<SqlWriter> {
    return this.#lab.writer()
  }

  /** By what an agent knows: a command takes a second of its own. */
  async ready(count: number, timeoutMs = 120_000): Promise<string[]> {
    const agent = connectAgent(this.#lab.lab.hostPath('host-1', AGENT_SOCKET))
    return until(
      `${count} members to be ready`,
      async () => {
        const catalog = await agent.catalog().catch((error: unknown) => {
          // Its host may have been without power just now.
          if (error instanceof MusterError) return null
          throw error
        })
        const cluster = catalog?.clusters.get(CLUSTER)
        if (!catalog || !cluster) return false
        const members = Object.keys(cluster.ledger.members)
        const ready = members.filter((id) =>
          [...catalog.members.values()].some((each) => each.id === id && each.ready),
        )
        const served = ready.includes(cluster.ledger.writer ?? '')
        return members.length === count && ready.length === count && served
          ? ready.map((id) => id.slice(STACK.length))
          : false
      },
      { timeoutMs },
    )
  }

  writer(): Promise<string> {
    return this.#inRole('writer')
  }

  reader(): Promise<string> {
    return this.#inRole('reader')
  }

  async #inRole(role: MemberLine['role']): Promise<string> {
    const member = (await this.#lab.members()).find((each) => each.role === role)
    if (member === undefined) throw new Error(`no member is a ${role}`)
    return member.member
  }

  async crash(members: readonly string[]): Promise<void> {
    await this.#lab.kill(...members)
    for (const each of members) await this.#lab.changed(each)
  }

  powerCycle(): Promise<void> {
    return this.#lab.powerCycle()
  }

  async recover(): Promise<void> {}

  async switchover(): Promise<void> {
    await this.#lab.must(['switchover', 'db'])
  }

  async rollingUpdate(): Promise<void> {
    await this.#lab.up(3, { ROLLED: String(Date.now()) })
  }

  async grow(count: number): Promise<void> {
    await this.#lab.must(['scale', `db=${count}`, '--timeout', '4m'])
  }

  async shrink(): Promise<void> {
    await this.#lab.must(['scale', 'db=3', '--timeout', '4m'])
  }

  async fill(): Promise<void> {
    await this.#lab.must(['sql', 'db', BULK])
  }

  async agree(writes: Writes, members: readonly string[]): Promise<unknown> {
    await this.#going
    return this.#lab.agree(writes, [...members])
  }

  async end(): Promise<void> {
    await this.#lab.must(['down', 'shop', '--volumes', '--yes'])
  }
}
