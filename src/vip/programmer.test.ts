import { beforeEach, describe, expect, it } from 'vitest'
import { type Catalog, emptyCatalog, type Endpoint } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost, sampleService } from '../catalog/samples.ts'
import type { CutPlan } from './flows.ts'
import type { VipEvent } from './container-rules.ts'
import type { Namespace, NamespaceRequest } from './namespace.ts'
import { type LocalContainer, VipProgrammer } from './programmer.ts'
import { VIP_TUNABLES } from './tunables.ts'

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]))
const catalog = (endpoints: Endpoint[], over: Partial<Catalog> = {}): Catalog => ({
  ...emptyCatalog('test'),
  hosts: byId([sampleHost('h1')]),
  services: byId([sampleService('s1', { virtualIps: { net1: '10.0.1.2' } })]),
  endpoints: byId(endpoints),
  ...over,
})
const endpoint = (n: number) => sampleEndpoint(`t${n}`, { addresses: { net1: `10.0.1.${10 + n}` } })
const container = (id: string, network = 'net1'): LocalContainer => ({
  id,
  netns: `/ns/${id}`,
  networks: [network],
})

/** Namespaces that only remember what was asked of them. */
class Recorder implements Namespace {
  readonly programs: (NamespaceRequest & { netns: string })[] = []
  readonly cuts: { netns: string; plan: CutPlan }[] = []
  readonly missing = new Set<string>()
  flows = ''
  failNext = 0
  running = 0
  most = 0

  async program(netns: string, request: NamespaceRequest): Promise<string | null> {
    this.programs.push({ netns, ...request })
    this.running += 1
    this.most = Math.max(this.most, this.running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    this.running -= 1
    if (this.failNext > 0) {
      this.failNext -= 1
      throw new Error('nft: busy')
    }
    return this.missing.has(netns) ? null : this.flows
  }

  async cut(netns: string, plan: CutPlan): Promise<void> {
    this.cuts.push({ netns, plan })
    await Promise.resolve()
  }
}

/** A clock that can be put forward; what sleeps on it wakes in real time. */
const skippingClock = () => {
  let skipped = 0
  return {
    now: () => performance.now() + skipped,
    sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.min(ms, 20))),
    skip: (ms: number) => {
      skipped += ms
    },
  }
}

describe('VipProgrammer', () => {
  let spaces: Recorder
  let clock: ReturnType<typeof skippingClock>
  let events: VipEvent[]
  let vips: VipProgrammer

  beforeEach(() => {
    spaces = new Recorder()
    clock = skippingClock()
    events = []
    vips = new VipProgrammer({
      namespace: spaces,
      clock,
      parallel: 2,
      onEvent: (event) => events.push(event),
    })
  })

  const settle = async () => {
    for (let n = 0; n < 100 && vips.status.behind > 0; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(vips.status.behind).toBe(0)
  }
  const apply = async (wanted: Catalog, containers = [container('a')]) => {
    vips.apply(wanted, containers)
    await settle()
  }

  it('touches only containers whose rules changed', async () => {
    await apply(catalog([endpoint(1)]), [container('a'), container('b', 'net2')])
    expect(spaces.programs.map(({ netns }) => netns)).toEqual(['/ns/a', '/ns/b'])
    await apply(catalog([endpoint(1)], { version: 2 }), [container('a'), container('b', 'net2')])
    expect(spaces.programs).toHaveLength(2)
    await apply(catalog([endpoint(1), endpoint(2)]), [container('a'), container('b', 'net2')])
    expect(spaces.programs.slice(2).map(({ netns }) => netns)).toEqual(['/ns/a'])
    expect(events.filter(({ type }) => type === 'applied')).toHaveLength(3)
  })

  it('has one change under way per container, and the next one is the newest', async () => {
    for (let n = 1; n <= 50; n++) vips.apply(catalog([endpoint(n)]), [container('a')])
    await settle()
    expect(spaces.programs.length).toBeLessThan(10)
    expect(spaces.programs.at(-1)?.script).toContain('dnat to 10.0.1.60')
    expect(spaces.most).toBe(1)
  })

  it('runs no more processes at a time than it may', async () => {
    await apply(
      catalog([endpoint(1)]),
      Array.from({ length: 10 }, (_, n) => container(`c${n}`)),
    )
    expect(spaces.programs).toHaveLength(10)
    expect(spaces.most).toBe(2)
  })

  it('tries again what failed', async () => {
    spaces.failNext = 2
    await apply(catalog([endpoint(1)]))
    expect(spaces.programs).toHaveLength(3)
    expect(events.map(({ type }) => type)).toEqual(['failed', 'failed', 'applied'])
  })

  it('waits without complaint for a namespace that is not there yet', async () => {
    spaces.missing.add('/ns/a')
    vips.apply(catalog([endpoint(1)]), [container('a')])
    await vips.settled()
    expect(vips.status.behind).toBe(1)
    spaces.missing.clear()
    await settle()
    expect(events.map(({ type }) => type)).toEqual(['applied'])
  })

  it('starts from nothing in a container that was started again', async () => {
    await apply(catalog([endpoint(1)]))
    const again = { ...container('a'), netns: '/ns/a2' }
    await apply(catalog([endpoint(1)]), [again])
    expect(spaces.programs.at(-1)).toMatchObject({ netns: '/ns/a2', prepare: true, flows: true })
  })

  it('ends connections to an endpoint that is gone, and refuses its address until it is reused', async () => {
    await apply(catalog([endpoint(1), endpoint(2)]))
    clock.skip(VIP_TUNABLES.originGrace)
    spaces.flows =
      'tcp      6 9 ESTABLISHED src=10.0.1.20 dst=10.0.1.2 sport=7 dport=80 src=10.0.1.11 dst=10.0.1.20 sport=80 dport=7'
    await apply(catalog([endpoint(2)]))
    expect(spaces.cuts).toMatchObject([
      { plan: { sockets: [{ sourcePort: 7 }], directly: ['10.0.1.11'] } },
    ])
    expect(spaces.programs.at(-1)?.script).toMatch(/10\.0\.1\.11 timeout 1\d+s/)
    expect(events.at(-1)).toMatchObject({ type: 'applied' })
    const heir = sampleEndpoint('t9', { addresses: { net1: '10.0.1.11' } })
    await apply(catalog([endpoint(2), heir]))
    expect(spaces.programs.at(-1)?.script).not.toContain('timeout 1')
    expect(spaces.cuts).toHaveLength(1)
  })

  it('does not rewrite rules because a refused address grows old', async () => {
    await apply(catalog([endpoint(1), endpoint(2)]))
    clock.skip(VIP_TUNABLES.originGrace)
    await apply(catalog([endpoint(2)]))
    const before = spaces.programs.length
    clock.skip(VIP_TUNABLES.deadFor)
    await apply(catalog([endpoint(2)], { version: 3 }))
    expect(spaces.programs).toHaveLength(before)
  })

  it('keeps a cut that failed until it works', async () => {
    await apply(catalog([endpoint(1), endpoint(2)]))
    clock.skip(VIP_TUNABLES.originGrace)
    spaces.failNext = 1
    await apply(catalog([endpoint(2)]))
    expect(spaces.cuts).toHaveLength(1)
  })

  it('asks a new manager again before it takes a missing endpoint for dead', async () => {
    await apply(catalog([endpoint(1), endpoint(2)]))
    clock.skip(VIP_TUNABLES.originGrace)
    await apply(catalog([endpoint(2)], { origin: 'another' }))
    expect(spaces.cuts).toEqual([])
    clock.skip(VIP_TUNABLES.originGrace)
    await new Promise((resolve) => setTimeout(resolve, 60))
    await settle()
    expect(spaces.cuts).toHaveLength(1)
  })

  it('does nothing more once it is stopped', async () => {
    await apply(catalog([endpoint(1)]))
    await vips.stop()
    expect(vips.status.containers).toBe(0)
  })
})
