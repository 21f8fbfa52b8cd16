/** The recipe galera by hand: every way in which a member starts, on a real server, without the platform. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Position } from '../src/catalog/index.ts'
import { type Lab, ensureImages, labUp } from '../src/lab/index.ts'
import { galera } from '../src/recipes/index.ts'
import { MembersByHand, type MemberByHand } from './members-by-hand.ts'

const HOST = 'host-1'
const IMAGE = 'mariadb:10.11'
const NUMBERS = [1, 2, 3]
const PASSWORD = `it's \\ "quoted"`

describe('galera by hand', () => {
  let lab: Lab
  let cluster: MembersByHand
  const times: Record<string, number> = {}

  const timed = async <T>(what: string, doing: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await doing()
    times[what] = Math.round(performance.now() - start) / 1000
    return result
  }
  const sql = (member: MemberByHand, statement: string) =>
    member.run([
      'mariadb',
      '--batch',
      '--skip-column-names',
      '--database=shop',
      `--execute=${statement}`,
    ])
  const all = () => NUMBERS.map((number) => cluster.member(number))
  const one = (number: number) => cluster.member(number)
  const promoteWriter = async (member: MemberByHand) => {
    for (const each of all().filter(({ address }) => address !== null)) {
      await each.run(galera.verbs.writable?.(each === member) ?? [])
    }
  }
  const insert = async (member: MemberByHand, rows: number) => {
    await sql(member, `INSERT INTO t (v) SELECT CONCAT('v', seq) FROM seq_1_to_${rows}`)
  }
  /** All members hold the same, to the row. */
  const agree = async (members = all()) => {
    const sums = new Set<string>()
    for (const member of members) {
      sums.add(await sql(member, 'SET wsrep_sync_wait=1; CHECKSUM TABLE t; SELECT COUNT(*) FROM t'))
    }
    expect([...sums]).toHaveLength(1)
    return Number([...sums][0]?.split('\n').at(-1))
  }
  const recovered = async (member: MemberByHand): Promise<Position> => {
    const answer = await member.recover()
    if (answer?.position == null) throw new Error(`${member.id}: ${JSON.stringify(answer)}`)
    return answer.position
  }
  /** What the platform does after all have ended: the newest is first, the others join. */
  const recoverAll = async (members = all()) => {
    const positions = new Map<MemberByHand, Position>()
    for (const member of members) positions.set(member, await recovered(member))
    const [winner] = [...positions].toSorted(([, a], [, b]) =>
      Number(BigInt(b.sequence) - BigInt(a.sequence)),
    )
    if (!winner) throw new Error('no position')
    for (const member of all()) await member.remove()
    await winner[0].start({ kind: 'first', position: winner[1] })
    await winner[0].ready()
    return { winner: winner[0], positions }
  }

  beforeAll(async () => {
    lab = await labUp({ name: 'gal', hosts: 1, agent: false })
    await ensureImages(lab, [{ name: IMAGE, context: 'images/mariadb' }])
    cluster = new MembersByHand({
      lab,
      host: HOST,
      recipe: galera,
      image: `registry:5000/${IMAGE}`,
      env: { MARIADB_DATABASE: 'shop', MARIADB_USER: 'app', MYSQL_PASSWORD: PASSWORD },
    })
    await cluster.prepare()
  }, 600_000)
  afterAll(async () => {
    console.log(times)
    await cluster?.[Symbol.asyncDispose]()
    await lab?.down()
  })

  it('forms with an empty folder', async () => {
    await timed('form: start to ready', async () => {
      await one(1).start({ kind: 'form', with: [one(1).id] })
      await one(1).ready()
    })
    const answer = await one(1).ready()
    expect(answer.status).toMatchObject({ role: 'ready', size: 1 })
    expect(answer.position?.history).toBe(answer.status.component)
    await promoteWriter(one(1))
    await sql(one(1), 'CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40))')
    await insert(one(1), 1000)
  })

  it('lets in whom it should and nobody else', async () => {
    const users = await sql(one(1), 'SELECT user, host FROM mysql.global_priv ORDER BY 1, 2')
    expect(users.split('\n')).toEqual([
      'app\t%',
      'mariadb.sys\tlocalhost',
      'mysql\tlocalhost',
      'root\tlocalhost',
    ])
    const login = (user: string, password: string) =>
      one(1).run([
        'mariadb',
        '--no-defaults',
        `--host=${one(1).address}`,
        `--user=${user}`,
        `--password=${password}`,
        '--batch',
        '--skip-column-names',
        '--execute=SELECT COUNT(*) FROM shop.t',
      ])
    expect(await login('app', PASSWORD)).toBe('1000')
    await expect(login('app', 'wrong')).rejects.toThrow('Access denied')
    await expect(login('root', '')).rejects.toThrow('Access denied')
    await expect(login('mysql', '')).rejects.toThrow('Access denied')
  })

  it('is joined, by transfer of state', async () => {
    for (const number of [2, 3]) {
      await timed(`join ${number} by SST: start to ready`, async () => {
        await one(number).start({ kind: 'join', position: null })
        await one(number).ready()
      })
    }
    expect((await one(3).ready()).status.size).toBe(3)
    expect(await agree()).toBe(1000)
    await expect(insert(one(2), 1).then(() => 'written')).resolves.toBe('written')
    expect(existsSync(one(3).path('data', '.sst'))).toBe(false)
  })

  it('is joined again after a crash, without a transfer', async () => {
    await one(3).kill()
    await insert(one(1), 500)
    const position = await timed('recover one', () => recovered(one(3)))
    await timed('rejoin after kill -9 by IST: start to ready', async () => {
      await one(3).start({ kind: 'join', position }, { donors: [one(2).id] })
      await one(3).ready()
    })
    expect(await one(3).log(400)).toMatch(/IST received|Receiving IST/)
    expect(await one(3).log(400)).not.toMatch(/Proceeding with SST/)
    await agree()
  })

  it('recovers after all were killed at once, from the newest', async () => {
    let acknowledged = 0
    const stopped = new AbortController()
    const before = await agree()
    const client = (async () => {
      while (!stopped.signal.aborted) {
        try {
          await insert(one(1), 1)
          acknowledged++
        } catch {
          return
        }
      }
    })()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    await Promise.all(all().map((member) => member.kill()))
    stopped.abort()
    await client
    let first = one(1)
    await timed('all killed: to the first ready', async () => {
      first = (await recoverAll()).winner
    })
    await promoteWriter(first)
    await timed('all killed: the others back', async () => {
      for (const member of all().filter((each) => each !== first)) {
        await member.start({ kind: 'join', position: await recovered(member) })
        await member.ready()
        expect(await member.log(400)).not.toMatch(/Proceeding with SST/)
      }
    })
    const rows = await agree()
    expect(acknowledged).toBeGreaterThan(10)
    expect(rows - before).toBeGreaterThanOrEqual(acknowledged)
    expect(rows - before).toBeLessThanOrEqual(acknowledged + 1)
  })

  it('recovers after all were stopped in parallel', async () => {
    await timed('parallel stop', () => Promise.all(all().map((member) => member.stop())))
    const answers = []
    for (const member of all()) answers.push(await member.recover())
    expect(answers.map((answer) => answer?.damaged)).toEqual([null, null, null])
    expect(answers.some((answer) => answer?.clean)).toBe(true)
    const { winner } = await timed('after parallel stop: to the first ready', () => recoverAll())
    await promoteWriter(winner)
    for (const member of all().filter((each) => each !== winner)) {
      await member.start({ kind: 'join', position: await recovered(member) })
      await member.ready()
    }
    await agree()
  })

  it('takes a lost volume for empty, and fills it', async () => {
    await one(2).kill()
    await one(2).loseVolume()
    expect(await one(2).recover()).toEqual({ position: null, clean: false, damaged: null })
    await timed('lost volume: start to ready', async () => {
      await one(2).start({ kind: 'join', position: null }, { donors: [one(3).id] })
      await one(2).ready()
    })
    await agree()
  })

  it('calls data damaged that a cut transfer has left', async () => {
    await sql(
      one(1),
      'CREATE TABLE big AS SELECT seq, REPEAT(MD5(seq), 20) AS v FROM seq_1_to_60000',
    )
    await one(2).kill()
    await one(2).loseVolume()
    await one(2).start({ kind: 'join', position: null })
    let doing: string | null | undefined
    for (let i = 0; i < 600; i++) {
      const answer = await one(2).ask()
      doing = answer?.doing
      if (answer?.status.role === 'joining' && existsSync(one(2).path('data', '.sst', 'ibdata1')))
        break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await one(2).kill()
    expect(doing).toMatch(/receiving state/)
    expect(await one(2).recover()).toMatchObject({ damaged: expect.stringMatching(/cut off/) })
    await timed('join anew after a cut transfer', async () => {
      await one(2).start({ kind: 'join', position: null })
      await one(2).ready()
    })
    await agree()
  })

  it('is primary again by a grant when the majority is gone', async () => {
    await Promise.all([one(2).kill(), one(3).kill()])
    const outside = await timed('majority gone: seen as outside', async () => {
      for (;;) {
        const answer = await one(1).ask()
        if (answer?.status.role === 'outside') return answer
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })
    expect(outside.position).not.toBe(null)
    expect(outside.causal).toBe(false)
    await timed('promote: to ready', async () => {
      await one(1).run(galera.verbs.promote?.() ?? [])
      await one(1).ready()
    })
    for (const number of [2, 3]) {
      await one(number).start({ kind: 'join', position: await recovered(one(number)) })
      await one(number).ready()
    }
    await agree()
  })

  it('is not believed after a pause until it has caught up', async () => {
    await one(3).freeze()
    const until = performance.now() + 8000
    while (performance.now() < until) await insert(one(1), 1).catch(() => undefined)
    const frozen = await one(3).ask()
    expect(frozen?.causal ?? false).toBe(false)
    let acknowledged = Number(await sql(one(1), 'SELECT COUNT(*) FROM t'))
    const claims: string[] = []
    await timed('resumed: to causal', async () => {
      await one(3).thaw()
      for (;;) {
        await insert(one(1), 1)
        acknowledged++
        const answer = await one(3).ask()
        if (answer) claims.push(`${answer.status.role} ${answer.causal}`)
        if (answer?.causal) break
      }
    })
    // Without waiting for anything: it has all that was acknowledged before it was asked.
    expect(Number(await sql(one(3), 'SELECT COUNT(*) FROM t'))).toBeGreaterThanOrEqual(acknowledged)
    console.log([...new Set(claims)])
    await one(3).ready()
    await agree()
  })

  it('speaks only to members of its own when its traffic is encrypted', async () => {
    await using private_ = new MembersByHand({
      lab,
      host: HOST,
      recipe: galera,
      image: `registry:5000/${IMAGE}`,
      name: 'private_db',
      options: { tls: true },
    })
    const [a, b] = [private_.member(1), private_.member(2)]
    await a.start({ kind: 'form', with: [a.id] })
    await a.ready()
    await timed('join by SST, encrypted', async () => {
      await b.start({ kind: 'join', position: null })
      await b.ready()
    })
    expect((await a.ready()).status.size).toBe(2)
    expect(await b.log(400)).toMatch(/Using openssl based encryption with socat/)
    // Who does not know the cluster's secret is not let in, and does no harm.
    const c = private_.member(3)
    await c.start({ kind: 'join', position: null }, { secret: 9 })
    await expect(c.ready(8000)).rejects.toThrow()
    expect((await a.ready()).status.size).toBe(2)
  })
})
