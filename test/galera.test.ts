/** A Galera cluster from a Compose file: formed, scaled, crashed and healed on real engines. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { GaleraLab } from './galera-lab.ts'

let galera: GaleraLab

beforeAll(async () => {
  galera = await GaleraLab.up('galera-test', 5)
}, 600_000)

afterAll(async () => {
  await galera?.[Symbol.asyncDispose]()
})

describe('a service with the recipe galera', () => {
  it('forms one cluster of three empty members', async () => {
    expect(await galera.up(3)).toContain('new, 3 members of galera')
    const members = await galera.ready(3)
    expect(new Set(members.map((each) => each.host)).size).toBe(3)
    expect(members.filter((each) => each.role === 'writer')).toHaveLength(1)
    const states = await Promise.all(
      members.map((each) => galera.sql(each.member, "SHOW STATUS LIKE 'wsrep_cluster_state_uuid'")),
    )
    expect(new Set(states).size).toBe(1)
    expect(await galera.must(['plan', '-f', '-'], { input: galera.file(3) })).toContain(
      'nothing to do',
    )
  }, 180_000)

  it('grows to five and shrinks to three while a client writes', async () => {
    await galera.startWriting()
    await galera.must(['scale', 'db=5', '--timeout', '4m'])
    const five = await galera.ready(5)
    const writer = five.find((each) => each.role === 'writer')?.member
    await galera.must(['scale', 'db=3', '--timeout', '4m'])
    const three = await galera.ready(3)
    expect(three.some((each) => each.member === writer)).toBe(true)
    const writes = await galera.stopWriting()
    expect(writes.longestGapMs).toBeLessThan(4000)
    await galera.agree(
      writes,
      three.map((each) => each.member),
    )
  }, 400_000)

  it('has a member back that was killed, by what it lacks alone', async () => {
    await galera.startWriting()
    const before = await galera.ready(3)
    const reader = before.find((each) => each.role === 'reader')?.member ?? ''
    await galera.kill(reader)
    await galera.changed(reader)
    await galera.ready(3)
    await galera.agree(
      await galera.stopWriting(),
      before.map((each) => each.member),
    )
  }, 180_000)

  it('lets nobody in who reaches only some of the others', async () => {
    await galera.startWriting()
    const [one, two] = (await galera.ready(3)).filter((each) => each.role === 'reader')
    if (one === undefined || two === undefined) throw new Error('no two readers')
    await galera.kill(two.member)
    // Now the overlay network of their two hosts has no way between them.
    const rule = `udp dport 4789 ip saddr ${galera.lab.address(two.host)} drop`
    const nft = (commands: string) =>
      galera.lab.exec(one.host, ['nft', '-f', '-'], { input: commands })
    await nft(
      `table ip apart { chain in { type filter hook input priority -300; policy accept; ${rule}; }; }`,
    )
    const container = await until(
      `${two.member} to wait for a way`,
      async () => {
        const { host, id } = await galera.container(two.member).catch(() => ({ host: '', id: '' }))
        if (id === '') return false
        const { stderr } = await galera.lab.exec(host, ['docker', 'logs', id])
        return stderr.includes('there is no way to') && id
      },
      { timeoutMs: 60_000 },
    )
    await galera.lab.exec(two.host, ['docker', 'wait', container], { timeoutMs: 60_000 })
    await nft('delete table ip apart')
    const after = await galera.ready(3)
    const writes = await galera.stopWriting()
    expect(writes.longestGapMs).toBeLessThan(4000)
    await galera.agree(
      writes,
      after.map((each) => each.member),
    )
  }, 240_000)

  it('moves the writes when it is told to, and before their host is drained', async () => {
    const before = await galera.ready(3)
    const first = before.find((each) => each.role === 'writer')
    const second = before.find((each) => each.role === 'reader')
    await galera.startWriting()
    const said = await galera.must(['switchover', 'db', '--to', second?.member ?? ''])
    expect(said).toContain(`${second?.member} takes the writes of shop_db`)
    const again = await galera.muster(['switchover', 'db', '--to', second?.member ?? ''])
    expect(again.stderr).toContain('takes the writes already')
    expect(await galera.must(['node', 'drain', second?.host ?? '', '--detach'])).toContain(
      `(before: shop_${second?.member})`,
    )
    await galera.must(['node', 'activate', second?.host ?? ''])
    const after = await galera.ready(3)
    const writes = await galera.stopWriting()
    expect(after.map((each) => each.member)).toContain(first?.member)
    expect(writes.failed).toBe(0)
    expect(writes.longestGapMs).toBeLessThan(4000)
    await galera.agree(
      writes,
      after.map((each) => each.member),
    )
  }, 240_000)

  it('moves the writes when the writer dies', async () => {
    await galera.startWriting()
    const before = await galera.ready(3)
    const writer = before.find((each) => each.role === 'writer')?.member ?? ''
    await galera.kill(writer)
    await galera.changed(writer)
    const after = await galera.ready(3)
    expect(after.find((each) => each.role === 'writer')?.member).not.toBe(writer)
    const writes = await galera.stopWriting()
    await galera.agree(
      writes,
      after.map((each) => each.member),
    )
  }, 180_000)

  it('elects the newest copy when all were killed at once', async () => {
    await galera.startWriting()
    const before = await galera.ready(3)
    await galera.kill(...before.map((each) => each.member))
    await galera.changed(before[0]?.member ?? '')
    await galera.ready(3)
    await galera.agree(
      await galera.stopWriting(),
      before.map((each) => each.member),
    )
  }, 240_000)

  it('is updated one member after another, the writer last', async () => {
    await galera.startWriting()
    await galera.up(3, { UPDATED: 'yes' })
    const after = await galera.ready(3)
    expect(after.every((each) => each.current)).toBe(true)
    const writes = await galera.stopWriting()
    expect(writes.failed).toBe(0)
    await galera.agree(
      writes,
      after.map((each) => each.member),
    )
  }, 300_000)

  it('keeps its data through down and up', async () => {
    const rows = await galera.sql('db-1', 'SELECT COUNT(*) FROM rows_')
    await galera.must(['down', 'shop', '--yes'])
    await galera.up(3)
    const back = await galera.ready(3)
    for (const { member } of back) {
      expect(await galera.sql(member, 'SELECT COUNT(*) FROM rows_')).toBe(rows)
    }
  }, 300_000)

  it('comes back when every host has lost its power', async () => {
    const before = await galera.ready(3)
    const rows = await galera.sql(before[0]?.member ?? '', 'SELECT COUNT(*) FROM rows_')
    await galera.powerCycle()
    const after = await galera.ready(3, 150_000)
    expect(await galera.sql(after[0]?.member ?? '', 'SELECT COUNT(*) FROM rows_')).toBe(rows)
  }, 300_000)

  it('copies the data anew to a member whose volume is lost', async () => {
    const before = await galera.ready(3)
    const reader = before.find((each) => each.role === 'reader')
    if (reader === undefined) throw new Error('no reader')
    const rows = await galera.sql(reader.member, 'SELECT COUNT(*) FROM rows_')
    await galera.loseVolume(reader)
    await galera.changed(reader.member)
    await galera.ready(3, 150_000)
    expect(await galera.sql(reader.member, 'SELECT COUNT(*) FROM rows_')).toBe(rows)
  }, 300_000)

  it('is held when the copy that took the writes is lost with all down, until a person decides', async () => {
    const before = await galera.ready(3)
    const writer = before.find((each) => each.role === 'writer')
    const readers = before.filter((each) => each.role === 'reader').map((each) => each.member)
    const [chosen] = readers
    if (writer === undefined || chosen === undefined) throw new Error('no writer or no reader')
    await Promise.all([galera.loseVolume(writer), galera.kill(...readers)])
    await galera.held()
    const why = await galera.must(['why', 'db'])
    expect(why).toContain('muster recover db [--from MEMBER]')
    for (const each of before) expect(why).toContain(each.member)
    const refused = await galera.muster(['recover', 'db', '--from', writer.member, '--yes'])
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(2)
    const decided = await galera.must(['recover', 'db', '--from', chosen, '--yes'])
    expect(decided).toContain(`goes on with the data of shop_${chosen}`)
    const after = await galera.ready(3)
    const counts = await Promise.all(
      after.map((each) => galera.sql(each.member, 'SET wsrep_sync_wait=1; SHOW TABLES')),
    )
    expect(new Set(counts).size).toBe(1)
  }, 300_000)

  it('lets the member of a lost host go first, and at once', async () => {
    const before = await galera.ready(3)
    const lost = before.find((each) => each.role === 'reader' && each.host !== 'host-1')
    if (lost === undefined) throw new Error('no reader on another host')
    await galera.lab.kill(lost.host)
    await galera.must(['scale', 'db=2', '--timeout', '90s'])
    const after = await galera.ready(2)
    expect(after.map((each) => each.member)).not.toContain(lost.member)
    await galera.must(['sql', 'db', 'SELECT 1'])
  }, 180_000)
})
