/** The engine contract on real engines: a swarm of three hosts of a lab. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../src/base/index.ts'
import { type ContractWorld, engineContract, type Program } from '../src/engine/contract/index.ts'
import { connectEngine, type Engine } from '../src/engine/index.ts'
import { ensureImages, type Lab, labUp, REGISTRY } from '../src/lab/index.ts'

const HOSTS = 3
const NAME = 'contract/programs:1'
const IMAGE = `${REGISTRY}/${NAME}`

const shell = (script: string) => ({ Image: IMAGE, Command: ['sh', '-c', script] })
const idle = (exit = 0) => `trap "exit ${exit}" TERM; while :; do sleep 0.1; done`
const checkedBy = (test: string, Retries: number) => ({
  HealthCheck: { Test: ['CMD-SHELL', test], Interval: 5e8, Retries },
})

const PROGRAMS: Record<Program, ReturnType<ContractWorld['program']>> = {
  idle: shell(idle()),
  'idle-2': shell(`: 2; ${idle()}`),
  talks: shell(`echo first; sleep 0.3; echo second >&2; sleep 0.3; echo third; ${idle()}`),
  fails: shell('sleep 0.3; echo last words >&2; exit 3'),
  finishes: shell('sleep 0.3'),
  sick: { ...shell(idle(5)), ...checkedBy('false', 3) },
  slow: { ...shell(`sleep 3; touch /ok; ${idle()}`), ...checkedBy('test -e /ok', 100) },
  missing: { Image: `${REGISTRY}/contract/no-such-image:1` },
}

/** An image of nothing but the base, in the lab's registry. */
const pushImage = async (lab: Lab): Promise<void> => {
  const context = await mkdtemp(join(tmpdir(), 'muster-contract-'))
  try {
    await writeFile(join(context, 'Dockerfile'), 'FROM debian:bookworm-slim\n')
    await ensureImages(lab, [{ name: NAME, context }])
  } finally {
    await rm(context, { recursive: true })
  }
}

/** One swarm of all hosts, each a manager. */
const formSwarm = async (lab: Lab, engines: Map<string, Engine>): Promise<void> => {
  const [first = '', ...others] = lab.hosts
  const leader = engines.get(first) as Engine
  await leader.initSwarm({ advertiseAddr: lab.address(first) })
  const { JoinTokens } = await leader.inspectSwarm()
  for (const host of others) {
    await engines.get(host)?.joinSwarm({
      remoteAddrs: [`${lab.address(first)}:2377`],
      token: JoinTokens?.Manager ?? '',
      advertiseAddr: lab.address(host),
    })
  }
  await until(
    'all hosts to be ready',
    async () =>
      (await leader.listNodes()).filter(({ Status }) => Status?.State === 'ready').length === HOSTS,
    { timeoutMs: 30_000 },
  )
}

const open = async (): Promise<ContractWorld & AsyncDisposable> => {
  const lab = await labUp({ name: 'contract', hosts: HOSTS, agent: false })
  const engines = new Map<string, Engine>()
  // The address changes with every start of a host.
  const connect = (host: string) => engines.set(host, connectEngine({ host: lab.dockerHost(host) }))
  for (const host of lab.hosts) connect(host)
  await pushImage(lab)
  await formSwarm(lab, engines)
  await Promise.all([...engines.values()].map((engine) => engine.pullImage(IMAGE)))
  return {
    hosts: lab.hosts,
    engine: (host) => engines.get(host) as Engine,
    image: IMAGE,
    program: (program) => PROGRAMS[program],
    // The limits are those of an idle machine.
    until: (what, look, limitMs = 60_000) => until(what, look, { timeoutMs: 2 * limitMs }),
    pass: (ms) => delay(ms),
    lose: (host) => lab.kill(host),
    restore: async (host) => {
      await lab.start(host)
      connect(host)
    },
    [Symbol.asyncDispose]: async () => {
      for (const engine of engines.values()) await engine[Symbol.asyncDispose]()
      await lab.down()
    },
  }
}

engineContract('three real engines', { hosts: HOSTS, open })
