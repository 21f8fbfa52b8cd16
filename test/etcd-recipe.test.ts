/** The recipe etcd by hand: every way in which a member starts, on a real server, without the platform. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
  const put = (member: MemberByHand, key: string, value: string) =>
    member.run(['etcdctl', 'put', key, value])
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
    cluster = new MembersByHand({ lab, host: HOST, recipe: etcd, image: `registry:5000/${IMAGE}` })
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
})
