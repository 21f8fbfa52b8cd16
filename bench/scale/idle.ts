/** What an agent costs on a host where nothing happens, beside what the host's engine costs. */
import { systemClock } from '../../src/base/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { benchLab, on } from '../support.ts'

export interface Cost {
  process: string
  host: string
  /** Resident, bytes. */
  memory: number
  /** Cores used on average. */
  cores: number
}

const STACK = JSON.stringify({
  services: { web: { image: 'registry:5000/bench/web:1', deploy: { replicas: 6 } } },
})
/** After the deployment, until caches are warm and revisions are written. */
const SETTLE_MS = 15_000

/** One line a process of interest: kind, clock ticks used so far, resident KiB. */
const READ = String.raw`
for stat in /proc/[0-9]*/stat; do
  folder=$(dirname "$stat")
  line=$(tr '\0' ' ' <"$folder/cmdline" 2>/dev/null) || continue
  case $line in
    *muster.mjs\ agent*) kind=agent ;;
    *dockerd*) kind=dockerd ;;
    *) continue ;;
  esac
  case $(cat "$folder/comm") in sh|tini) continue ;; esac
  set -- $(sed 's/.*) //' "$stat")
  echo "$kind $((${'$'}{12} + ${'$'}{13})) $(awk '/^VmRSS/ { print $2 }' "$folder/status")"
done
`

/** Three managers, a stack of six tasks that nobody asks anything, watched for `seconds`. */
export const idleCosts = async (seconds: number): Promise<Cost[]> => {
  await using lab = await benchLab({
    name: 'bench-idle',
    hosts: 3,
    images: { 'bench/web:1': 'web' },
  })
  const hosts = ['host-1', 'host-2', 'host-3']
  await on(lab, 'host-1', {
    argv: ['muster', 'up', '--yes', '--name', 'idle', '--file', '-'],
    input: STACK,
  })
  await systemClock.sleep(SETTLE_MS)
  const ticksPerSecond = Number(await on(lab, 'host-1', ['getconf', 'CLK_TCK']))
  const before = await Promise.all(hosts.map((host) => usage(lab, host)))
  const start = performance.now()
  await systemClock.sleep(seconds * 1000)
  const after = await Promise.all(hosts.map((host) => usage(lab, host)))
  const passed = (performance.now() - start) / 1000
  return hosts.flatMap((host, i) =>
    ['agent', 'dockerd'].map((kind) => {
      const first = before[i]?.get(kind)
      const last = after[i]?.get(kind)
      if (!first || !last) throw new Error(`no ${kind} runs on ${host}`)
      const cores = (last.ticks - first.ticks) / ticksPerSecond / passed
      return { process: kind, host, memory: last.kib * 1024, cores }
    }),
  )
}

const usage = async (lab: Lab, host: string) =>
  new Map(
    (await on(lab, host, ['sh', '-c', READ]))
      .trim()
      .split('\n')
      .map((line) => {
        const [kind = '', ticks, kib] = line.split(' ')
        return [kind, { ticks: Number(ticks), kib: Number(kib) }]
      }),
  )
