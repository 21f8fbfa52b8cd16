import { dirname, join } from 'node:path'
import { realpathSync } from 'node:fs'
import { MusterError, systemClock, until } from '../base/index.ts'
import { type Lab, ensureImages, formCluster, labUp, runLoad, summarize } from '../lab/index.ts'
import { type Step, runStep } from './steps.ts'

const HOSTS = 3
const RATE = 200
const LOAD_MS = 12_000
/** Into the load, so that the table has something to compare with. */
const CUT_AFTER_MS = 2_000
const ANSWER_LIMIT_MS = 60_000

/** Everything that Muster is for, on one machine, in a few steps. Leaves the lab running. */
export const demo = async (options: { name: string }): Promise<void> => {
  const root = dirname(dirname(realpathSync(process.argv[1] ?? '.')))
  process.stdout.write('Muster on this machine: three hosts, one cluster, one small stack.\n')

  let lab: Lab | undefined
  await runStep('three hosts', async (step) => {
    lab = await labUp({ name: options.name, hosts: HOSTS, onProgress: (line) => step.note(line) })
    return `three hosts: ${lab.hosts.join(' ')}`
  })
  if (lab === undefined) return
  const running = lab
  const [first = 'host-1', victim = 'host-2'] = running.hosts

  await runStep('images', async (step) => {
    await ensureImages(
      running,
      [
        { name: 'muster/edge:1', context: join(root, 'images/edge') },
        { name: 'hello/front:1', context: join(root, 'examples/hello/front') },
        { name: 'hello/app:1', context: join(root, 'examples/hello/app') },
      ],
      (line) => step.note(line),
    )
    return 'images: base, edge, hello/front, hello/app'
  })
  await runStep('cluster', async (step) => {
    await formCluster(running, {
      edgeImage: 'registry:5000/muster/edge:1',
      onProgress: (line) => step.note(line),
    })
    return `cluster formed, ${HOSTS} managers`
  })

  const url = `http://${running.address(first)}/hello`
  const muster = (...args: string[]) => musterOn(running, first, args)
  await runStep('deploy hello', async (step) => {
    step.note('muster up -f examples/hello/compose.yaml')
    await muster('up', '--yes', '-f', join(root, 'examples/hello/compose.yaml'))
    await muster('scale', 'hello_front=1', 'hello_app=1')
    const answers = await collect(url, 1, step)
    return `hello deployed: front 1, app 1, on ${url}\n      ${answers.join('\n      ')}`
  })
  await runStep('scale up', async (step) => {
    await muster('scale', 'hello_front=2', 'hello_app=3')
    await collect(url, 6, step)
    return 'scaled to front 2, app 3: all 6 pairs answer'
  })
  await runStep('power cut', async (step) => powerCut(running, { first, victim, step }))
  await runStep(`${victim} back`, async (step) => {
    await running.start(victim)
    await until(
      `${HOSTS} hosts to be ready`,
      async () => {
        const rows = JSON.parse(await muster('node', 'ls', '--format', 'json')) as {
          state: string
        }[]
        const ready = rows.filter((row) => row.state === 'ready').length
        step.note(`${ready} of ${HOSTS} ready`)
        return ready === HOSTS
      },
      { timeoutMs: ANSWER_LIMIT_MS },
    )
    return `${victim} back, ${HOSTS} of ${HOSTS} ready`
  })
  await runStep('scale down', async (step) => {
    await muster('scale', 'hello_front=1', 'hello_app=1')
    const [answer] = await collect(url, 1, step)
    return `scaled back to front 1, app 1: ${answer}`
  })

  const at = options.name === 'lab' ? '' : ` --name ${options.name}`
  process.stdout.write(
    `It is still running: ${url}
Look around:  bin/muster lab ls${at}
              bin/muster lab exec${at} ${first} -- muster status
              bin/muster lab exec${at} ${first} -- muster ps
Remove it:    bin/muster lab down${at}
`,
  )
}

/** Cuts the power of one host under load; the result line says what clients noticed. */
const powerCut = async (
  lab: Lab,
  { first, victim, step }: { first: string; victim: string; step: Step },
): Promise<string> => {
  step.note(`${RATE} requests a second to ${first}`)
  const load = runLoad({
    host: lab.address(first),
    port: 80,
    path: '/hello',
    rate: RATE,
    durationMs: LOAD_MS,
  })
  await systemClock.sleep(CUT_AFTER_MS)
  step.note(`the power of ${victim} is cut`)
  const faultAt = Date.now()
  await lab.kill(victim)
  const summary = summarize(await load, faultAt)
  const failures =
    summary.failed === 0 ? '0 failed' : `${summary.failed} failed, for ${summary.lastFailureMs} ms`
  return `power of ${victim} cut under ${RATE} requests/s: ${failures} of ${summary.requests}, longest wait ${(summary.longestMs / 1000).toFixed(1)}s`
}

const musterOn = async (lab: Lab, host: string, args: string[]): Promise<string> => {
  const result = await lab.exec(host, ['muster', ...args], { timeoutMs: 300_000 })
  if (result.exitCode !== 0) {
    throw new MusterError(
      'LAB',
      `\`muster ${args.join(' ')}\` failed on ${host}:\n${result.stderr || result.stdout}`,
    )
  }
  return result.stdout
}

/** Asks again and again until exactly `wanted` different answers are there; returns them sorted. */
const collect = async (url: string, wanted: number, step: Step): Promise<string[]> => {
  const look = async () => {
    const seen = new Set<string>()
    // Enough for each of them to have its turn, and for one too many to be noticed.
    for (let i = 0; i < 8 * wanted; i++) {
      const answer = await ask(url)
      if (answer === undefined) return undefined
      seen.add(answer)
    }
    step.note(`${seen.size} of ${wanted} pairs answer`)
    return seen.size === wanted ? [...seen].sort() : undefined
  }
  return until(`${wanted} different answers from ${url}`, look, { timeoutMs: ANSWER_LIMIT_MS })
}

const ask = async (url: string): Promise<string | undefined> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3000) })
    return response.ok ? (await response.text()).trim() : undefined
  } catch (error) {
    // Not serving yet is what is being waited for; anything but the network is a defect.
    if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return undefined
    throw error
  }
}
