/** A few registers on an etcd cluster, and whether they are registers at all times. */
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT } from '../../member-lab.ts'
import { ClientLog } from '../client-log.ts'
import { longestGap } from '../gaps.ts'
import {
  broken,
  type Placed,
  type Violation,
  type Workload,
  type WorkloadKind,
  type WorkloadPlace,
} from '../workload.ts'
import { type Attempt, keyOf, RegisterClients } from './clients.ts'
import { EtcdClient } from './etcd-client.ts'
import { judgeAll, membership, type Standing } from './oracle.ts'

const STACK = 'store'
const SERVICE = 'kv'
const PORT = 2379
const REGISTERS = 5
const WORKERS = 8
/** Of each worker: 100 operations a second in all. */
const EVERY_MS = 80
const FILL_ROWS = 16
const FILL_BYTES = 2 ** 20
const FILL_MS = 8000
const CHECK_MS = 15_000

const compose = ({ members, revision }: { members: number; revision: number }): string =>
  JSON.stringify({
    name: STACK,
    services: {
      [SERVICE]: {
        image: 'registry:5000/muster/etcd:3.4',
        environment: { REVISION: String(revision) },
        'x-muster': { recipe: { name: 'etcd', snapshots: { every: '1m' } } },
        ports: [`${PORT}:${PORT}`],
        deploy: { replicas: members },
      },
    },
  })

const open = (place: WorkloadPlace): Workload => {
  const log = new ClientLog<Attempt>(place.folder)
  const hosts = place.lab.lab.hosts.map((host) => place.lab.lab.address(host))
  const clients = new RegisterClients({
    log,
    hosts,
    port: PORT,
    registers: REGISTERS,
    workers: WORKERS,
    everyMs: EVERY_MS,
  })
  return {
    prepare: () => everyWay(clients, hosts).then(throwFirst),
    start: () => clients.start(),
    stop: () => clients.stop(),
    fill: () => fill(hosts),
    brokenWays: () => broken(hosts, (host) => clients.readAll(host)),
    check: async (members) => [
      ...(await everyWay(clients, hosts)),
      ...(await compare(place, members)),
      ...judgeAll(log.entries),
    ],
    longestGap: (from, to) => longestGap(log.acknowledged, { from, to }),
    acknowledgedSince: (from) => log.acknowledged.filter((at) => at >= from).length,
    summary: () => ({
      'acknowledged writes and swaps': log.count('ok'),
      'linearizable reads': log.count('read'),
      failed: log.count('no'),
      unknown: log.count('unknown'),
    }),
    [Symbol.dispose]: () => log[Symbol.dispose](),
  }
}

/** Reads, writes and swaps through the published port, to members of the recipe etcd. */
export const REGISTERS_ON_ETCD: WorkloadKind = {
  stack: STACK,
  service: SERVICE,
  hasWriter: false,
  images: [{ name: 'muster/etcd:3.4', context: `${ROOT}images/etcd` }],
  compose,
  open,
}

const throwFirst = ([violation]: readonly Violation[]): void => {
  if (violation) throw new Error(`${violation.what}: ${violation.evidence}`)
}

/** Every host's published port leads to the registers; what is read is evidence as all else. */
const everyWay = async (
  clients: RegisterClients,
  hosts: readonly string[],
): Promise<Violation[]> => {
  const failed = await broken(hosts, async (host) => {
    const limit = Date.now() + CHECK_MS
    for (;;) {
      try {
        return await clients.readAll(host)
      } catch (error) {
        if (Date.now() > limit) throw error
        await delay(500)
      }
    }
  })
  return failed.length === 0
    ? []
    : [{ what: 'a host does not lead to the registers', evidence: failed.join('; ') }]
}

/** Some megabytes in place of those of the last time, as far as they are taken. */
const fill = async (hosts: readonly string[]): Promise<void> => {
  const limit = Date.now() + FILL_MS
  const value = 'x'.repeat(FILL_BYTES)
  for (let row = 0, way = 0; row < FILL_ROWS && Date.now() < limit; way++) {
    using client = new EtcdClient({
      host: hosts[way % hosts.length] ?? '',
      port: PORT,
      timeoutMs: 3000,
    })
    try {
      for (; row < FILL_ROWS; row++) await client.write(`filling/${row}`, value)
    } catch (error) {
      // The disk is full: that is what it was for.
      if (!(error instanceof Error)) throw error
      await delay(300)
    }
  }
}

/** The members' own copies; the last may still be on their way to some. */
const compare = async (place: WorkloadPlace, members: readonly Placed[]): Promise<Violation[]> => {
  let found: Violation[] = []
  for (let attempt = 0; attempt < 4; attempt++) {
    if (attempt > 0) await delay(2000)
    found = membership(await Promise.all(members.map((member) => standingOf(place, member))))
    if (found.length === 0) return []
    place.say(`    looking again: ${found.map(({ what }) => what).join('; ')}`)
  }
  return found
}

/** What one member itself has, without asking the others for it. */
const standingOf = async (
  { lab }: WorkloadPlace,
  { host, container, member }: Placed,
): Promise<Standing> => {
  const keys = Array.from({ length: REGISTERS }, (_, i) => keyOf(i))
  const script = `set -e
etcdctl member list | awk -F', ' '{ print $3, $2, $6 }' | sort | tr '\\n' ';'; echo
etcdctl get '' --prefix --consistency=s | sha256sum | cut -c 1-32
for key in ${keys.join(' ')}; do etcdctl get "$key" --consistency=s --print-value-only; echo; done | tr -s '\\n' ' '`
  const { exitCode, stdout, stderr } = await lab.lab.exec(host, [
    'docker',
    'exec',
    container,
    'sh',
    '-c',
    script,
  ])
  if (exitCode !== 0) throw new Error(`${member}: ${stderr || stdout}`)
  const [voters = '', sum = '', registers = ''] = stdout.split('\n')
  return { member, voters: voters.split(';').filter((each) => each !== ''), sum, registers }
}
