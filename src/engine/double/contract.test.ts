import { engineContract, type ContractWorld, type Program } from '../contract/index.ts'
import { createDoubleSwarm, type Script } from './index.ts'

const idle: Script = {
  exec: (_command, stdin) => ({ code: 7, stdout: stdin, stderr: 'oops\n' }),
}

const SCRIPTS: Record<Program, Script> = {
  idle,
  'idle-2': idle,
  talks: { log: ['first', { stream: 'stderr', text: 'second' }, 'third'] },
  fails: { exit: { afterMs: 300, code: 3, log: ['last words'] } },
  finishes: { exit: { afterMs: 300, code: 0 } },
  sick: { health: () => false, stopCode: 5 },
  slow: { health: (runningMs) => runningMs >= 3_000 },
  missing: { missing: true },
}

const HEALTH = { Test: ['CMD', 'probe'], Interval: 5e8, Retries: 3 }
const CHECKS: Partial<Record<Program, object>> = {
  sick: { HealthCheck: HEALTH },
  slow: { HealthCheck: { ...HEALTH, Retries: 100 } },
}

const open = async (count: number): Promise<ContractWorld & AsyncDisposable> => {
  const hosts = Array.from({ length: count }, (_, index) => `host-${index + 1}`)
  const swarm = await createDoubleSwarm({ hosts })
  const imageOf = (program: Program) => `contract/${program}:1`
  for (const [program, script] of Object.entries(SCRIPTS)) {
    swarm.behave(imageOf(program as Program), script)
  }
  await swarm.engine('host-1').pullImage(imageOf('idle'))
  return {
    hosts,
    engine: (host) => swarm.engine(host),
    image: imageOf('idle'),
    program: (program) => ({ Image: imageOf(program), ...CHECKS[program] }),
    until: async (what, look, limitMs = 60_000) => {
      let found: Awaited<ReturnType<typeof look>>
      await swarm.until(
        async () => {
          found = await look()
          return found !== undefined && found !== false
        },
        limitMs,
        what,
      )
      return found as never
    },
    pass: (ms) => swarm.advance(ms),
    lose: async (host) => swarm.loseHost(host),
    restore: async (host) => swarm.returnHost(host),
    [Symbol.asyncDispose]: () => swarm[Symbol.asyncDispose](),
  }
}

engineContract('double with one host', { hosts: 1, open: () => open(1) })
engineContract('double with three hosts', { hosts: 3, open: () => open(3) })
