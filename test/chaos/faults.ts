/** How each fault is done to a lab. Each resolves when it is over: power is back, the cable is in. */
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/base/index.ts'
import { killAgent, killEngine } from '../host-faults.ts'
import { loseVolumeCommand, type MemberLab } from '../member-lab.ts'
import type { Fault, Step, Victim } from './plan.ts'
import type { Placed, Workload, WorkloadKind } from './workload.ts'

/** How things stand before a fault. */
export interface Scene {
  lab: MemberLab
  kind: WorkloadKind
  workload: Workload
  /** The members, the writer first if there is one. */
  members: readonly (Placed & { writer: boolean })[]
  /** Host of Swarm's Raft leader. */
  leader: string
  managers: readonly string[]
  /** As deployed; a rolling update deploys the next. */
  revision: number
  say: (line: string) => void
}

/** A fault whose victim is known. */
interface Aimed {
  /** Hosts that it takes something from. */
  hosts: string[]
  /** `db-1 on host-3` */
  whom: string
  strike: () => Promise<void>
}

/** Longest time that a command of the operator's may take in the midst of faults. */
const COMMAND_MS = 240_000

const choose = <T>(from: readonly T[], pick: number): T => {
  const chosen = from[Math.floor(pick * from.length)]
  if (chosen === undefined) throw new Error('a fault with nobody to happen to')
  return chosen
}

type Target = { host: string; member: Scene['members'][number] | null }

/** Whoever fits; of those on hosts that nothing has happened to, if there are any. */
const targetOf = (scene: Scene, { victim, pick }: Fault, spared: ReadonlySet<string>): Target => {
  const candidates = candidatesOf(scene, victim)
  const free = candidates.filter(({ host }) => !spared.has(host))
  return choose(free.length > 0 ? free : candidates, pick)
}

const candidatesOf = (scene: Scene, victim: Victim | null): Target[] => {
  const placed = scene.members.map((member) => ({ host: member.host, member }))
  switch (victim) {
    case 'writer':
      return scene.kind.hasWriter ? placed.filter(({ member }) => member.writer) : placed
    case 'reader':
      return scene.kind.hasWriter ? placed.filter(({ member }) => !member.writer) : placed
    case 'leader':
      return [{ host: scene.leader, member: null }]
    case 'member':
      return placed
    case 'host':
    case null:
      return scene.lab.lab.hosts.map((host) => ({ host, member: null }))
  }
}

const onHost = async (scene: Scene, host: string, script: string): Promise<void> => {
  const { exitCode, stderr } = await scene.lab.lab.exec(host, ['sh', '-c', script])
  // What was to be killed may have ended by itself, or with its host: then it is as was wanted.
  if (exitCode !== 0) scene.say(`    ${host}: ${stderr.trim().slice(0, 200)}`)
}

/** Docker's own words to a container, as its host's user would say them. */
const signal = (scene: Scene, { host, container }: Placed, name: string): Promise<void> =>
  onHost(scene, host, `docker kill -s ${name} ${container}`)

/** A command of the operator's, on a manager that answers; said again while the fault goes on. */
const operate = async (scene: Scene, args: string[], input?: string): Promise<void> => {
  const limit = Date.now() + COMMAND_MS
  for (let attempt = 0; ; attempt++) {
    const host = scene.managers[attempt % scene.managers.length] ?? ''
    try {
      await scene.lab.must(args, { host, ...(input === undefined ? {} : { input }) })
      return
    } catch (error) {
      if (Date.now() > limit) throw error
      scene.say(`    muster ${args.slice(0, 2).join(' ')} on ${host}: ${lastLine(error)}`)
      await delay(1000)
    }
  }
}

const lastLine = (error: unknown): string =>
  messageOf(error).trim().split('\n').at(-1)?.slice(0, 200) ?? ''

const fillDisk = `cd /var/lib/muster
fallocate -l "$(df --output=avail -B1 . | tail -1)" full.1 2>/dev/null
dd if=/dev/zero of=full.2 bs=16k 2>/dev/null
true`

const strikeOf = (scene: Scene, fault: Fault, { host, member }: Target): (() => Promise<void>) => {
  const { lab } = scene.lab
  const itself = (): Placed => {
    if (member === null) throw new Error(`${fault.kind} needs a member`)
    return member
  }
  switch (fault.kind) {
    case 'member killed':
      return () => signal(scene, itself(), 'KILL')
    case 'member paused':
      return async () => {
        const { container } = itself()
        await onHost(scene, host, `docker pause ${container}`)
        await delay(fault.forMs)
        await onHost(scene, host, `docker unpause ${container}`)
      }
    case 'all members killed':
    case 'all members stopped': {
      const name = fault.kind === 'all members killed' ? 'KILL' : 'TERM'
      return async () => {
        await Promise.all(scene.members.map((each) => signal(scene, each, name)))
      }
    }
    case 'volume lost':
      return () => {
        const { member, container } = itself()
        return onHost(scene, host, loseVolumeCommand(`${scene.lab.stack}_${member}`, container))
      }
    case 'disk full':
      return async () => {
        await onHost(scene, host, fillDisk)
        const filled = scene.workload.fill?.()
        await delay(fault.forMs)
        await filled
        await onHost(scene, host, 'rm -f /var/lib/muster/full.1 /var/lib/muster/full.2')
      }
    case 'power cut':
      return async () => {
        await lab.kill(host)
        await delay(fault.forMs)
        await lab.start(host)
      }
    case 'power cut everywhere':
      return async () => {
        await Promise.all(lab.hosts.map((each) => lab.kill(each)))
        await delay(fault.forMs)
        await Promise.all(lab.hosts.map((each) => lab.start(each)))
      }
    case 'network cut':
      return async () => {
        await lab.cut(host)
        await delay(fault.forMs)
        await lab.heal(host)
      }
    case 'agent killed':
      return () => killAgent(lab, host)
    case 'engine killed':
      return () => killEngine(lab, host)
    case 'rolling update':
      return async () => {
        const members = scene.members.length
        const file = scene.kind.compose({ members, revision: scene.revision + 1 })
        await operate(scene, ['up', '-f', '-', '--yes'], file)
      }
    case 'scale up and down':
      return async () => {
        const { service } = scene.lab
        const members = scene.members.length
        await operate(scene, ['scale', `${service}=${members + 2}`, '--timeout', '3m'])
        await operate(scene, ['scale', `${service}=${members}`, '--timeout', '3m'])
      }
  }
}

const OF_NOBODY: ReadonlySet<Fault['kind']> = new Set([
  'all members killed',
  'all members stopped',
  'power cut everywhere',
  'rolling update',
  'scale up and down',
])

const aim = (scene: Scene, fault: Fault, spared: ReadonlySet<string> = new Set()): Aimed => {
  const target = targetOf(scene, fault, spared)
  const nobody = OF_NOBODY.has(fault.kind)
  const { host, member } = target
  return {
    hosts: nobody ? [] : [host],
    whom: nobody ? '' : member === null ? host : `${member.member} on ${host}`,
    strike: strikeOf(scene, fault, target),
  }
}

/** What a step will do, and to whom. */
export const aimStep = (scene: Scene, { fault, second }: Step): Omit<Aimed, 'hosts'> => {
  const first = aim(scene, fault)
  if (second === null) return first
  const then = aim(scene, second.fault, new Set(first.hosts))
  const later = async () => {
    await delay(second.afterMs)
    // The first may have taken the host or the process away meanwhile: then there is nobody to strike.
    await then.strike().catch((error: unknown) => {
      scene.say(`    ${second.fault.kind}: ${messageOf(error)}`)
    })
  }
  return {
    whom: [first.whom, then.whom].filter((each) => each !== '').join(', '),
    strike: async () => {
      await Promise.all([first.strike(), later()])
    },
  }
}
