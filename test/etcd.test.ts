/** A clustered service with the recipe etcd, on real engines: all that may happen to its members. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { bringUp, MemberLab, ROOT } from './member-lab.ts'

const IMAGE = 'muster/etcd:3.4'
const HOSTS = 4

const compose = (members: number, servers?: number): string =>
  JSON.stringify({
    name: 'shop',
    services: {
      kv: {
        image: `registry:5000/${IMAGE}`,
        ...(servers === undefined ? {} : { environment: { MIN_SERVERS: String(servers) } }),
        'x-muster': { recipe: { name: 'etcd', snapshots: { every: '2s', keep: 2 } } },
        deploy: { replicas: members },
      },
    },
  })

describe('etcd', () => {
  let kv: MemberLab
  let managers: string[]
  /** A host that has no power any more. */
  let off: string | undefined

  /** A member's container, on one of the hosts that are on. */
  const place = async (member: string): Promise<{ host: string; id: string }> => {
    for (const host of kv.lab.hosts.filter((each) => each !== off)) {
      const id = await kv.containerOn(host, member)
      if (id !== undefined) return { host, id }
    }
    throw new Error(`no container of ${member}`)
  }
  /** In a member's container. */
  const ctl = async (member: string, ...args: string[]): Promise<string> => {
    const { host, id } = await place(member)
    const run = ['docker', 'exec', id, 'etcdctl', '--command-timeout=5s', ...args]
    const { exitCode, stdout, stderr } = await kv.lab.exec(host, run)
    if (exitCode !== 0) throw new Error(`${member}: ${stderr || stdout}`)
    return stdout.trim()
  }
  const sh = async (host: string, script: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await kv.lab.exec(host, ['sh', '-c', script])
    if (exitCode !== 0) throw new Error(`${host}: ${script}: ${stderr}`)
    return stdout
  }
  const get = (member: string, key: string) => ctl(member, 'get', key, '--print-value-only')
  const voters = async (member: string) =>
    (await ctl(member, 'member', 'list'))
      .split('\n')
      .map((line) => line.split(', ')[2] ?? '')
      .sort()
  const names = async () => (await kv.members()).map(({ member }) => member)
  const why = async () => (await kv.muster(['why', 'kv'])).stdout
  /** The newest snapshot, younger than now. */
  const snapshotOf = async (member: string, host: string): Promise<void> => {
    const list = async () =>
      (
        await kv.lab.exec(host, [
          'sh',
          '-c',
          `ls /var/lib/muster/volumes/shop_${member}/data/snapshots | grep '[.]db$'`,
        ])
      ).stdout
        .split('\n')
        .filter((name) => name !== '')
    const before = new Set(await list())
    await until(
      'two new snapshots',
      async () => (await list()).filter((name) => !before.has(name)).length >= 2,
      { timeoutMs: 60_000 },
    )
  }

  beforeAll(async () => {
    const lab = await bringUp({
      name: 'etcd-cluster',
      hosts: HOSTS,
      managers: 3,
      images: [{ name: IMAGE, context: `${ROOT}images/etcd` }],
    })
    managers = lab.hosts.slice(0, 3)
    kv = new MemberLab({ lab, stack: 'shop', service: 'kv', hasWriter: false })
  }, 600_000)
  afterAll(async () => {
    await kv?.[Symbol.asyncDispose]()
  })

  it('is formed when MIN_SERVERS members are there, and says for whom it waits', async () => {
    const away = kv.lab.hosts[HOSTS - 1] ?? ''
    const refused = await kv.muster(['plan', '-f', '-'], { input: compose(3, 5) })
    expect(refused.stdout + refused.stderr).toContain('formed by 5 members, and there are to be 3')
    // One on each host; the last of them cannot get the image.
    await sh(
      away,
      `docker rmi -f $(docker images -q registry:5000/${IMAGE}); cp /etc/hosts /tmp/hosts && grep -v registry /tmp/hosts >/etc/hosts`,
    )
    await kv.must(['up', '-f', '-', '--yes', '--detach'], { input: compose(4, 4) })
    await until(
      'three to be there',
      async () => /3 of the 4 members.*shop_kv-4 still to come/.test(await why()),
      { timeoutMs: 90_000 },
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await why()}`)
    })
    const notes = (await kv.members()).map(({ note }) => note)
    expect(notes.join()).toContain('the cluster is formed when 4 members are there, and 3 are')
    await sh(away, 'cat /tmp/hosts >/etc/hosts')
    await kv.ready(4)
    await ctl('kv-1', 'put', 'colour', 'blue')
    await kv.must(['scale', 'kv=3'])
    const rest = await kv.ready(3)
    expect(await voters(rest[0]?.member ?? '')).toEqual(rest.map((each) => `shop_${each.member}`))
  }, 300_000)

  it('takes in anew a member whose volume is lost', async () => {
    const [first, , last] = await kv.ready(3)
    if (first === undefined || last === undefined) throw new Error('no member')
    await kv.loseVolume(last)
    await kv.changed(last.member)
    await kv.ready(3)
    expect(await get(last.member, 'colour')).toBe('blue')
    expect(await voters(first.member)).toHaveLength(3)
  }, 300_000)

  it('stops and starts, in good order and without any', async () => {
    const before = await names()
    await ctl(before[0] ?? '', 'put', 'colour', 'green')
    await kv.must(['scale', 'kv=0'])
    await kv.must(['scale', 'kv=3'])
    await kv.ready(3)
    expect(await get(before[2] ?? '', 'colour')).toBe('green')
    await kv.kill(...before)
    await Promise.all(before.map((member) => kv.changed(member)))
    await kv.ready(3)
    expect(await names()).toEqual(before)
    expect(await get(before[1] ?? '', 'colour')).toBe('green')
  }, 300_000)

  it('goes on with the data of one when the majority is lost for good', async () => {
    const [kept, ...lost] = await kv.ready(3)
    if (kept === undefined) throw new Error('no member')
    await ctl(kept.member, 'put', 'colour', 'red')
    await Promise.all(lost.map((each) => kv.loseVolume(each)))
    await kv.held()
    const said = await kv.must(['recover', 'kv', '--yes'])
    expect(said).toContain(`goes on with the data of shop_${kept.member}`)
    await kv.ready(3)
    for (const member of await names()) expect(await get(member, 'colour')).toBe('red')
    expect(await voters(kept.member)).toHaveLength(3)
  }, 300_000)

  it('goes on with the newest snapshot when all data are lost or damaged', async () => {
    const [kept, ...lost] = await kv.ready(3)
    if (kept === undefined) throw new Error('no member')
    await ctl(kept.member, 'put', 'colour', 'white')
    await snapshotOf(kept.member, kept.host)
    const { id } = await kv.container(kept.member)
    const folder = `/var/lib/muster/volumes/shop_${kept.member}/data/member`
    await kv.lab.exec(kept.host, [
      'sh',
      '-c',
      `docker kill -s KILL ${id}; for f in ${folder}/wal/*.wal; do echo 'no log at all any more, but long enough' >$f; done`,
    ])
    await Promise.all(lost.map((each) => kv.loseVolume(each)))
    await kv.held()
    const data = await kv.muster(['recover', 'kv', '--from', kept.member, '--yes'])
    expect(data.stdout + data.stderr).toContain('Take its newest snapshot: --snapshot')
    const said = await kv.must(['recover', 'kv', '--yes'])
    expect(said).toMatch(/goes on with the snapshot \S+\.db of shop_kv/)
    await kv.ready(3)
    for (const member of await names()) expect(await get(member, 'colour')).toBe('white')
    expect(await voters(kept.member)).toHaveLength(3)
  }, 300_000)

  it('takes out a member whose host is gone before a new one joins', async () => {
    const before = await kv.ready(3)
    const lost = before.find(({ host }) => !managers.includes(host)) ?? before[2]
    if (lost === undefined) throw new Error('no member')
    const other = before.find(({ member }) => member !== lost.member)?.member ?? ''
    const value = await get(other, 'colour')
    const seen = new Set<string>()
    const watching = new AbortController()
    const watch = (async () => {
      while (!watching.signal.aborted) {
        seen.add((await voters(other).catch(() => [])).join())
      }
    })()
    await kv.lab.kill(lost.host)
    off = lost.host
    const host = managers.find((each) => each !== lost.host) ?? ''
    await until(
      'the host to be removed',
      async () => (await kv.muster(['node', 'rm', '--force', lost.host], { host })).exitCode === 0,
      { timeoutMs: 90_000, intervalMs: 1000 },
    )
    await until(
      'another member',
      async () => {
        const now = await kv.members(host)
        return (
          now.length === 3 &&
          !now.some(({ member }) => member === lost.member) &&
          now.every(({ state }) => state === 'serving')
        )
      },
      { timeoutMs: 120_000 },
    )
    watching.abort()
    await watch
    // What it was, without the one that is gone, and with another; never four of them.
    expect(seen.size).toBeGreaterThanOrEqual(3)
    expect([...seen].filter((each) => each.split(',').length > 3)).toEqual([])
    for (const { member } of await kv.members(host)) expect(await get(member, 'colour')).toBe(value)
  }, 300_000)
})
