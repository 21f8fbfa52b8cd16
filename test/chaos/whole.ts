/** When a cluster is whole again: every host, every member, every balancer, and writes. */
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/base/index.ts'
import { connectEngine } from '../../src/engine/index.ts'
import type { MemberLab } from '../member-lab.ts'
import type { Scene } from './faults.ts'
import type { Workload, WorkloadKind } from './workload.ts'

export interface Whole {
  members: Scene['members']
  leader: string
}

const BETWEEN_LOOKS_MS = 500

/** What is missing, in words; null when nothing is. */
const look = async (
  lab: MemberLab,
  { kind, workload, managers, count }: Wanted,
): Promise<Whole | string> => {
  const asked = Date.now()
  const [host = ''] = managers
  await using engine = connectEngine({ host: lab.lab.dockerHost(host) })
  const nodes = await engine.listNodes()
  const away = nodes.find(
    ({ Status, ManagerStatus }) =>
      Status?.State !== 'ready' || (ManagerStatus && ManagerStatus.Reachability !== 'reachable'),
  )
  if (away) return `${away.Description?.Hostname} is not there for Swarm`
  const leader = nodes.find(({ ManagerStatus }) => ManagerStatus?.Leader === true)
  if (leader === undefined) return 'nobody leads Swarm'
  const lines = await lab.members(host)
  const bad = lines.find(({ state, current }) => state !== 'serving' || !current)
  if (bad) return `${bad.member} on ${bad.host}: ${bad.state}, ${bad.role} ${bad.note}`
  if (lines.length !== count) return `${lines.length} members`
  if (kind.hasWriter && lines.filter(({ role }) => role === 'writer').length !== 1) {
    return 'not one writer'
  }
  const rows = JSON.parse(await lab.must(['ps', lab.stack, '--format', 'json'], { host })) as {
    name: string
    replicas: number
    serving: number
  }[]
  const short = rows.find(({ replicas, serving }) => serving !== replicas)
  if (short) return `${short.name} has ${short.serving} of ${short.replicas}`
  const members = await Promise.all(
    lines.map(async ({ member, host, role }) => {
      const container = (await lab.containerOn(host, member)) ?? ''
      return { member, host, container, writer: role === 'writer' }
    }),
  )
  const empty = members.find(({ container }) => container === '')
  if (empty) return `${empty.member} has no container`
  if (workload.acknowledgedSince(asked) === 0) return 'no write is acknowledged'
  const ways = await workload.brokenWays()
  if (ways.length > 0) return `a host does not lead to ${kind.service}: ${ways.join('; ')}`
  return {
    members: members.sort((a, b) => (a.member < b.member ? -1 : 1)),
    leader: leader.Description?.Hostname ?? '',
  }
}

interface Wanted {
  kind: WorkloadKind
  workload: Workload
  managers: readonly string[]
  count: number
}

/** Until all is there; the last thing that was missing, if that takes longer than the limit. */
export const untilWhole = async (
  lab: MemberLab,
  wanted: Wanted & { timeoutMs: number },
): Promise<Whole | string> => {
  const limit = Date.now() + wanted.timeoutMs
  for (;;) {
    const seen = await look(lab, wanted).catch((error: unknown) => messageOf(error))
    if (typeof seen !== 'string' || Date.now() > limit) return seen
    await delay(BETWEEN_LOOKS_MS)
  }
}
