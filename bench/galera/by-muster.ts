import type { GaleraLab, MemberLine } from '../../test/galera-lab.ts'
import type { SqlWriter, Writes } from '../../test/sql-writer.ts'
import { BULK, type Side } from './side.ts'

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
    // Awaited where its members are; until then a failure is nobody's.
    this.#going.catch(() => undefined)
  }

  clients(): Promise<SqlWriter> {
    return this.#lab.writer()
  }

  async ready(count: number, timeoutMs?: number): Promise<string[]> {
    await this.#going
    return (await this.#lab.ready(count, timeoutMs)).map((each) => each.member)
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

  agree(writes: Writes, members: readonly string[]): Promise<unknown> {
    return this.#lab.agree(writes, [...members])
  }

  async end(): Promise<void> {
    await this.#lab.must(['down', 'shop', '--volumes', '--yes'])
  }
}
