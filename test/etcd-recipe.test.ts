/** The recipe etcd by hand: every way in which a member starts, on a real server, without the platform. */
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import type { Position } from '../src/catalog/index.ts'
import { type Lab, ensureImages, labUp } from '../src/lab/index.ts'
import { etcd } from '../src/recipes/index.ts'
import { MembersByHand, type MemberByHand } from './members-by-hand.ts'

const HOST = 'host-1'
const IMAGE = 'etcd:3.4'

describe('etcd by hand', () => {
  let lab: Lab
  let cluster: MembersByHand
  const times: Record<string, number> = {}

  const timed = async <T>(what: string, doing: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await doing()
    times[what] = Math.round(performance.now() - start) / 1000
    return result
  }
  const one = (number: number) => cluster.member(number)
  const some = (...numbers: number[]) => numbers.map(one)
  /** What was on its way to a leader that has just died is lost, and is asked again. */
  const put = (member: MemberByHand, key: string, value: string) =>
    until(
      `${key} to be ${value}`,
      async () => {
        try {
          return await member.run(['etcdctl', '--command-timeout=2s', 'put', key, value])
        } catch (error) {
          if (/deadline exceeded|request timed out|no leader/i.test(String(error))) return false
          throw error
        }
      },
      { timeoutMs: 20_000 },
    )
  const get = (member: MemberByHand, key: string) =>
    member.run(['etcdctl', 'get', key, '--print-value-only'])
  const members = async (member: MemberByHand) =>
    (await member.run(['etcdctl', 'member', 'list']))
      .split('\n')
      .map((line) => line.split(', ')[2] ?? '')
      .sort()
  const recovered = async (member: MemberByHand): Promise<Position> => {
    const answer = await member.recover()
    if (answer?.position == null) throw new Error(`${member.id}: ${JSON.stringify(answer)}`)
    return answer.position
  }
  const allReady = (list: MemberByHand[]) => Promise.all(list.map((member) => member.ready()))
  const agree = async (list: MemberByHand[]) => {
    const seen = new Set<string>()
    for (const member of list) {
      seen.add(await member.run(['etcdctl', 'get', '', '--prefix']))
    }
    expect([...seen]).toHaveLength(1)
  }

  beforeAll(async () => {
    lab = await labUp({ name: 'etcd', hosts: 1, agent: false })
    await ensureImages(lab, [{ name: IMAGE, context: 'images/etcd' }])
    cluster = new MembersByHand({
      lab,
      host: HOST,
      recipe: etcd,
      image: `registry:5000/${IMAGE}`,
      options: { snapshots: { every: '1s', keep: 2 } },
    })
    await cluster.prepare()
  }, 600_000)
  afterAll(async () => {
    console.log(times)
    await cluster?.[Symbol.asyncDispose]()
    await lab?.down()
  })

  it('forms, all at once', async () => {
    const all = some(1, 2, 3)
    await timed('form: start to all ready', async () => {
      await Promise.all(
        all.map((member) => member.start({ kind: 'form', with: all.map(({ id }) => id) })),
      )
      await allReady(all)
    })
    const answers = await allReady(all)
    expect(answers.map(({ status }) => status.size)).toEqual([3, 3, 3])
    expect(new Set(answers.map(({ status }) => status.component)).size).toBe(1)
    expect(answers.filter(({ status }) => status.leads)).toHaveLength(1)
    await put(one(1), 'colour', 'blue')
    expect(await get(one(3), 'colour')).toBe('blue')
  })

  it('is joined again after a crash', async () => {
    await one(2).kill()
    await put(one(1), 'colour', 'green')
    const position = await timed('recover one', () => recovered(one(2)))
    await timed('rejoin after kill -9', async () => {
      await one(2).start({ kind: 'rejoin', position })
      await one(2).ready()
    })
    expect(await get(one(2), 'colour')).toBe('green')
  })

  it('starts by itself after all were killed at once', async () => {
    const all = some(1, 2, 3)
    await Promise.all(all.map((member) => member.kill()))
    const positions = await Promise.all(all.map(recovered))
    expect(new Set(positions.map(({ history }) => history)).size).toBe(1)
    await timed('all killed: to all ready', async () => {
      await Promise.all(
        all.map((member, i) => member.start({ kind: 'rejoin', position: positions[i] ?? null })),
      )
      await allReady(all)
    })
    expect(await get(one(3), 'colour')).toBe('green')
    await Promise.all(all.map((member) => member.stop()))
    await Promise.all(all.map((member) => member.start({ kind: 'rejoin', position: null })))
    await allReady(all)
    expect(await get(one(3), 'colour')).toBe('green')
    await agree(all)
  })

  it('takes one that lost its volume out, and in again', async () => {
    await one(3).kill()
    await one(3).loseVolume()
    expect(await one(3).recover()).toEqual({ position: null, clean: false, damaged: null })
    await timed('lost volume: start to ready', async () => {
      await one(3).start({ kind: 'join', position: null })
      await one(3).ready()
    })
    expect(await members(one(1))).toEqual(['shop_db-1', 'shop_db-2', 'shop_db-3'])
    expect(await get(one(3), 'colour')).toBe('green')
  })

  it('grows to five and shrinks to three', async () => {
    for (const number of [4, 5]) {
      await timed(`join ${number}`, async () => {
        await one(number).start({ kind: 'join', position: null })
        await one(number).ready()
      })
    }
    expect((await one(1).ready()).status.size).toBe(5)
    await put(one(5), 'colour', 'red')
    for (const number of [4, 5]) {
      const peer = { id: one(number).id, name: one(number).id, address: null, ready: true }
      await one(1).run(etcd.verbs.remove?.(peer) ?? [])
      // Again does no harm.
      await one(1).run(etcd.verbs.remove?.(peer) ?? [])
      await one(number).remove()
    }
    expect(await members(one(1))).toEqual(['shop_db-1', 'shop_db-2', 'shop_db-3'])
    expect(await get(one(2), 'colour')).toBe('red')
  })

  it('refuses to serve without a majority, and says so', async () => {
    await Promise.all(some(2, 3).map((member) => member.kill()))
    for (;;) {
      const answer = await one(1).ask()
      if (answer?.status.role === 'outside') {
        expect(answer.causal).toBe(false)
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })

  it('goes on alone when a person says so, and is joined anew', async () => {
    for (const member of some(2, 3)) await member.loseVolume()
    await one(1).kill()
    const position = await recovered(one(1))
    await timed('first: start to ready', async () => {
      await one(1).start({ kind: 'first', position })
      await one(1).ready()
    })
    expect(await members(one(1))).toEqual(['shop_db-1'])
    expect(await get(one(1), 'colour')).toBe('red')
    for (const number of [2, 3]) {
      await one(number).start({ kind: 'join', position: null })
      await one(number).ready()
    }
    await agree(some(1, 2, 3))
    expect(await members(one(1))).toEqual(['shop_db-1', 'shop_db-2', 'shop_db-3'])
  })

  const files = async (member: MemberByHand) =>
    (await readdir(member.path('data', 'snapshots'))).filter((name) => etcd.snapshots?.read(name))

  it('puts whole copies beside its data, and goes on with one of them', async () => {
    await put(one(1), 'colour', 'white')
    const before = new Set(await files(one(1)))
    const snapshot = await until(
      'a snapshot',
      // The second one began after the write.
      async () => {
        const newer = (await files(one(1))).filter((name) => !before.has(name)).sort()
        return newer[1]
      },
      { timeoutMs: 20_000 },
    )
    await put(one(1), 'colour', 'black')
    await Promise.all(some(1, 2, 3).map((member) => member.kill()))
    expect((await files(one(1))).length).toBeLessThanOrEqual(2)
    for (const member of some(2, 3)) await member.loseVolume()
    const wal = one(1).path('data', 'member', 'wal')
    for (const name of await readdir(wal)) {
      if (name.endsWith('.wal'))
        await writeFile(`${wal}/${name}`, 'not a log at all, but long enough')
    }
    expect((await one(1).recover())?.damaged).toMatch(/etcd cannot read it/)
    const restore = () => one(1).helper(etcd.snapshots!.restore(snapshot, 'x1'), 'restore')
    expect(await timed('restore', restore)).toEqual({ damaged: null })
    // As after a crash in the midst of it.
    expect(await restore()).toEqual({ damaged: null })
    const position = await recovered(one(1))
    expect(position.history).not.toBe(etcd.snapshots?.read(snapshot)?.position.history)
    await one(1).start({ kind: 'first', position })
    await one(1).ready()
    expect(await members(one(1))).toEqual(['shop_db-1'])
    expect(await get(one(1), 'colour')).toBe('white')
    await one(2).start({ kind: 'join', position: null })
    await one(2).ready()
    await agree(some(1, 2))
  })

  it('refuses a copy that is not whole', async () => {
    await one(1).kill()
    const [name = ''] = await files(one(1))
    const path = one(1).path('data', 'snapshots', name)
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff
    await writeFile(path, bytes)
    const answer = await one(1).helper(etcd.snapshots!.restore(name, 'x2'), 'restore')
    expect(answer?.damaged).toMatch(/hash|sha256/)
  })
})
