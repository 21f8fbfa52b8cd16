/** What the benches share: a lab with a cluster on it, commands on its hosts, loads in namespaces. */
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { until } from '../src/base/index.ts'
import { bytes } from '../src/cli/output.ts'
import { type Engine, connectEngine } from '../src/engine/index.ts'
import {
  type Lab,
  type LoadOptions,
  type LoadResult,
  ensureImages,
  formCluster,
  labUp,
} from '../src/lab/index.ts'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
export const EDGE_IMAGE = 'registry:5000/muster/edge:1'

const say = (line: string) => process.stderr.write(`${line}\n`)

/** A lab with a cluster of managers, the edge's image and `images` (folders under bench/images). */
export const benchLab = async (options: {
  name: string
  hosts: number
  images: Record<string, string>
}): Promise<Lab> => {
  const lab = await labUp({ name: options.name, hosts: options.hosts, onProgress: say })
  await ensureImages(
    lab,
    [
      { name: 'muster/edge:1', context: join(ROOT, 'images/edge') },
      ...Object.entries(options.images).map(([name, folder]) => ({
        name,
        context: join(ROOT, 'bench/images', folder),
      })),
    ],
    say,
  )
  await formCluster(lab, { edgeImage: EDGE_IMAGE, onProgress: say })
  return lab
}

/** Runs a command as the host would; what it printed, or an error with its words. */
export const on = async (
  lab: Lab,
  host: string,
  command: string[] | { argv: string[]; input: string },
): Promise<string> => {
  const { argv, input } = Array.isArray(command) ? { argv: command, input: '' } : command
  const result = await lab.exec(host, argv, { timeoutMs: 300_000, input })
  if (result.exitCode !== 0) {
    throw new Error(
      `${argv.join(' ')} on ${host} ended with ${result.exitCode}: ${result.stderr || result.stdout}`,
    )
  }
  return result.stdout
}

/** The engine of a lab host, from outside. */
export const engineOf = (lab: Lab, host: string): Engine =>
  connectEngine({ host: lab.dockerHost(host) })

/** A load from this machine, in a process of its own. */
export const loadFromMachine = (options: LoadOptions): Promise<LoadResult> => load([], options)

/** The same load from inside a container's network namespace on a lab host. */
export const loadFromContainer = async (
  lab: Lab,
  container: { host: string; id: string },
  options: LoadOptions,
): Promise<LoadResult> => {
  await using engine = engineOf(lab, container.host)
  const pid = (await engine.inspectContainer(container.id)).State?.Pid
  const enter = ['nsenter', `--net=/proc/${pid}/ns/net`]
  const result = await on(lab, container.host, [...enter, ...loadCommand(options)])
  return JSON.parse(result) as LoadResult
}

const loadCommand = (options: LoadOptions): string[] => [
  process.execPath,
  join(ROOT, 'src/lab/load.ts'),
  JSON.stringify(options),
]

const load = async (prefix: string[], options: LoadOptions): Promise<LoadResult> => {
  const [command = '', ...args] = [...prefix, ...loadCommand(options)]
  const { stdout } = await execa(command, args, { maxBuffer: 2 ** 28 })
  return JSON.parse(stdout) as LoadResult
}

/** Waits until a service of the cluster has exactly `count` running tasks on hosts that are ready. */
export const untilRunning = async (
  engine: Engine,
  service: string,
  count: number,
): Promise<void> => {
  await until(
    `${count} running tasks of ${service}`,
    async () => {
      const [tasks, nodes] = await Promise.all([
        engine.listTasks({ service: [service], 'desired-state': ['running'] }),
        engine.listNodes(),
      ])
      const ready = new Set(nodes.filter((n) => n.Status?.State === 'ready').map((n) => n.ID))
      const running = tasks.filter(
        (task) => task.Status?.State === 'running' && ready.has(task.NodeID ?? ''),
      )
      return running.length === count && tasks.length === count
    },
    { timeoutMs: 180_000, intervalMs: 200 },
  )
}

/** `2 cores (model), 24 GiB, Node 24.21.0`, for the head of a table. */
export const machine = (): string =>
  `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${bytes(totalmem())}, Node ${process.versions.node}`

/** The middle one, or the mean of the two in the middle. */
export const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

/** A table in Markdown, as it stands in docs/benchmarks.md. */
export const markdownTable = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
