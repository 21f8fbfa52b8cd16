import { beforeEach, describe, expect, it } from 'vitest'
import type { EdgeEvent } from './events.ts'
import { Placement } from './placement.ts'
import type { EdgeProcess } from './process.ts'
import { EDGE_TUNABLES as T } from './tunables.ts'

describe('Placement', () => {
  let skipped: number
  let alarms: { at: number; wake: () => void }[]
  let calls: string[]
  let fails: Set<string>
  let runs: boolean
  let events: EdgeEvent[]
  let placement: Placement

  const clock = {
    now: () => skipped,
    sleep: (ms: number) =>
      new Promise<void>((resolve) => alarms.push({ at: skipped + ms, wake: resolve })),
  }
  const process: EdgeProcess = {
    dir: '/edge',
    render: { adminSocket: '/edge/admin.sock', namespace: 'host' },
    ensure: async (image) => {
      calls.push(`ensure ${image}`)
      if (fails.has('ensure')) throw new Error('no such image')
      if (runs) return 'running'
      runs = true
      return 'started'
    },
    restart: async () => void calls.push('restart'),
    reload: async () => void calls.push('reload'),
    remove: async () => void calls.push('remove'),
    setNetworks: async (networks) => {
      calls.push(`networks ${networks.join(' ')}`)
      return networks
        .filter((network) => fails.has(network))
        .map((network) => ({ network, error: new Error('not attachable') }))
    },
  }

  beforeEach(() => {
    skipped = 0
    alarms = []
    calls = []
    fails = new Set()
    runs = false
    events = []
    placement = new Placement({
      process,
      clock,
      onEvent: (event) => events.push(event),
      onStarted: () => calls.push('started'),
    })
  })

  const take = () => calls.splice(0)
  const pass = async (ms: number) => {
    skipped += ms
    const due = alarms.filter(({ at }) => at <= skipped)
    alarms = alarms.filter(({ at }) => at > skipped)
    for (const { wake } of due) wake()
    await new Promise((resolve) => setImmediate(resolve))
    await placement.settled()
  }

  it('starts HAProxy, then joins; does nothing for the same wish', async () => {
    placement.want({ image: 'edge:1', networks: ['n1'] })
    await placement.settled()
    expect(take()).toEqual(['ensure edge:1', 'started', 'networks n1'])
    placement.want({ image: 'edge:1', networks: ['n1'] })
    await placement.settled()
    expect(take()).toEqual([])
    placement.want({ image: 'edge:1', networks: ['n1', 'n2'] })
    await placement.settled()
    expect(take()).toEqual(['networks n1 n2'])
  })

  it('leaves a network only when it has stayed unwanted', async () => {
    placement.want({ image: 'edge:1', networks: ['n1', 'n2'] })
    await placement.settled()
    take()
    placement.want({ image: 'edge:1', networks: ['n1'] })
    await placement.settled()
    expect(take()).toEqual(['networks n1 n2'])
    await pass(T.networkLinger)
    expect(take()).toEqual(['networks n1'])
  })

  it('keeps a network that is wanted again in time', async () => {
    placement.want({ image: 'edge:1', networks: ['n1', 'n2'] })
    await placement.settled()
    placement.want({ image: 'edge:1', networks: ['n1'] })
    placement.want({ image: 'edge:1', networks: ['n1', 'n2'] })
    await placement.settled()
    take()
    await pass(T.networkLinger)
    expect(take()).not.toContain('networks n1')
  })

  it('tries a network again and again, and tells', async () => {
    fails.add('n2')
    placement.want({ image: 'edge:1', networks: ['n1', 'n2'] })
    await placement.settled()
    await pass(100)
    await pass(200)
    expect(events.map((event) => event.type)).toEqual(Array(3).fill('network-failed'))
    fails.clear()
    await pass(400)
    expect(events).toHaveLength(3)
  })

  it('does not hurry a start that failed, however often it is asked', async () => {
    fails.add('ensure')
    placement.want({ image: 'edge:1', networks: [] })
    await placement.settled()
    for (let n = 0; n < 5; n++) {
      placement.ensure()
      await placement.settled()
    }
    expect(take()).toEqual(['ensure edge:1'])
    fails.clear()
    await pass(100)
    expect(take()).toEqual(['ensure edge:1', 'started', 'networks '])
  })

  it('looks again when HAProxy does not answer, and starts it anew when told', async () => {
    placement.want({ image: 'edge:1', networks: [] })
    await placement.settled()
    take()
    placement.ensure()
    await placement.settled()
    expect(take()).toContain('ensure edge:1')
    placement.restart()
    await placement.settled()
    expect(take().slice(0, 3)).toEqual(['ensure edge:1', 'restart', 'started'])
  })
})
