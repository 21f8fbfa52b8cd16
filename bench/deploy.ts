/**
 * How long it takes until a stack of ten services and 30 tasks runs: `muster up` against
 * `docker stack deploy` plus waiting until all tasks run. Images present, both on one lab, in turns.
 */
import { parseArgs } from 'node:util'
import { until } from '../src/base/index.ts'
import type { Engine } from '../src/engine/index.ts'
import type { Lab } from '../src/lab/index.ts'
import { benchLab, engineOf, machine, markdownTable, median, on } from './support.ts'

const SERVICES = 10
const REPLICAS = 3
const TASKS = SERVICES * REPLICAS
const STACK = 'ten'
const HOST = 'host-1'
const LIMIT_MS = 180_000

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, keep: { type: 'boolean', default: false } },
})
const rounds = Number(options.rounds)

/** Version 3, as both sides take it. */
const compose = JSON.stringify({
  version: '3.8',
  services: Object.fromEntries(
    Array.from({ length: SERVICES }, (_, i) => [
      `web${i}`,
      { image: 'registry:5000/bench/web:1', deploy: { replicas: REPLICAS } },
    ]),
  ),
})

interface Side {
  name: string
  /** Deploys and returns when it says that it is done. */
  deploy: (lab: Lab) => Promise<void>
}

const sides: Side[] = [
  {
    name: 'docker stack deploy, then all tasks running',
    deploy: async (lab) => {
      await on(lab, HOST, {
        argv: ['docker', 'stack', 'deploy', '--compose-file', '-', STACK],
        input: compose,
      })
      await using engine = engineOf(lab, HOST)
      await untilAllRun(engine)
    },
  },
  {
    name: 'muster up',
    deploy: async (lab) => {
      await muster(lab, 'up', '--name', STACK, '--file', '-')
    },
  },
]

const filters = { label: [`com.docker.stack.namespace=${STACK}`] }

const untilAllRun = (engine: Engine): Promise<true> =>
  until(
    `${TASKS} running tasks`,
    async () => {
      const tasks = await engine.listTasks(filters)
      const running = tasks.filter(
        (task) => task.DesiredState === 'running' && task.Status?.State === 'running',
      )
      return running.length === TASKS
    },
    { timeoutMs: LIMIT_MS, intervalMs: 100 },
  )

const muster = (lab: Lab, ...args: string[]): Promise<string> =>
  on(lab, HOST, { argv: ['muster', ...args], input: compose })

/** Removes the stack and waits until no container of it is left on any host. */
const clear = async (lab: Lab): Promise<void> => {
  await muster(lab, 'down', STACK, '--yes')
  for (const host of lab.hosts) {
    await using engine = engineOf(lab, host)
    await until(
      `no container of the stack on ${host}`,
      async () => (await engine.listContainers({ all: true, filters })).length === 0,
      { timeoutMs: LIMIT_MS, intervalMs: 200 },
    )
  }
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

const lab = await benchLab({ name: 'bench-deploy', hosts: 3, images: { 'bench/web:1': 'web' } })
try {
  // Every host has the image from here on, and has started a container of it.
  await muster(lab, 'up', '--name', STACK, '--file', '-')
  await clear(lab)

  const times = sides.map((): number[] => [])
  const second: number[] = []
  for (let round = 0; round < rounds; round++) {
    // Who goes first changes, so that what one leaves behind hits both alike.
    const order = round % 2 === 0 ? [0, 1] : [1, 0]
    for (const i of order) {
      const side = sides[i]
      if (side === undefined) continue
      const ms = await timed(() => side.deploy(lab))
      times[i]?.push(ms)
      process.stderr.write(`round ${round + 1}: ${side.name}: ${seconds(ms)}\n`)
      if (side.name === 'muster up') {
        second.push(await timed(() => side.deploy(lab)))
      }
      await clear(lab)
    }
  }

  const [docker = 0, own = 0] = times.map((each) => median(each))
  const row = (name: string, all: readonly number[]) => [
    name,
    seconds(median(all)),
    seconds(Math.min(...all)),
    seconds(Math.max(...all)),
  ]
  process.stdout.write(
    `${[
      `Deploy of ${SERVICES} services, ${TASKS} tasks, images present, ${rounds} rounds. ${machine()}.`,
      '',
      markdownTable(
        ['', 'median', 'fastest', 'slowest'],
        [
          ...sides.map((side, i) => row(side.name, times[i] ?? [])),
          row('muster up again, nothing changed', second),
        ],
      ),
      '',
      `Ratio of the medians: ${(own / docker).toFixed(2)} (goal: at most 1.10). Second up: ${seconds(median(second))} (goal: at most 1 s).`,
    ].join('\n')}\n`,
  )
} finally {
  if (!options.keep) await lab.down()
}
