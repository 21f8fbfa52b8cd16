/** examples/kv as its README has it: a key-value store on real engines. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { bringUp, MemberLab, ROOT } from './member-lab.ts'

const FILE = `${ROOT}examples/kv/compose.yaml`

describe('examples/kv', () => {
  let kv: MemberLab
  const get = async (host?: string) =>
    (
      await kv.must(
        ['exec', '-T', 'kv', 'etcdctl', 'get', 'colour', '--print-value-only'],
        host === undefined ? {} : { host },
      )
    ).trim()
  const put = (value: string) => kv.must(['exec', '-T', 'kv', 'etcdctl', 'put', 'colour', value])
  /** Through the published port of a host, as a client from outside. */
  const outside = async (host: string): Promise<string> => {
    const response = await fetch(`http://${kv.lab.address(host)}:2379/v3/kv/range`, {
      method: 'POST',
      body: JSON.stringify({ key: btoa('colour') }),
      signal: AbortSignal.timeout(5000),
    })
    const { kvs } = (await response.json()) as { kvs?: { value: string }[] }
    return atob(kvs?.[0]?.value ?? '')
  }

  beforeAll(async () => {
    const lab = await bringUp({
      name: 'kv-example',
      hosts: 5,
      managers: 3,
      images: [{ name: 'muster/etcd:3.4', context: `${ROOT}images/etcd` }],
    })
    kv = new MemberLab({ lab, stack: 'store', service: 'kv', hasWriter: false })
  }, 600_000)
  afterAll(async () => {
    await kv?.[Symbol.asyncDispose]()
  })

  it('comes up, and every host leads to it', async () => {
    expect(await readFile(FILE, 'utf8')).toContain('muster/etcd:3.4')
    await kv.must(['up', '-f', FILE, '--yes'])
    await put('blue')
    expect(await get()).toBe('blue')
    for (const host of kv.lab.hosts) expect(await outside(host)).toBe('blue')
  }, 300_000)

  it('grows to five', async () => {
    await kv.must(['scale', 'kv=5'])
    expect(new Set((await kv.ready(5)).map(({ host }) => host)).size).toBe(5)
    expect(await get()).toBe('blue')
  }, 300_000)

  it('goes on when the host of the member that leads is off', async () => {
    const leads = (await kv.members()).find(({ role }) => role === 'leader')
    if (leads === undefined) throw new Error('nobody leads')
    await kv.lab.kill(leads.host)
    const [host = ''] = kv.lab.hosts.filter((each) => each !== leads.host)
    await until(
      'the others to answer',
      () =>
        outside(host).then(
          (value) => value === 'blue',
          () => false,
        ),
      { timeoutMs: 20_000, intervalMs: 200 },
    )
    await kv.lab.start(leads.host)
    await kv.ready(5)
    expect(await outside(leads.host)).toBe('blue')
  }, 300_000)

  it('shrinks to three, and comes back when every host has lost its power', async () => {
    await kv.must(['scale', 'kv=3'])
    await kv.ready(3)
    await put('green')
    await kv.powerCycle()
    await kv.ready(3, 150_000)
    expect(await get()).toBe('green')
    expect(await kv.must(['why', 'kv'])).toContain('as it should be: 3 of 3 serving')
  }, 300_000)
})
