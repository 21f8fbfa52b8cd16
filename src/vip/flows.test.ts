import { describe, expect, it } from 'vitest'
import { type CutReason, type Flow, parseFlows, planCuts } from './flows.ts'

const VIP = '10.0.1.2'
const tcp = (state: string, port: number, reply: string) =>
  `tcp      6 431999 ${state} src=10.0.1.20 dst=${VIP} sport=${port} dport=80 src=${reply} dst=10.0.1.20 sport=80 dport=${port} [ASSURED] mark=0 use=1`
const udp = (port: number, reply: string) =>
  `udp      17 29 src=10.0.1.20 dst=${VIP} sport=${port} dport=53 [UNREPLIED] src=${reply} dst=10.0.1.20 sport=53 dport=${port} mark=0 use=1`

describe('parseFlows', () => {
  it('reads what conntrack prints', () => {
    const icmp =
      'icmp     1 29 src=10.0.1.20 dst=10.0.1.2 type=8 code=0 id=7 src=10.0.1.8 dst=10.0.1.20 type=0 code=0 id=7 mark=0 use=1'
    expect(
      parseFlows([tcp('ESTABLISHED', 4000, '10.0.1.8'), udp(5000, VIP), icmp].join('\n')),
    ).toEqual([
      {
        protocol: 'tcp',
        state: 'ESTABLISHED',
        destination: VIP,
        sourcePort: 4000,
        destinationPort: 80,
        replySource: '10.0.1.8',
      },
      {
        protocol: 'udp',
        state: null,
        destination: VIP,
        sourcePort: 5000,
        destinationPort: 53,
        replySource: VIP,
      },
      {
        protocol: 'icmp',
        state: null,
        destination: VIP,
        sourcePort: null,
        destinationPort: null,
        replySource: '10.0.1.8',
      },
    ])
  })

  it('skips everything else', () => {
    expect(parseFlows('')).toEqual([])
    expect(
      parseFlows('conntrack v1.4.7 (conntrack-tools): 0 flow entries have been shown.'),
    ).toEqual([])
    expect(parseFlows('tcp 6 1 ESTABLISHED src=1.1.1.1 dst=2.2.2.2')).toEqual([])
  })
})

describe('planCuts', () => {
  const plan = (lines: string[], cuts: [string, CutReason][], added: string[] = []) =>
    planCuts({
      flows: parseFlows(lines.join('\n')),
      vips: new Set([VIP]),
      cuts: new Map(cuts),
      added: new Set(added),
    })

  it('closes sockets that wait for a dead endpoint and leaves the others', () => {
    const lines = [
      tcp('ESTABLISHED', 1, '10.0.1.8'),
      tcp('ESTABLISHED', 2, '10.0.1.9'),
      tcp('CLOSE_WAIT', 3, '10.0.1.8'),
      tcp('TIME_WAIT', 4, '10.0.1.8'),
      tcp('ESTABLISHED', 5, '10.0.1.8').replace(`dst=${VIP} `, 'dst=10.0.1.8 '),
    ]
    expect(plan(lines, [['10.0.1.8', 'suspected']])).toEqual({
      sockets: [
        { destination: VIP, destinationPort: 80, sourcePort: 1 },
        { destination: VIP, destinationPort: 80, sourcePort: 3 },
      ],
      directly: [],
      forget: [{ protocol: 'tcp', destination: VIP, replySource: '10.0.1.8' }],
    })
  })

  it('lets what is still connecting, and datagrams, go to another endpoint', () => {
    const lines = [tcp('SYN_SENT', 1, '10.0.1.8'), udp(2, '10.0.1.8')]
    expect(plan(lines, [['10.0.1.8', 'gone']])).toEqual({
      sockets: [],
      directly: ['10.0.1.8'],
      forget: [
        { protocol: 'tcp', destination: VIP, replySource: '10.0.1.8' },
        { protocol: 'udp', destination: VIP, replySource: '10.0.1.8' },
      ],
    })
  })

  it('forgets what was sent to a virtual IP before it had rules, unless it works', () => {
    const lines = [tcp('SYN_SENT', 1, VIP), tcp('ESTABLISHED', 2, VIP), udp(3, VIP)]
    expect(plan(lines, [], [VIP]).forget).toEqual([
      { protocol: 'tcp', destination: VIP, replySource: VIP, state: 'SYN_SENT' },
      { protocol: 'udp', destination: VIP, replySource: VIP },
    ])
    expect(plan(lines, []).forget).toEqual([])
  })
})

it('closes connections to a port for writes at a member that takes them no more', () => {
  const flow = (over: Partial<Flow>): Flow => ({
    protocol: 'tcp',
    state: 'ESTABLISHED',
    destination: '10.0.1.2',
    sourcePort: 4000,
    destinationPort: 3306,
    replySource: '10.0.1.8',
    ...over,
  })
  const plan = planCuts({
    flows: [
      flow({}),
      flow({ sourcePort: 4001, replySource: '10.0.1.9' }),
      flow({ sourcePort: 4002, destinationPort: 3307 }),
    ],
    vips: new Set(['10.0.1.2']),
    cuts: new Map(),
    added: new Set(),
    keeps: new Map([['10.0.1.2 3306', new Set(['10.0.1.9'])]]),
  })
  expect(plan.sockets).toEqual([
    { destination: '10.0.1.2', destinationPort: 3306, sourcePort: 4000 },
  ])
  expect(plan.directly).toEqual([])
  // What goes to other ports of the same member stays tracked.
  expect(plan.forget).toEqual([])
})
